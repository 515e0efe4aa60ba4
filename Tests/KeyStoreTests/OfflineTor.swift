import Descriptors
import Testing

/// What the real tor, which never meets a network, makes of key directories.
struct OfflineTor {
  static let user = 7942

  /// It loaded its keys and went on; else it ended.
  var serves: Bool
  var log: String

  /// Runs tor as `user` over service folders of a key folder, until it has loaded their keys or has ended.
  static func run(_ folder: KeyFolder, _ services: [String]) async throws -> OfflineTor {
    let data = try folder.descriptor().makeFolder("tor-data", owner: user)
    var lines = [
      "DataDirectory \(folder.path)/tor-data", "DisableNetwork 1", "SocksPort 0",
      "Log notice stdout",
    ]
    for service in services {
      lines += ["HiddenServiceDir \(folder.path)/\(service)", "HiddenServicePort 80 127.0.0.1:9"]
    }
    try data.write(
      Array((lines.joined(separator: "\n") + "\n").utf8), to: "torrc", FileAttributes(owner: user))
    let tor = try Child(
      [
        "/usr/bin/setpriv", "--reuid=\(user)", "--regid=\(user)", "--clear-groups",
        "/usr/sbin/tor", "-f", "\(folder.path)/tor-data/torrc", "--defaults-torrc", "/dev/null",
      ], log: "\(folder.path)/log")
    defer { tor.stop() }
    // What it says after it has loaded its keys.
    let loaded = "Delaying directory fetches"
    try await eventually("tor has read its keys", saying: tor.text) {
      tor.text.contains(loaded) || tor.hasEnded
    }
    return OfflineTor(serves: tor.text.contains(loaded), log: tor.text)
  }
}
