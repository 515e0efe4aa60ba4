import Journaling
import OnionModel
import Testing

@testable import Keeping

/// product.md §4: waivers name what they waive, once.
struct ApproverTests {
  @Test func onlyTheAcceptedRevisionIsApproved() async throws {
    let host = try House()
    try host.setUp()
    let first = try host.commit()
    let approver = Approver(try host.configuration())
    await #expect(throws: KeepingError.self) {
      try await approver.approve(first, [.removals], uid: 0)
    }
    _ = try await host.pass()
    let lines = try await approver.approve(first, [.removals, .host], uid: 1000)
    #expect(lines.contains { $0.hasPrefix("allowed removals for \(first.short), once") })
    try await host.agent { house in
      let given = try await house.journal.approvals()
      #expect(Set(given.map(\.approval.kind)) == [.removals, .host])
      #expect(given.allSatisfy { $0.uid == 1000 && $0.used == nil })
      #expect(try await house.journal.kinds().filter { $0 == .approvalGiven }.count == 2)
    }
  }

  @Test func removalsAreListedWithTheirAddresses() async throws {
    let host = try House()
    try host.setUp()
    let first = try host.commit()
    _ = try await host.pass()
    try await host.agent { house in
      var memory = try await house.journal.memory(agent: house.agent, now: wallTime())
      let gone = try #require(ServiceName("forum"))
      memory.services[gone] = InstanceName(gone)
      try await house.journal.store(memory, at: wallTime())
    }
    let lines = try await Approver(try host.configuration()).approve(first, [.removals], uid: 0)
    #expect(lines.first?.contains("removes forum: no address pinned") == true)
  }

  /// Nobody allows what could not be shown.
  @Test func unreadablePinsAreNotNoPins() async throws {
    let host = try House()
    try host.setUp()
    let first = try host.commit()
    _ = try await host.pass()
    try await host.agent { house in
      var memory = try await house.journal.memory(agent: house.agent, now: wallTime())
      let gone = try #require(ServiceName("forum"))
      memory.services[gone] = InstanceName(gone)
      try await house.journal.store(memory, at: wallTime())
    }
    try host.write("keys/.onionkeeper/pins/forum", "not an address")
    let approver = Approver(try host.configuration())
    await #expect(throws: KeepingError.self) {
      try await approver.approve(first, [.removals], uid: 0)
    }
    try await host.agent { house in
      let given = try await house.journal.approvals()
      #expect(given.isEmpty)
    }
    let status = try await StatusReport.read(try host.configuration())
    #expect(status.troubles.contains { $0.key == "pins/forum" })
  }

  /// New keys after a lost state folder, the host's new identity: applied by the next pass, and used up.
  @Test func theNextPassUsesThemUp() async throws {
    let host = try House()
    try host.setUp()
    let first = try host.commit()
    _ = try await host.pass()
    try await host.agent { house in
      var memory = try await house.journal.memory(agent: house.agent, now: wallTime())
      memory.isRebuilt = true
      try await house.journal.store(memory, at: wallTime())
    }
    _ = try await Approver(try host.configuration()).approve(first, [.newKeys, .host], uid: 0)
    try await host.agent { house in
      _ = try await house.keeper.pass(trigger: "test", patience: nil)
      let memory = try await house.journal.memory(agent: house.agent, now: wallTime())
      #expect(!memory.isRebuilt)
      let identity = try host.configuration().identity
      #expect(memory.identity == identity)
      #expect(memory.approvals.isEmpty)
      #expect(try await house.journal.approvals().allSatisfy { $0.used != nil })
    }
  }

  /// An engine that does not answer is no new engine: the approval stays.
  @Test func anEngineIsApprovedWhenItAnswers() async throws {
    let host = try House()
    try host.setUp()
    let first = try host.commit()
    _ = try await host.pass()
    _ = try await Approver(try host.configuration()).approve(first, [.engine], uid: 0)
    try await host.agent { house in
      _ = try await house.keeper.pass(trigger: "test", patience: nil)
      let memory = try await house.journal.memory(agent: house.agent, now: wallTime())
      #expect(memory.approvals.map(\.kind) == [.engine])
    }
  }
}
