import Definitions
import FixtureFiles
import Foundation
import Journaling
import Keeping
import OnionModel

/// What reading 1,000 definitions costs: from bytes to what this host wants, last good definitions included.
struct DefinitionsBenchmark {
  static let count = 1000
  static let runs = 15
  /// Milliseconds.
  static let coldLimit = 400.0
  static let changedLimit = 50.0
  static let hostileLimit = 1000.0

  func run() throws {
    let configuration = try host()
    let (files, changed) = (repository(changing: nil), repository(changing: Self.count / 2))
    var cold: [Double] = []
    var restarted: [Double] = []
    var moved: [Double] = []
    for _ in 0..<Self.runs {
      var reader = RevisionReader()
      var stored: [ServiceName: LastGood] = [:]
      cold.append(
        try time { stored = try read(files, by: &reader, lastGood: [:], configuration) })
      moved.append(
        try time { _ = try read(changed, by: &reader, lastGood: stored, configuration) })
      restarted.append(
        try time {
          var reader = RevisionReader()
          _ = try read(files, by: &reader, lastGood: stored, configuration)
        })
    }
    print("\(Self.count) definitions, medians of \(Self.runs)      ms   limit")
    report("cold", cold, Self.coldLimit)
    report("cold, last good ones from the journal", restarted, Self.coldLimit)
    report("one changed", moved, Self.changedLimit)
    print("one hostile file of 256 KiB, slowest run of \(Self.runs)")
    for file in HostileFile.all {
      let times = (0..<Self.runs).map { _ in
        time { _ = readRevision(RepositoryFiles(["services/x.yaml": file.bytes])) }
      }
      report(file.name, [times.max() ?? 0], Self.hostileLimit)
    }
  }

  private func report(_ name: String, _ times: [Double], _ limit: Double) {
    let median = times.sorted()[times.count / 2]
    let words = name.padding(toLength: 40, withPad: " ", startingAt: 0)
    print(words, String(format: "%8.1f %6.0f", median, limit), median > limit ? "over" : "")
  }

  private func time(_ body: () throws -> Void) rethrows -> Double {
    let start = ContinuousClock.now
    try body()
    let (seconds, attoseconds) = start.duration(to: .now).components
    return Double(seconds) * 1e3 + Double(attoseconds) / 1e15
  }

  private func read(
    _ files: RepositoryFiles, by reader: inout RevisionReader, lastGood: [ServiceName: LastGood],
    _ configuration: HostConfiguration
  ) throws -> [ServiceName: LastGood] {
    guard let commit = CommitID(String(repeating: "a", count: 40)) else { return [:] }
    let revision = AcceptedRevision(
      commit: commit, previous: nil, acceptedAt: wallTime(), removalsAnnounced: false,
      identity: configuration.identity)
    let result = reader.read(revision, files, lastGood: lastGood, configuration)
    guard result.desired.services.count == Self.count, let good = result.lastGood else {
      throw KeepingError("\(result.diagnostics.prefix(3))")
    }
    return good
  }

  /// Twenty hosts' services, all of them on this one: a file of a person's, with comments and most fields.
  private func repository(changing changed: Int?) -> RepositoryFiles {
    var files = ["onionkeeper.yaml": Array("version: 1\ndefaults: {prune: hold}\n".utf8)]
    for index in 0..<Self.count {
      let key = Base32.encode((0..<32).map { UInt8(truncatingIfNeeded: index * 31 + $0 * 7 + 3) })
      files["services/service-\(index).yaml"] = Array(
        """
        # service \(index): what it is for, and whom to ask
        hosts: [bench, "web-*"]
        key: existing
        access: clients
        clients:
          - name: alice
            key: "descriptor:x25519:\(key.uppercased())"
        ports:
          # the site
          - virtual: 80
            target: 192.0.2.\(index % 250 + 1):8080
          - {virtual: 443, target: host:\(8443 + (index == changed ? 1 : 0))}
        instance: shared-\(index / 50)
        tor:
          introDoS: {rate: 25, burst: 200}
          maxStreams: 100
        container: {memory: 256MiB, cpus: 1.0}

        """.utf8)
    }
    return RepositoryFiles(files)
  }

  private func host() throws -> HostConfiguration {
    let folder = "/tmp/okb-\(getpid())"
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    let path = "\(folder)/host.yaml"
    try Data(
      """
      host: bench
      repository: {url: \(folder), trust: {transport: true}}
      allow: {targets: [host, "192.0.2.0/24"], services: 2000}

      """.utf8
    ).write(to: URL(fileURLWithPath: path))
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    let configuration = try HostFile(path: path).read()
    try FileManager.default.removeItem(atPath: folder)
    return configuration
  }
}
