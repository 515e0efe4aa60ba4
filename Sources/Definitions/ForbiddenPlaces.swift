/// Directories that no definition may ever have mounted, whatever the host allows: those that hold, or lie in, the
/// sockets of engines, D-Bus, systemd and ourselves, and the kernel's and the system's own trees.
public struct ForbiddenPlaces: Hashable, Sendable {
  /// Path to what it is, in words.
  private let places: [String: String]

  /// The places of every Linux that we run on; `/var/run` is `/run` there.
  public static let standard = ForbiddenPlaces([
    "/run/docker.sock": "the engine's socket", "/run/docker": "the engine's sockets",
    "/run/podman": "the engine's socket", "/run/libpod": "the engine's files",
    "/run/containerd": "the engine's socket", "/run/crio": "the engine's socket",
    "/run/buildkit": "the engine's socket", "/var/lib/docker": "the engine's files",
    "/var/lib/containers": "the engine's files", "/var/lib/containerd": "the engine's files",
    "/run/dbus": "D-Bus's socket", "/run/systemd": "systemd's sockets",
    "/run/udev": "systemd's sockets", "/run/user": "users' D-Bus and systemd sockets",
    "/run/onionkeeper": "Onionkeeper's own sockets",
    "/var/lib/onionkeeper": "Onionkeeper's own files",
    "/proc": "the kernel's files", "/sys": "the kernel's files", "/dev": "devices",
    "/etc": "the system's configuration",
  ])

  private init(_ places: [String: String]) { self.places = places }

  /// The same and this host's own: key and state directories, engine socket, status socket.
  public func adding(own paths: [String]) -> ForbiddenPlaces {
    var places = places
    for path in paths where path.hasPrefix("/") {
      let place = ForbiddenPlaces.withoutAliases(path)
      places[place] = places[place] ?? "Onionkeeper's own"
    }
    return ForbiddenPlaces(places)
  }

  /// Why `directory` (absolute, normalised, empty for `/`) may not be mounted; `nil` if it may.
  public func refusal(directory: String) -> String? {
    let directory = ForbiddenPlaces.withoutAliases(directory)
    guard !directory.isEmpty else { return "/ is the whole host" }
    for (place, what) in places.sorted(by: { $0.key < $1.key }) {
      if place == directory || place.hasPrefix(directory + "/") {
        return "\(directory) holds \(what)"
      }
      if directory.hasPrefix(place + "/") { return "\(place) is \(what)" }
    }
    return nil
  }

  /// `/var/run` has been a link to `/run` since FHS 3.0, and `/var/lock` one to `/run/lock`.
  private static func withoutAliases(_ path: String) -> String {
    for (alias, place) in [("/var/run", "/run"), ("/var/lock", "/run/lock")]
    where path == alias || path.hasPrefix(alias + "/") {
      return place + path.dropFirst(alias.count)
    }
    return path
  }
}
