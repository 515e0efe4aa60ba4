import Foundation
import Testing

@testable import TorRuntime

/// The reader against the distribution's tor: `--dump-config short` in an empty network namespace, `DisableNetwork 1`.
@Suite struct TorrcRealTorTests {
  /// Names would be looked up; these say what tor refuses of them that is no business of the reader.
  private static let fixtures = TorrcFixture.all.filter { $0.notes("tor").first != "not asked" }

  @Test func optionNames() async throws {
    let output = try await TorDump.words(["--list-torrc-options"])
    let listed = Set(output.split(whereSeparator: \.isNewline).map(String.init))
    #expect(listed.count > 300)
    #expect(listed.subtracting(TorrcOptionNames.all) == [])
    for name in listed {
      #expect(TorrcOptionNames.meaning(of: name.lowercased().utf8)?.name == name)
    }
  }

  @Test(arguments: fixtures)
  func theSameLinesAndTheSameVerdict(_ fixture: TorrcFixture) async throws {
    let dump = try await TorDump(fixture)
    guard let mine = dump.mine else {
      // Where we refuse to read on, tor does too, or the fixture says what only we refuse.
      #expect(dump.tors == nil || fixture.notes("tor").first == "reads it")
      return
    }
    if let tors = dump.tors {
      #expect(mine.lines == tors)
      #expect(!mine.isRefused, "tor takes it: \(mine.refusals)")
    } else {
      #expect(mine.isRefused || fixture.notes("tor").first == "refuses it", "\(dump.complaint)")
    }
  }

  @Test(arguments: [11, 12, 13, 14])
  func mutated(_ seed: UInt64) async throws {
    var generator = TorrcMutation(seed: seed)
    var taken = 0
    for _ in 0..<15 {
      let bytes = generator.text()
      let dump = try await TorDump(text: bytes)
      guard let tors = dump.tors else { continue }
      taken += 1
      // Nothing is included here, so whatever tor reads we read.
      let mine = try #require(dump.mine, "\(String(decoding: bytes, as: UTF8.self))")
      #expect(mine.lines == tors, "\(String(decoding: bytes, as: UTF8.self))")
    }
    #expect(taken > 0)
  }
}

/// What tor and the reader make of one torrc.
private struct TorDump {
  struct Mine {
    /// Name and value of each line of a hidden service, in order.
    var lines: [String]
    /// Findings that say that tor does not start.
    var refusals: [String]
    var isRefused: Bool { !refusals.isEmpty }
  }

  /// `nil`: tor refuses it.
  var tors: [String]?
  var complaint = ""
  /// `nil`: the reader does.
  var mine: Mine?

  init(_ fixture: TorrcFixture) async throws {
    let scratch = try Scratch()
    // The fixture's folders, below the scratch folder; HiddenServiceDirs need not be there.
    func moved(_ text: String) -> String {
      text.replacingOccurrences(of: "/etc/", with: "\(scratch.path)/etc/")
    }
    for (path, bytes) in fixture.files {
      let place = URL(fileURLWithPath: moved(path))
      try FileManager.default.createDirectory(
        at: path.hasSuffix("/") ? place : place.deletingLastPathComponent(),
        withIntermediateDirectories: true)
      if path.hasSuffix("/") || path.hasSuffix("@") { continue }
      let text = bytes.replacing(Array("/etc/".utf8), with: Array("\(scratch.path)/etc/".utf8))
      try Data(text).write(to: place)
    }
    try await self.init(at: moved(fixture.torrc), in: scratch) { try fixture.readTorrc() }
    if let mine {
      self.mine?.lines = mine.lines.map(moved)
    }
  }

  init(text: [UInt8]) async throws {
    let scratch = try Scratch()
    try Data(text).write(to: URL(fileURLWithPath: "\(scratch.path)/torrc"))
    try await self.init(at: "\(scratch.path)/torrc", in: scratch) {
      try TorrcReader.read("/torrc", bytes: text, roots: []) { _ in .absent }
    }
  }

  private init(at path: String, in scratch: Scratch, _ read: () throws -> Torrc) async throws {
    try write("", to: "\(scratch.path)/defaults")
    let log = "\(scratch.path)/log"
    let child = try Child(
      [
        "/usr/bin/unshare", "-n", "/usr/sbin/tor", "--defaults-torrc", "\(scratch.path)/defaults",
        "-f", path, "--DisableNetwork", "1", "--DataDirectory", "\(scratch.path)/data",
        "--dump-config", "short",
      ], environment: ["PATH": "/usr/bin:/bin"], output: log)
    let status = try await child.wait()
    let output = [UInt8](try Data(contentsOf: URL(fileURLWithPath: log)))
    if status == 0 {
      tors = try Self.services(output)
    } else {
      complaint = String(decoding: output.suffix(600), as: UTF8.self)
    }
    do {
      let torrc = try read()
      let instance = TorrcInstance(torrc)
      let all = instance.findings + instance.services.flatMap(\.findings)
      mine = Mine(
        lines: Self.lines(torrc.lines),
        refusals: all.map(\.description).filter { $0.contains("tor does not start") })
    } catch is TorrcError {
      mine = nil
    }
  }

  static func words(_ arguments: [String]) async throws -> String {
    let scratch = try Scratch()
    let log = "\(scratch.path)/log"
    let child = try Child(
      ["/usr/bin/unshare", "-n", "/usr/sbin/tor", "--hush"] + arguments,
      environment: ["PATH": "/usr/bin:/bin"], output: log)
    guard try await child.wait() == 0 else { throw TestFailure("tor: \(try contents(log))") }
    return try contents(log)
  }

  private static let others = ["SingleHopMode", "NonAnonymousMode", "Statistics"]
    .map { "HiddenService\($0)" }

  /// tor writes values with odd characters in quotes: its own syntax.
  private static func services(_ output: [UInt8]) throws -> [String] {
    var lines: [String] = []
    // Row by row: a backslash at a value's end is not escaped, and joins nothing here.
    for row in output.split(separator: 0x0a) where row.starts(with: Array("HiddenService".utf8)) {
      var syntax = TorrcSyntax(Array(row))
      while let entry = try syntax.next() {
        let name = String(decoding: entry.name, as: UTF8.self)
        if !others.contains(name) { lines.append("\(name) \(shown(entry.value, limit: .max))") }
      }
    }
    return lines
  }

  private static func lines(_ lines: [TorrcLine]) -> [String] {
    var found: [String] = []
    for line in lines {
      guard let meaning = line.meaning, TorrcSections.names.contains(meaning.name),
        !meaning.isObsolete
      else { continue }
      if line.command == .clear {
        found = []
      } else if !line.value.isEmpty {
        found.append("\(meaning.name) \(shown(line.value, limit: .max))")
      }
    }
    return found
  }
}

extension TorrcFixture {
  func readTorrc() throws(TorrcError) -> Torrc {
    try TorrcReader.read(torrc, bytes: files[torrc] ?? [], roots: roots, look: look)
  }
}

@Suite struct RunningTorTests {
  @Test(arguments: [
    ("tor -f /etc/tor/torrc", []),
    (
      "tor --SocksPort 0 --HiddenServiceDir /a --hiddenserviceport 80 --HiddenServiceDir /b",
      ["HiddenServiceDir", "hiddenserviceport"]
    ),
    (
      "tor HiddenServiceDir /a +HiddenServiceMaxStreams 3",
      ["HiddenServiceDir", "HiddenServiceMaxStreams"]
    ),
    ("tor -f /HiddenServiceDir --DataDirectory /var/lib/tor", []), ("tor", []), ("", []),
  ])
  func servicesOnACommandLine(_ line: String, _ names: [String]) {
    let words = line.split(separator: " ").map(String.init)
    #expect(RunningTor.serviceOptions(words) == names)
  }

  @Test func aRunningTorIsSeen() async throws {
    let tor = try await RealTor()
    let seen = try RunningTor.all().first { $0.pid == Int(tor.child.pid) }
    #expect(
      seen
        == RunningTor(
          pid: Int(tor.child.pid), user: RealTor.user, configuration: "\(tor.etc)/torrc"))
  }
}
