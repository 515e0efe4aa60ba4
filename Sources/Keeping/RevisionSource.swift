import GitSource
import Journaling
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
    /// When, as its committer says.
    var committed: Timestamp
    var listing: TreeListing
    var authentication: Authentication
    /// Definition files that the anchor had and this has not; `nil` without an anchor.
    var deletedDefinitions: Int?
    /// The sum of `Onionkeeper-Remove: N` of the commits since the anchor.
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
    /// `trust.since`: the anchor of a host that has none.
    var floor: CommitID?
    /// A person's waivers of the ancestry, each for just that commit.
    var rewinds: Set<CommitID>
    /// Seconds.
    var soak: Double
    var now: Timestamp

    /// What `commit` must descend from.
    func bounds(of commit: CommitID) -> Set<CommitID> {
      if rewinds.contains(commit) { return [] }
      if anchors.isEmpty, let floor { return [floor] }
      return anchors
    }
  }

  /// Whether the accepted revision would still be trusted.
  enum Standing: Sendable {
    case trusted
    case refused(RevisionRefusal)
    /// It cannot be judged now: it is not in the mirror, nor at the source.
    case unknown
  }

  /// Commits that are remembered for soaking; older ones have been passed over.
  private static let seenLimit = 100

  private let mirror: GitMirror
  private let trust: TrustPolicy
  /// Tips by when they were first seen, the oldest first; those that wait for their soak time, and the last that need not.
  private(set) var seen: [SeenTip] = []
  /// The accepted revision that was judged by this trust; it does not change while this lives.
  private var standing: (commit: CommitID, is: Standing)?

  /// - Parameter authenticated: a file that remembers what was judged under an introduction.
  init(
    mirrorPath: String, source: RepositorySource, trust: TrustPolicy, authenticated: String? = nil
  ) {
    mirror = GitMirror(at: mirrorPath, source: source, authenticated: authenticated)
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

  /// The tip of a bundle that somebody brought, judged like one that was fetched. It need not soak: who brings it means
  /// it to act.
  /// - Throws: as `look`.
  func look(bundle: String, _ question: Question) async throws -> Look {
    guard trust != .transport else {
      throw GitError(
        .configuration, "bundle",
        "trust: {transport: true} trusts who answers at the url, and nobody answered: a bundle needs signers or an"
          + " introduction")
    }
    guard let tip = CommitID(try await mirror.take(bundle: bundle).commit) else {
      throw GitError(.unreachable, "bundle", "\(bundle) names no SHA-1 commit")
    }
    if tip == question.accepted, question.anchors.isSubset(of: [tip]) { return .unchanged }
    return .candidate(try await judge(tip, question))
  }

  /// Judges the accepted revision by the trust that is configured now, once: whoever may no longer sign should not have
  /// signed what is in force.
  /// - Parameter mayFetch: where the mirror does not have it.
  func standing(of accepted: CommitID, now: Timestamp, mayFetch: Bool = true) async -> Standing {
    if trust == .transport { return .trusted }
    if let standing, standing.commit == accepted { return standing.is }
    let result: Standing
    do throws(GitError) {
      if await !mirror.contains(accepted.text) {
        guard mayFetch else { return .unknown }
        try await mirror.fetch()
      }
      _ = try await mirror.authenticate(
        accepted.text, by: trust, times: CommitTimeBounds(now: now.seconds), since: [accepted.text])
      result = .trusted
    } catch {
      guard error.code == .untrusted else { return .unknown }
      result = .refused(RevisionRefusal(commit: accepted, reason: error.message))
    }
    standing = (accepted, result)
    return result
  }

  /// What an agent before this one has seen. Nothing once this one has looked itself.
  func recall(_ tips: [SeenTip]) {
    if seen.isEmpty { seen = tips.suffix(Self.seenLimit) }
  }

  /// Remembers when a tip was first seen. What the branch no longer holds was withdrawn: it does not ripen.
  private func note(_ newest: CommitID, _ question: Question) async throws {
    guard seen.last?.commit != newest else { return }
    if question.soak > 0, !seen.isEmpty {
      if await !mirror.contains(newest.text) { try await mirror.fetch() }
      var kept: [SeenTip] = []
      for entry in seen where try await isOnBranch(entry.commit, tip: newest) { kept.append(entry) }
      seen = kept
      if seen.last?.commit == newest { return }
    }
    seen.append(SeenTip(commit: newest, at: question.now))
    // What is ripe stands for all before it.
    if let ripe = seen.lastIndex(where: { question.now.since($0.at) >= question.soak }) {
      seen.removeFirst(ripe)
    }
    if seen.count > Self.seenLimit { thinOut() }
  }

  /// Forgets the tip that came closest between two others. Never the oldest: on a busy branch nothing would ripen.
  private func thinOut() {
    func gap(_ index: Int) -> Double { seen[index + 1].at.since(seen[index - 1].at) }
    guard let closest = (1..<seen.count - 1).min(by: { gap($0) < gap($1) }) else { return }
    seen.remove(at: closest)
  }

  private func isOnBranch(_ commit: CommitID, tip: CommitID) async throws -> Bool {
    guard await mirror.contains(commit.text) else { return false }
    return try await mirror.isDescendant(tip.text, of: commit.text)
  }

  private func judge(_ commit: CommitID, _ question: Question) async throws -> Candidate {
    do {
      let bounds = question.bounds(of: commit)
      let stray = try await stray(commit, bounds, isFirst: question.anchors.isEmpty)
      // A signature that is missing is said first; that an older commit is older than the anchor needs no saying.
      let authentication = try await authenticate(commit, question, stray == nil ? bounds : [])
      if let stray { throw stray }
      let info = try await mirror.commitInfo(commit.text)
      let listing = try await mirror.readTree(commit: commit.text)
      let removals = try await removals(until: commit, question.accepted)
      return Candidate(
        commit: commit, committed: Timestamp(seconds: info.committed), listing: listing,
        authentication: authentication, deletedDefinitions: removals?.deleted,
        announcedRemovals: removals?.announced)
    } catch let error as GitError where error.isRefusal {
      throw RevisionRefusal(
        commit: commit, reason: error.message, isForNow: error.code == .early)
    }
  }

  /// - Parameter bounds: what it descends from, and cannot be older than; nothing for a rewind, whose signature counts all
  ///   the same.
  private func authenticate(
    _ commit: CommitID, _ question: Question, _ bounds: Set<CommitID>
  ) async throws -> Authentication {
    var notBefore: Int64?
    for anchor in bounds where await mirror.contains(anchor.text) {
      notBefore = max(notBefore ?? 0, try await mirror.commitInfo(anchor.text).committed)
    }
    return try await mirror.authenticate(
      commit.text, by: trust,
      times: CommitTimeBounds(notBefore: notBefore, now: question.now.seconds),
      since: Set(question.anchors.map(\.text)).union(question.floor.map { [$0.text] } ?? []))
  }

  /// Why a commit that is not a descendant of all the anchors may not act; `nil` if it is one.
  private func stray(
    _ commit: CommitID, _ anchors: Set<CommitID>, isFirst: Bool
  ) async throws -> RevisionRefusal? {
    for anchor in anchors where try await !mirror.isDescendant(commit.text, of: anchor.text) {
      return RevisionRefusal(
        commit: commit,
        reason: "\(commit.short) does not descend from \(anchor.short), "
          + (isFirst
            ? "repository.trust.since: another repository or branch, or one that is older."
            : "the last accepted revision: rewritten, rolled back, or another repository.")
          + " `onionkeeper approve \(commit) --rewind` is the only way round")
    }
    return nil
  }

  /// How many definition files are gone since the accepted revision, and how many of them the commits since then
  /// announce by `Onionkeeper-Remove: N`; `nil` without an accepted revision.
  private func removals(
    until commit: CommitID, _ accepted: CommitID?
  ) async throws -> (deleted: Int, announced: Int?)? {
    guard let accepted, await mirror.contains(accepted.text) else { return nil }
    let path = mirror.source.path
    let folder = path == "." || path.isEmpty ? "services" : "\(path)/services"
    let deleted = try await mirror.deletedFiles(
      from: accepted.text, to: commit.text, under: folder
    ).filter { $0.hasSuffix(".yaml") }.count
    // The tip's signature covers its ancestors' messages, too.
    let announced = try await mirror.trailers(
      "Onionkeeper-Remove", until: commit.text, since: accepted.text)
    let numbers = announced.compactMap { Int($0) }
    return (deleted, numbers.isEmpty ? nil : numbers.reduce(0, Self.sum))
  }

  /// Numbers from messages: a sum that does not fit announces nothing that could be.
  private static func sum(_ left: Int, _ right: Int) -> Int {
    let (sum, hasOverflown) = left.addingReportingOverflow(right)
    return hasOverflown || right < 0 ? .max : sum
  }
}

extension GitError {
  /// The commit itself may not act, whatever the network does.
  fileprivate var isRefusal: Bool { code == .untrusted || code == .early || code == .badTree }
}
