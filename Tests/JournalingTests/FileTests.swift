import Foundation
import GRDB
import OnionModel
import Testing

@testable import Journaling

@Suite struct FileTests {
  @Test func theFilesArePrivateAndTheLogIsSynced() async throws {
    try await withFolder { folder in
      let path = folder + "/journal.db"
      let journal = try await Journal(path: path)
      try await journal.record([Sample.event(.agentStarted)])
      for name in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        #expect(try mode(folder + "/" + name) == 0o600, "\(name)")
      }
      let pragmas = try await journal.read("look") { database in
        [
          try String.fetchOne(database, sql: "PRAGMA journal_mode"),
          try String.fetchOne(database, sql: "PRAGMA synchronous"),
          try String.fetchOne(database, sql: "PRAGMA foreign_keys"),
        ]
      }
      #expect(pragmas == ["wal", "2", "1"])
      try await journal.close()
      chmod(path, 0o644)
      _ = try await Journal(path: path)
      #expect(try mode(path) == 0o600)
    }
  }

  @Test func theEpochStaysUntilACopyIsPutBack() async throws {
    try await withFolder { folder in
      let path = folder + "/journal.db"
      var journal = try await Journal(path: path)
      let epoch = journal.epoch
      #expect(epoch.utf8.count == 32)
      try await journal.record([Sample.event(.agentStarted)])
      try await journal.close()
      journal = try await Journal(path: path)
      #expect(journal.epoch == epoch)
      try await journal.close()
      try FileManager.default.copyItem(atPath: path, toPath: folder + "/copy")
      try FileManager.default.removeItem(atPath: path)
      try FileManager.default.moveItem(atPath: folder + "/copy", toPath: path)
      journal = try await Journal(path: path)
      #expect(journal.epoch != epoch)
      try await journal.record([Sample.event(.agentStopped)])
      let events = try await journal.events(limit: 10)
      #expect(events.map(\.sequence) == [1, 1])
      #expect(events.map(\.epoch) == [epoch, journal.epoch])
    }
  }

  @Test func aReaderWorksBesideTheAgentAndWithoutIt() async throws {
    try await withFolder { folder in
      let path = folder + "/journal.db"
      let journal = try await Journal(path: path)
      try await journal.record([Sample.event(.agentStarted)])
      let reader = try await Journal.open(readOnly: path)
      #expect(reader.epoch == journal.epoch)
      #expect(try await reader.events(limit: 10).count == 1)
      try await journal.record([Sample.event(.keyLost)])
      #expect(try await reader.events(limit: 10).count == 2)
      #expect(try await reader.memory(agent: Sample.agent, now: Sample.start).instances.isEmpty)
      let error = await #expect(throws: JournalError.self) {
        try await reader.record([Sample.event(.keyLost)])
      }
      #expect(error?.code == .readOnly)
      try await reader.close()
      try await journal.close()
      let late = try await Journal.open(readOnly: path)
      #expect(try await late.events(limit: 10).count == 2)
    }
  }

  @Test func anotherProcessReadsWhileTheAgentWrites() async throws {
    try await withFolder { folder in
      let path = folder + "/journal.db"
      let journal = try await Journal(path: path)
      try await journal.record([Sample.event(.agentStarted)])
      let writer = Task {
        var count = 0
        while !Task.isCancelled {
          try await journal.record([Sample.event(.actionSucceeded, "instance/i\(count)")])
          count += 1
        }
        return count
      }
      await #expect(processExitsWith: .success) { [path = path as String] in
        let reader = try await Journal.open(readOnly: path)
        var seen = 0
        for _ in 0..<50 {
          let events = try await reader.events(limit: 10_000)
          guard events.count >= max(seen, 1) else { exit(3) }
          guard events.map(\.sequence) == (1...Int64(events.count)).map({ $0 }) else { exit(4) }
          seen = events.count
        }
      }
      writer.cancel()
      #expect(try await writer.value > 0)
    }
  }

  /// The agent is killed in the midst of writing: all that a call had returned for is there, and nothing half.
  @Test(arguments: [20, 90, 250]) func aKillLeavesAReadableJournal(milliseconds: Int) async throws {
    try await withFolder { folder in
      let path = folder + "/journal.db"
      await #expect(processExitsWith: .signal(SIGKILL)) {
        [path = path as String, milliseconds = milliseconds as Int] in
        let journal = try await Journal(path: path)
        let pass = try await journal.beginPass(
          trigger: "start", revision: nil, at: Timestamp(seconds: 1))
        guard let done = fopen(path + ".done", "w") else { exit(3) }
        var isDoomed = false
        while true {
          let attempt = try await journal.intend(
            pass: pass, subject: .host, step: Sample.step(), at: Timestamp(seconds: 1))
          try await journal.conclude(
            attempt: attempt, outcome: Sample.outcome(), memory: Sample.memory(),
            events: [Sample.event(.actionSucceeded, "attempt/\(attempt)")])
          fputs("\(attempt)\n", done)
          fflush(done)
          if !isDoomed {
            isDoomed = true
            DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(milliseconds)) {
              kill(getpid(), SIGKILL)
            }
          }
        }
      }
      let done = try String(contentsOfFile: path + ".done", encoding: .utf8)
        .split(separator: "\n").count
      #expect(done > 0)
      let journal = try await Journal(path: path)
      let history = try await journal.history(limit: 10_000)
      let open = try await journal.openAttempts()
      let events = try await journal.events(limit: 10_000)
      #expect(open.count <= 1)
      #expect(history.count - open.count >= done)
      #expect(events.count == history.count - open.count)
      #expect(events.map(\.sequence) == (0..<events.count).map { Int64($0 + 1) })
      for attempt in open {
        try await journal.abandon(attempt: attempt.id, reason: "killed", at: Sample.start)
      }
      #expect(try await journal.openAttempts().isEmpty)
    }
  }

  @Test func aNewerSchemaIsRefusedAndLeft() async throws {
    try await withFolder { folder in
      let path = folder + "/journal.db"
      let journal = try await Journal(path: path)
      try await journal.record([Sample.event(.keyLost)])
      // What the next version would do: a copy first, then its migration.
      var next = Schema.migrator
      next.registerMigration("0002 later") { try $0.execute(sql: "CREATE TABLE later (x)") }
      try Schema.bringUpToDate(journal.queue, path: path, with: next)
      try await journal.close()
      let before = try Data(contentsOf: URL(fileURLWithPath: path))
      for open in [
        { @Sendable in try await Journal(path: path) },
        { @Sendable in try await Journal.open(readOnly: path) },
      ] {
        let error = await #expect(throws: JournalError.self) { try await open() }
        #expect(error?.code == .newerSchema)
        #expect(error?.message.contains("0002 later") == true)
      }
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
      let copy = path + ".before-0002"
      #expect(try mode(copy) == 0o600)
      let old = try await Journal(path: copy)
      #expect(try await old.events(limit: 10).map(\.event.kind) == [.keyLost])
    }
  }

  @Test func aMigrationThatFailsLeavesTheOldJournal() async throws {
    try await withFolder { folder in
      let path = folder + "/journal.db"
      let journal = try await Journal(path: path)
      try await journal.record([Sample.event(.keyLost)])
      var next = Schema.migrator
      next.registerMigration("0002 bad") {
        try $0.execute(sql: "DROP TABLE delivery; DROP TABLE event; SELECT * FROM nowhere")
      }
      for _ in 0..<2 {
        #expect(throws: DatabaseError.self) {
          try Schema.bringUpToDate(journal.queue, path: path, with: next)
        }
      }
      try await journal.close()
      #expect(try await Journal(path: path).events(limit: 10).count == 1)
    }
  }

  enum Damage: String, CaseIterable, Sendable {
    case garbage, foreign, page, truncated, link, folder, missing
  }

  @Test(arguments: Damage.allCases) func whatIsNoJournalIsRefusedAndLeft(damage: Damage)
    async throws
  {
    try await withFolder { folder in
      var path = folder + "/journal.db"
      let manager = FileManager.default
      switch damage {
      case .garbage:
        try Data(repeating: 0x41, count: 9000).write(to: URL(fileURLWithPath: path))
      case .foreign:
        let queue = try DatabaseQueue(path: path)
        try await queue.write { try $0.execute(sql: "CREATE TABLE player (id)") }
        try queue.close()
      case .page, .truncated:
        try await fill(path)
        let handle = try #require(FileHandle(forUpdatingAtPath: path))
        let size = try handle.seekToEnd()
        if damage == .truncated {
          try handle.truncate(atOffset: size / 2)
        } else {
          for offset in stride(from: 8192, to: size, by: 4096) {
            try handle.seek(toOffset: offset)
            try handle.write(contentsOf: Data(repeating: 0xA5, count: 2000))
          }
        }
        try handle.close()
      case .link:
        try await Journal(path: folder + "/elsewhere").close()
        try manager.createSymbolicLink(atPath: path, withDestinationPath: folder + "/elsewhere")
      case .folder: try manager.createDirectory(atPath: path, withIntermediateDirectories: false)
      case .missing: path = folder + "/no/journal.db"
      }
      let before = manager.contents(atPath: path)
      let error = await #expect(throws: JournalError.self) { try await Journal(path: path) }
      let expected: JournalError.Code =
        switch damage {
        case .garbage, .foreign: .notAJournal
        case .page, .truncated: .corrupt
        case .link, .folder, .missing: .notThere
        }
      #expect(error?.code == expected, "\(String(describing: error))")
      #expect(error?.message.contains(path) == true)
      #expect(manager.contents(atPath: path) == before)
    }
  }

  @Test func aReaderOfNothingSaysWhatIsMissing() async throws {
    try await withFolder { folder in
      let error = await #expect(throws: JournalError.self) {
        try await Journal.open(readOnly: folder + "/journal.db")
      }
      #expect(error?.code == .notThere)
    }
  }

  @Test func aFullFileLosesNothing() async throws {
    try await withFolder { folder in
      var limits = JournalLimits()
      limits.pages = 120
      try await exhaust(try await Journal(path: folder + "/journal.db", limits: limits))
    }
  }

  /// A real full disk: a file system of 2 MiB.
  @Test func aFullDiskLosesNothing() async throws {
    try #require(getuid() == 0, "this test mounts a small file system and must run as root")
    try await withFolder { folder in
      let disk = folder + "/disk"
      try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: false)
      try #require(mount("tmpfs", disk, "tmpfs", 0, "size=2m") == 0)
      // Detached (MNT_DETACH): a child that another test starts just now may still hold a descriptor of it.
      defer { #expect(umount2(disk, 2) == 0) }
      let journal = try await Journal(path: disk + "/journal.db")
      let result = await outcome { try await exhaust(journal) }
      try await journal.close()
      try result.get()
    }
  }

  /// Writes until there is no room; checks that the last transaction left nothing half and that reading goes on.
  private func exhaust(_ journal: Journal) async throws {
    let pass = try await journal.beginPass(trigger: "start", revision: nil, at: Sample.start)
    var done = 0
    var refusal: JournalError?
    while refusal == nil, done < 10_000 {
      do {
        let attempt = try await journal.intend(
          pass: pass, subject: .host, step: Sample.step(), at: Sample.start)
        try await journal.conclude(
          attempt: attempt, outcome: Sample.outcome(), memory: Sample.memory(),
          events: [
            Sample.event(
              .actionSucceeded, "attempt/\(attempt)", message: String(repeating: "x", count: 900))
          ])
        done += 1
      } catch {
        refusal = error
      }
    }
    #expect(refusal?.code == .full, "\(String(describing: refusal))")
    #expect(refusal?.message.contains("room") == true)
    let history = try await journal.history(limit: 10_000)
    #expect(history.filter { $0.outcome == "succeeded" }.count == done)
    #expect(try await journal.events(limit: 10_000).count == done)
    #expect(try await journal.memory(agent: Sample.agent, now: Sample.start) == Sample.memory())
  }

  private func fill(_ path: String) async throws {
    let journal = try await Journal(path: path)
    for index in 0..<300 {
      try await journal.record([
        Sample.event(
          .actionSucceeded, "instance/i\(index)", message: String(repeating: "m", count: 400))
      ])
    }
    try await journal.close()
  }

  private func outcome(_ body: () async throws -> Void) async -> Result<Void, any Error> {
    do { return .success(try await body()) } catch { return .failure(error) }
  }

  private func mode(_ path: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    return try #require(attributes[.posixPermissions] as? Int)
  }
}
