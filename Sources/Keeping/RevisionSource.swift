import GitSource
import OnionModel

/// A commit that may not act, and why: the same each time, until trust or the commit's history moves.
struct RevisionRefusal: Error, Sendable {
  var commit: CommitID
  var reason: String
  /// Time alone may end it: its date is ahead of this host's clock. It is judged again each time.
  var isForNow = false
}

/// Where revisions come from: looks, fetches, authenticates, reads. It judges commits, never definitions.
actor RevisionSource {
  /// A trusted descendant of the anchor, read whole.
  struct Candidate: Sendable {
    var commit: CommitID
    var listing: TreeListing
    var authentication: Authentication
    /// Definition files that the anchor had and this has not; `nil` without an anchor.
    var deletedDefinitions: Int?
    /// `Onionkeeper-Remove: N`
    var announcedRemovals: Int?
  }

  enum Look: Sendable {
    /// The tip is the accepted revision.
    case unchanged
    case candidate(Candidate)
    /// It was refused before, for this reason.
    case refused(RevisionRefusal)
    /// Not yet seen for long enough.
    case soaking(CommitID)
  }

  /// What the decision depends on.
  struct Question: Sendable {
    var accepted: CommitID?
    /// From the journal and from the key root; every one must be an ancestor.
    var anchors: Set<CommitID>
    /// A person's waivers of the ancestry, each for just that commit.
    var rewinds: Set<CommitID>
    /// Seconds.
    var soak: Double
    var now: Timestamp
  }

  /// Commits that are remembered for soaking; older ones have been passed over.
  private static let seenLimit = 100

  private let mirror: GitMirror
  private let trust: TrustPolicy
  private var seen: [(commit: CommitID, at: Timestamp)] = []

  init(mirrorPath: String, source: RepositorySource, trust: TrustPolicy) {
    mirror = GitMirror(at: mirrorPath, source: source)
    self.trust = trust
  }

  /// One round trip if nothing moved.
  /// - Throws: `GitError` if the source could not be used; `RevisionRefusal` if its commit may not act.
  func look(
    _ question: Question, refusedBefore: @Sendable (CommitID) async throws -> String?
  ) async throws -> Look {
    let tip = try await mirror.look()
    guard let newest = CommitID(tip.commit) else {
      throw GitError(.unreachable, "look", "the server's answer names no SHA-1 commit")
    }
    try await note(newest, question)
    guard
      let chosen = seen.last(where: { question.now.since($0.at) >= question.soak })?.commit
    else { return newest == question.accepted ? .unchanged : .soaking(newest) }
    if chosen == question.accepted, question.anchors.isSubset(of: [chosen]) { return .unchanged }
    if !question.rewinds.contains(chosen), let reason = try await refusedBefore(chosen) {
      return .refused(RevisionRefusal(commit: chosen, reason: reason))
    }
    if await !mirror.contains(chosen.text) { try await mirror.fetch() }
    return .candidate(try await judge(chosen, question))
  }

  /// Remembers when a tip was first seen. What the branch no longer holds was withdrawn: it does not ripen.
  private func note(_ newest: CommitID, _ question: Question) async throws {
    guard seen.last?.commit != newest else { return }
    if question.soak > 0, !seen.isEmpty {
      if await !mirror.contains(newest.text) { try await mirror.fetch() }
      var kept: [(commit: CommitID, at: Timestamp)] = []
      for entry in seen where try await isOnBranch(entry.commit, tip: newest) { kept.append(entry) }
      seen = kept
      if seen.last?.commit == newest { return }
    }
    seen.append((newest, question.now))
    if seen.count > Self.seenLimit { seen.removeFirst() }
  }

  private func isOnBranch(_ commit: CommitID, tip: CommitID) async throws -> Bool {
    guard await mirror.contains(commit.text) else { return false }
    return try await mirror.isDescendant(tip.text, of: commit.text)
  }

  private func judge(_ commit: CommitID, _ question: Question) async throws -> Candidate {
    do {
      let authentication = try await authenticate(commit, question)
      if !question.rewinds.contains(commit) { try await checkDescent(of: commit, question.anchors) }
      let info = try await mirror.commitInfo(commit.text)
      let listing = try await mirror.readTree(commit: commit.text)
      return Candidate(
        commit: commit, listing: listing, authentication: authentication,
        deletedDefinitions: try await deletions(until: commit, question.accepted),
        announcedRemovals: info.trailer("Onionkeeper-Remove").flatMap { Int($0) })
    } catch let error as GitError where error.code == .untrusted || error.code == .badTree {
      let ahead = try await mirror.commitInfo(commit.text).committed - question.now.seconds
      throw RevisionRefusal(
        commit: commit, reason: error.message, isForNow: ahead > CommitTimeBounds.tolerance)
    }
  }

  private func authenticate(_ commit: CommitID, _ question: Question) async throws
    -> Authentication
  {
    var notBefore: Int64?
    for anchor in question.anchors where await mirror.contains(anchor.text) {
      notBefore = max(notBefore ?? 0, try await mirror.commitInfo(anchor.text).committed)
    }
    return try await mirror.authenticate(
      commit.text, by: trust,
      times: CommitTimeBounds(notBefore: notBefore, now: question.now.seconds))
  }

  private func checkDescent(of commit: CommitID, _ anchors: Set<CommitID>) async throws {
    for anchor in anchors where try await !mirror.isDescendant(commit.text, of: anchor.text) {
      throw RevisionRefusal(
        commit: commit,
        reason: "\(commit.short) does not descend from \(anchor.short), the last accepted revision:"
          + " rewritten, rolled back, or another repository."
          + " `onionkeeper approve \(commit) --rewind` is the only way round")
    }
  }

  private func deletions(until commit: CommitID, _ accepted: CommitID?) async throws -> Int? {
    guard let accepted, await mirror.contains(accepted.text) else { return nil }
    let path = mirror.source.path
    let folder = path == "." || path.isEmpty ? "services" : "\(path)/services"
    return try await mirror.deletedFiles(from: accepted.text, to: commit.text, under: folder)
      .filter { $0.hasSuffix(".yaml") }.count
  }
}
