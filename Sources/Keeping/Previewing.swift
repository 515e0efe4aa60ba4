import Definitions
import GitSource
import Journaling
import KeyStore
import OnionModel

extension Keeper {
  /// What the next pass would want: the accepted revision, or a trusted descendant that it would accept.
  /// Accepts, refuses and tells nothing.
  func preview(isOffline: Bool) async throws -> SourcePreview {
    let (accepted, diagnostics) = try await desiredState(isReadOnly: true)
    var preview = SourcePreview(desired: accepted, diagnostics: diagnostics)
    if isOffline { return preview }
    let now = wallTime()
    let question: RevisionSource.Question
    do {
      question = try await self.question(now)
    } catch let error as KeyStoreError {
      preview.note = .trouble("the anchor cannot be read: \(error)")
      return preview
    }
    let found = await finding { [self] in try await ask(question) }
    switch found {
    case .look(.unchanged): break
    case .look(.soaking(let commit)):
      preview.note = .waiting("\(commit.short) waits for its soak time")
    case .look(.refused(let refusal)), .refusal(let refusal):
      preview.note = .trouble(refusal.reason)
    case .trouble(let error): preview.note = .trouble(error.description)
    case .failed(let message): preview.note = .trouble(message)
    case .look(.candidate(let candidate)):
      let files = RepositoryFiles(candidate.listing)
      if let reason = reader.refusal(of: files) {
        preview.note = .trouble(reason)
        break
      }
      if candidate.commit == question.accepted { break }
      let result = reader.read(
        revision(candidate, question.accepted, now), files, lastGood: try await journal.lastGood(),
        configuration)
      preview = SourcePreview(
        desired: result.desired, diagnostics: result.diagnostics, isCandidate: true)
    }
    return preview
  }
}

/// What a pass would work towards.
struct SourcePreview: Sendable {
  var desired: Desired
  var diagnostics: [Diagnostic]
  var note: SourceNote?
  /// It is for a commit that is not accepted yet.
  var isCandidate = false
}
