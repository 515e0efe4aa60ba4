import Journaling
import OnionModel

/// How this host does with the revision in force: one line, for people who look at a commit.
struct RevisionReport: Hashable {
  enum Outcome: String {
    case succeeded, failed, waiting
  }

  var outcome: Outcome
  var message: String
  /// What of it is news when it moves: no engine's words, no count-down.
  var mark: String

  /// `nil` while it is still on its way: steps are left, or wait for their next try.
  init?(_ report: PassReport) {
    guard report.observed != nil, report.desired.revision != nil else { return nil }
    let errors = report.diagnostics.filter { $0.severity == .error }
    if report.refusal != nil {
      (outcome, message) = (.failed, "the plan breaks a promise and is not executed")
      mark = "refused"
    } else if let (subject, failure) = report.lastFailure {
      (outcome, message) = (.failed, "\(subject): \(failure)")
      mark = "\(subject) \(failure.code)"
    } else if let first = errors.first {
      let count = errors.count == 1 ? "" : "\(errors.count) errors: "
      (outcome, message) = (.failed, count + first.description)
      mark = message
    } else if !report.plan.isEmpty
      || report.plan.waiting.contains(where: { $0.kind == .backoff || $0.kind == .moving })
    {
      return nil
    } else if let first = report.plan.waiting.first {
      let count = report.plan.waiting.count
      (outcome, message) = (.waiting, (count == 1 ? "" : "\(count) wait: ") + first.message)
      mark = report.plan.waiting.map { "\($0.kind) \($0.service?.text ?? "")" }.sorted()
        .joined(separator: ",")
    } else {
      let count = report.desired.services.count
      (outcome, message) = (
        .succeeded, count == 1 ? "1 service as defined" : "\(count) services as defined"
      )
      mark = message
    }
  }
}

extension PassReport {
  fileprivate var lastFailure: (StepGroup.Subject, StepFailure)? {
    for outcome in outcomes.reversed() where failing.contains(outcome.subject) {
      guard case .failed(let failure) = outcome.result else { continue }
      return (outcome.subject, failure)
    }
    return nil
  }
}

extension Notices {
  /// Told when it moves, once. A failure stands until a later pass went well; one that ends in a wait is told when it does.
  func report(_ report: PassReport, at now: Timestamp) async throws(JournalError) {
    guard let revision = report.desired.revision, let result = RevisionReport(report) else {
      return
    }
    let isFailure = result.outcome == .failed
    try await journal.raise(
      key: "applied", fingerprint: sha256("\(revision) \(result.outcome) \(result.mark)"),
      event: Event(
        kind: .revisionApplied, subject: "host", time: now,
        data: EventData(
          host: host, revision: revision, outcome: result.outcome.rawValue,
          error: isFailure ? String(result.message.prefix(2000)) : nil,
          message: isFailure ? nil : result.message)))
  }
}
