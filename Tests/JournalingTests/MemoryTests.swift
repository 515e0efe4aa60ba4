import GRDB
import OnionModel
import Testing

@testable import Journaling

@Suite struct MemoryTests {
  @Test func everyFieldComesBack() async throws {
    try await withFolder { folder in
      let path = folder + "/journal.db"
      let memory = Sample.memory()
      let journal = try await Journal(path: path)
      #expect(
        try await journal.memory(agent: Sample.agent, now: Sample.start)
          == Memory(agent: Sample.agent))
      try await journal.store(memory, at: Sample.start)
      #expect(try await journal.memory(agent: Sample.agent, now: Sample.start) == memory)
      try await journal.close()
      let again = try await Journal(path: path)
      #expect(try await again.memory(agent: Sample.agent, now: Sample.start) == memory)
    }
  }

  @Test func onlyWhatMovedIsWritten() async throws {
    let journal = try await Journal.inMemory()
    var memory = Sample.memory()
    try await journal.store(memory, at: Sample.start)
    func changes() async throws -> Int { try await journal.read("count") { $0.totalChangesCount } }
    var before = try await changes()
    try await journal.store(memory, at: Sample.start)
    #expect(try await changes() == before)
    memory.instances[Sample.instance("wiki")]?.failures = 1
    memory.instances[Sample.instance("blog")] = nil
    before = try await changes()
    try await journal.store(memory, at: Sample.start)
    #expect(try await changes() == before + 2)
    #expect(try await journal.memory(agent: Sample.agent, now: Sample.start) == memory)
  }

  /// An approval or a pause that comes while a pass runs is neither undone nor used by the pass's memory.
  @Test func whatPeopleDoDuringAPassStays() async throws {
    let journal = try await Journal.inMemory()
    let approval = Approval(
      kind: .engine, revision: Sample.commit("b"), expires: Sample.time(86_400))
    var memory = try await journal.memory(agent: Sample.agent, now: Sample.start)
    try await journal.approve(approval, uid: 1000, at: Sample.time(1))
    #expect(
      try await journal.setPaused(Sample.service("blog"), true, uid: 0, at: Sample.time(1)))
    #expect(
      try await !journal.setPaused(Sample.service("blog"), true, uid: 0, at: Sample.time(1)))
    // Somebody looks, too: `status`.
    _ = try await journal.memory(agent: Sample.agent, now: Sample.time(1))
    memory.identity = "new"
    try await journal.store(memory, at: Sample.time(2))
    let after = try await journal.memory(agent: Sample.agent, now: Sample.time(3))
    #expect(after.approvals == [approval])
    #expect(after.paused == [Sample.service("blog")])
    #expect(after.identity == "new")
    #expect(try await journal.approvals().map(\.uid) == [1000])
    #expect(
      try await journal.setPaused(Sample.service("blog"), false, uid: 0, at: Sample.time(4)))
    #expect(try await journal.memory(agent: Sample.agent, now: Sample.time(5)).paused.isEmpty)
  }

  @Test func anApprovalWorksOnceAndExpires() async throws {
    let journal = try await Journal.inMemory()
    let approval = Approval(kind: .newKeys, revision: Sample.commit("a"), expires: Sample.time(10))
    try await journal.approve(
      approval, uid: 7, at: Sample.start, events: [Sample.event(.approvalGiven)])
    #expect(try await journal.events(limit: 10).map(\.event.kind) == [.approvalGiven])
    #expect(try await journal.memory(agent: Sample.agent, now: Sample.time(10)).approvals.isEmpty)
    #expect(try await !journal.useApproval(.newKeys, Sample.commit("a"), at: Sample.time(11)))
    #expect(try await !journal.useApproval(.newKeys, Sample.commit("b"), at: Sample.time(1)))
    #expect(try await journal.useApproval(.newKeys, Sample.commit("a"), at: Sample.time(1)))
    #expect(try await !journal.useApproval(.newKeys, Sample.commit("a"), at: Sample.time(1)))
  }

  @Test(arguments: [true, false]) func settlingIsDurable(isRebuilt: Bool) async throws {
    try await withFolder { folder in
      let path = folder + "/journal.db"
      var journal = try await Journal(path: path)
      #expect(journal.wasMade)
      #expect(try await journal.isUnsettled())
      journal = try await Journal(path: path)
      #expect(!journal.wasMade)
      #expect(try await journal.isUnsettled())
      try await journal.settle(isRebuilt: isRebuilt)
      journal = try await Journal(path: path)
      #expect(try await !journal.isUnsettled())
      var memory = try await journal.memory(agent: Sample.agent, now: Sample.start)
      #expect(memory.isRebuilt == isRebuilt)
      memory.isRebuilt = false
      try await journal.store(memory, at: Sample.start)
      #expect(try await !journal.memory(agent: Sample.agent, now: Sample.start).isRebuilt)
    }
  }

  /// A journal that was written before the fields for targets, backups and held removals were there.
  @Test func anOlderRowIsRead() async throws {
    let journal = try await Journal.inMemory()
    try await journal.store(Sample.memory(), at: Sample.start)
    try await journal.write("write as before") {
      try $0.execute(
        sql: """
          UPDATE instance SET memory =
            '{"containerIDs":["c3"],"failures":1,"interruptions":[],"services":["wiki"]}'
            WHERE name = 'wiki'
          """)
      try $0.execute(sql: "DELETE FROM meta WHERE key = 'held'")
    }
    let memory = try await journal.memory(agent: Sample.agent, now: Sample.start)
    #expect(
      memory.instances[Sample.instance("wiki")]
        == InstanceMemory(containerIDs: ["c3"], failures: 1, services: [Sample.service("wiki")]))
    #expect(memory.heldFromPruning == [])
  }

  @Test func aRowThatCannotBeReadIsAnErrorNotAForgottenInstance() async throws {
    let journal = try await Journal.inMemory()
    try await journal.store(Sample.memory(), at: Sample.start)
    try await journal.write("spoil") {
      try $0.execute(sql: "UPDATE instance SET memory = '{\"secret\":1}' WHERE name = 'blog'")
    }
    let error = await #expect(throws: JournalError.self) {
      try await journal.memory(agent: Sample.agent, now: Sample.start)
    }
    #expect(error?.code == .badRow)
    #expect(error?.message.contains("instance blog") == true)
    #expect(error?.message.contains("secret") == false)
  }
}
