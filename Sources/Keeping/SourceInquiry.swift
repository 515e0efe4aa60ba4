import GitSource
import Synchronization

/// A question to the repository that may outlive the patience of one pass.
final class SourceInquiry: Sendable {
  struct Answer: Sendable {
    var finding: Finding
    /// Of the accepted revision, by the trust that is configured now; `nil` without one.
    var standing: RevisionSource.Standing?
  }

  enum Finding: Sendable {
    case look(RevisionSource.Look)
    case refusal(RevisionRefusal)
    case trouble(GitError)
    case failed(String)
  }

  private struct State {
    var answer: Answer?
    /// A pass went on without it.
    var isOverdue = false
  }

  private final class Desk: Sendable {
    let state = Mutex(State())
    let bell = Doorbell()
  }

  private let desk: Desk
  private let work: Task<Answer, Never>

  /// - Parameter onLateAnswer: told only of an answer that a pass has stopped waiting for.
  init(
    _ ask: @escaping @Sendable () async -> Answer, onLateAnswer: @escaping @Sendable () -> Void
  ) {
    let desk = Desk()
    self.desk = desk
    work = Task {
      let answer = await ask()
      let isOverdue = desk.state.withLock { state in
        state.answer = answer
        return state.isOverdue
      }
      desk.bell.ring("answer")
      if isOverdue { onLateAnswer() }
      return answer
    }
  }

  func cancel() { work.cancel() }

  /// The answer, or `nil` if it has not come in time.
  /// - Parameter limit: `nil`: as long as the question's own deadlines allow.
  func answer(within limit: Duration?) async -> Answer? {
    guard let limit else { return await work.value }
    if let answer = desk.state.withLock({ $0.answer }) { return answer }
    if limit > .zero { _ = await desk.bell.wait(upTo: limit) }
    return desk.state.withLock { state in
      if state.answer == nil { state.isOverdue = true }
      return state.answer
    }
  }
}
