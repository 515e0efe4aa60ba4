import Journaling
import OnionModel
import Testing

@testable import Keeping

/// What is said of a revision on this host, for people who look at the commit.
@Suite struct RevisionReportTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var what: String
    var change: @Sendable (inout PassReport) throws -> Void
    /// Outcome and message; `nil`: it is still on its way.
    var said: String?
    var testDescription: String { what }
  }

  static let failure = StepFailure(code: "proof.failed", message: "no control port after 30012 ms")

  static let rows: [Row] = [
    Row(what: "all is done", change: { _ in }, said: "succeeded: 0 services as defined"),
    Row(what: "nothing was seen", change: { $0.observed = nil }, said: nil),
    Row(what: "no revision yet", change: { $0.desired.revision = nil }, said: nil),
    Row(
      what: "a step failed", change: { try fail(&$0) },
      said: "failed: blog: proof.failed: no control port after 30012 ms"),
    Row(
      what: "it was done in the next round",
      change: {
        try fail(&$0)
        $0.failing = []
      }, said: "succeeded: 0 services as defined"),
    Row(
      what: "two files are wrong",
      change: {
        for line in [4, 9] {
          $0.diagnostics.append(
            Diagnostic(
              file: "services/a.yaml", line: line, column: 1, path: "ports", message: "is missing"))
        }
      }, said: "failed: 2 errors: services/a.yaml:4:1: ports: is missing"),
    Row(
      what: "a promise would break", change: { $0.refusal = "promise 1: …" },
      said: "failed: the plan breaks a promise and is not executed"),
    Row(
      what: "a key is waited for",
      change: { $0.plan.waiting = [Waiting(.keyMissing, message: "import it")] },
      said: "waiting: import it"),
    Row(
      what: "the next try is waited for",
      change: { $0.plan.waiting = [Waiting(.backoff, message: "in 5 s")] }, said: nil),
  ]

  static func fail(_ report: inout PassReport) throws {
    let instance = try #require(InstanceName("blog"))
    let time = Timestamp(seconds: 1)
    report.outcomes = [
      Outcome(
        subject: .instance(instance),
        step: Step(.startContainer(instance, name: "x"), cause: .change),
        result: .failed(failure), started: time, ended: time)
    ]
    report.failing = [.instance(instance)]
  }

  static func report() throws -> PassReport {
    let revision = CommitID(String(repeating: "1", count: 40))
    return PassReport(
      desired: Desired(
        host: try #require(HostName("web-1")), revision: revision,
        layout: AgentLayout(prefix: "onionkeeper", keys: "/k", state: "/s"), services: [],
        recipe: ImageRecipe(prefix: "onionkeeper", base: .bootstrap("bookworm")), network: .off,
        identity: "i"),
      observed: Observed(
        now: Timestamp(seconds: 1), keyRoot: .absent, stateRoot: .absent, engine: .absent,
        containers: .absent, image: .absent, pins: .absent, retired: .absent),
      plan: Plan(revision: revision), outcomes: [], diagnostics: [])
  }

  @Test(arguments: rows) func oneLine(_ row: Row) throws {
    var report = try Self.report()
    try row.change(&report)
    #expect(RevisionReport(report).map { "\($0.outcome): \($0.message)" } == row.said)
  }

  /// Times and an engine's words in it are no news; another outcome is, and so is another revision.
  @Test func toldWhenItMoves() async throws {
    let journal = try await Journal.inMemory()
    let notices = Notices(journal: journal, host: try #require(HostName("web-1")))
    var report = try Self.report()
    try Self.fail(&report)
    try await notices.report(report, at: Timestamp(seconds: 1))
    report.outcomes[0].result = .failed(
      StepFailure(code: "proof.failed", message: "no control port after 31999 ms"))
    try await notices.report(report, at: Timestamp(seconds: 2))
    #expect(try await journal.kinds() == [.revisionApplied])
    report.failing = []
    for second in Int64(3)...4 { try await notices.report(report, at: Timestamp(seconds: second)) }
    #expect(try await journal.kinds() == [.revisionApplied, .revisionApplied])
    report.desired.revision = CommitID(String(repeating: "2", count: 40))
    try await notices.report(report, at: Timestamp(seconds: 5))
    #expect(try await journal.kinds().count == 3)
  }
}
