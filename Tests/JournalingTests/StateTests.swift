import GRDB
import OnionModel
import Testing

@testable import Journaling

@Suite struct StateTests {
  @Test func conditionsKeepTheirSince() async throws {
    let journal = try await Journal.inMemory()
    let blog = Sample.service("blog")
    let running = Condition(.running, .yes, reason: "up")
    var transitions = try await journal.setConditions(
      [
        blog: [Condition(.ready, .unknown, reason: "new"), running],
        Sample.service("wiki"): [running],
      ], at: Sample.start)
    #expect(transitions.count == 3)
    #expect(transitions.first?.from == nil)

    // Another reason is written, but is no transition.
    transitions = try await journal.setConditions(
      [blog: [Condition(.ready, .unknown, reason: "waits"), running]], at: Sample.time(5))
    #expect(transitions.isEmpty)
    transitions = try await journal.setConditions(
      [blog: [Condition(.ready, .yes, reason: "all well"), running]], at: Sample.time(9))
    #expect(transitions.map(\.condition.status) == [.yes])
    #expect(transitions.map(\.from) == [.unknown])
    #expect(transitions.map(\.lasted) == [9])

    let all = try await journal.conditions()
    #expect(Set(all.keys) == [blog])
    #expect(all[blog]?.map(\.condition.name) == [.running, .ready])
    #expect(all[blog]?.map(\.since) == [Sample.start, Sample.time(9)])

    let before = try await journal.read("count") { $0.totalChangesCount }
    try await journal.setConditions(
      [blog: [running, Condition(.ready, .yes, reason: "all well")]], at: Sample.time(20))
    #expect(try await journal.read("count") { $0.totalChangesCount } == before)
    try await journal.setConditions([blog: [running]], at: Sample.time(20))
    #expect(try await journal.conditions()[blog]?.map(\.condition.name) == [.running])
  }

  @Test func theAcceptedRevisionSurvivesWithItsFiles() async throws {
    try await withFolder { folder in
      let path = folder + "/journal.db"
      var journal = try await Journal(path: path)
      #expect(try await journal.accepted() == nil)
      let first = AcceptedRevision(
        commit: Sample.commit("a"), previous: nil, acceptedAt: Sample.start,
        removalsAnnounced: false, identity: "i")
      let bytes: [UInt8] = [0, 255, 10, 13, 0xEF, 0xBB, 0xBF]
      try await journal.accept(
        first,
        files: [
          "services/blog.yaml": AcceptedFile(blob: "1", bytes: bytes),
          "services/old.yaml": AcceptedFile(blob: "2", bytes: []),
        ], memory: Sample.memory(), events: [Sample.event(.revisionAccepted)])
      journal = try await Journal(path: path)
      var kept = try #require(try await journal.accepted())
      #expect(kept.revision == first)
      #expect(kept.files["services/blog.yaml"]?.bytes == bytes)
      #expect(kept.files["services/old.yaml"]?.bytes == [])
      #expect(try await journal.memory(agent: Sample.agent, now: Sample.start) == Sample.memory())
      #expect(try await journal.events(limit: 2).count == 1)

      let second = AcceptedRevision(
        commit: Sample.commit("b"), previous: first.commit, acceptedAt: Sample.time(5),
        removalsAnnounced: true, identity: "i")
      try await journal.accept(
        second, files: ["services/blog.yaml": AcceptedFile(blob: "3", bytes: [1])])
      kept = try #require(try await journal.accepted())
      #expect(kept.revision == second)
      #expect(kept.files == ["services/blog.yaml": AcceptedFile(blob: "3", bytes: [1])])
      #expect(try await journal.acceptedRevision() == second)
    }
  }

  @Test func lastGoodDefinitions() async throws {
    let journal = try await Journal.inMemory()
    let blog = Sample.service("blog")
    let wiki = Sample.service("wiki")
    let good = LastGood(blob: "1", text: "hosts: [web-1]\n", revision: Sample.commit("a"))
    try await journal.setLastGood([blog: good, wiki: good])
    var newer = good
    newer.blob = "2"
    try await journal.setLastGood([blog: newer])
    #expect(try await journal.lastGood() == [blog: newer, wiki: good])
    try await journal.forgetLastGood([blog, Sample.service("none")])
    #expect(try await journal.lastGood() == [wiki: good])
  }

  @Test func refusedRevisionsAreRememberedAndBounded() async throws {
    var limits = JournalLimits()
    limits.refused = 3
    let journal = try await Journal.inMemory(limits: limits)
    try await journal.refuse(
      Sample.commit("a"), reason: "no signature", at: Sample.start,
      events: [Sample.event(.revisionRejected)])
    #expect(try await journal.refused(Sample.commit("a")) == "no signature")
    #expect(try await journal.refused(Sample.commit("b")) == nil)
    try await journal.refuse(Sample.commit("a"), reason: "rewound", at: Sample.time(1))
    #expect(try await journal.refused(Sample.commit("a")) == "rewound")
    for digit in "bcde" {
      try await journal.refuse(Sample.commit(digit), reason: "no", at: Sample.start)
    }
    #expect(try await journal.refused(Sample.commit("a")) == nil)
    #expect(try await journal.refused(Sample.commit("e")) == "no")
    try await journal.forgetRefusals()
    #expect(try await journal.refused(Sample.commit("e")) == nil)
  }
}
