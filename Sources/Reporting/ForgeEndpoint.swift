import FoundationEssentials
import Journaling
import OnionModel
import Transport

/// A forge that shows on each commit how this host does with it.
public struct ForgeEndpoint: Hashable, Sendable {
  public enum Kind: String, Hashable, Sendable, Codable {
    /// Forgejo and Gitea: `POST /api/v1/repos/OWNER/REPO/statuses/SHA` (their OpenAPI description, `repoCreateStatus`).
    case forgejo
    /// GitHub: `POST /repos/OWNER/REPO/statuses/SHA` (REST API, "Create a commit status").
    case github
  }

  public var kind: Kind
  /// The forge itself; of GitHub, its web or its API address.
  public var address: WebhookAddress
  /// `OWNER/REPO`
  public var repository: String
  /// Holds the token alone; read at each use.
  public var tokenFile: String
  /// PEM file of the authorities to trust instead of the system's.
  public var caFile: String?

  /// - Throws: `.address` if the repository is not of the form `OWNER/REPO`.
  public init(
    kind: Kind, address: WebhookAddress, repository: String, tokenFile: String,
    caFile: String? = nil
  ) throws(ReportingError) {
    guard Self.isRepository(repository) else {
      throw ReportingError(.address, "forge repository", "\(repository) is not OWNER/REPO")
    }
    self.kind = kind
    self.address = address
    self.repository = repository
    self.tokenFile = tokenFile
    self.caFile = caFile
  }

  /// `OWNER/REPO` of a repository's address, as `git clone` takes it; `nil` if it is not told there.
  public static func repository(ofRemote url: String) -> String? {
    var path = Substring(url)
    if let mark = path.firstRange(of: "://") {
      guard !url.hasPrefix("file:") else { return nil }
      path = path[mark.upperBound...].drop { $0 != "/" }
    } else {
      // scp's form, USER@HOST:PATH.
      guard !path.hasPrefix("/"), let colon = path.firstIndex(of: ":") else { return nil }
      path = path[path.index(after: colon)...]
    }
    if path.hasSuffix("/") { path = path.dropLast() }
    if path.hasSuffix(".git") { path = path.dropLast(4) }
    let parts = path.split(separator: "/")
    let found = parts.joined(separator: "/")
    return isRepository(found) ? found : nil
  }

  private static func isRepository(_ text: String) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    return parts.count == 2
      && parts.allSatisfy { part in
        !part.isEmpty && part != "." && part != ".." && part.utf8.count <= 100
          && part.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (97...122).contains(byte | 0x20)
              || [0x2d, 0x2e, 0x5f].contains(byte)
          }
      }
  }

  /// Unique among endpoints: the host file has one forge.
  public var name: String { "forge-\(kind.rawValue)" }

  /// What the journal knows of it: no URL, no token.
  var specification: EndpointSpecification {
    EndpointSpecification(
      name: name,
      digest: sha256([kind.rawValue, address.url, repository, tokenFile].joined(separator: "\n")),
      patterns: EventPattern("revision.*").map { [$0] } ?? [])
  }

  /// Where a commit's status is set.
  func url(of commit: CommitID) -> String {
    var base = address.url
    while base.hasSuffix("/") { base.removeLast() }
    switch kind {
    case .forgejo: if !base.hasSuffix("/api/v1") { base += "/api/v1" }
    case .github:
      // The service itself has an API host, an own server a path: GitHub Docs, "Getting started with the REST API".
      let isService = ["github.com", "www.github.com"].contains(address.host)
      if isService {
        base = "https://api.github.com"
      } else if address.host != "api.github.com", !base.hasSuffix("/api/v3") {
        base += "/api/v3"
      }
    }
    return "\(base)/repos/\(repository)/statuses/\(commit.text)"
  }
}

/// One commit status: what this host says of a revision, in one line.
struct CommitStatus: Hashable, Sendable, Encodable {
  /// Both forges know these; `error` is for what is no verdict, and nothing here is.
  enum State: String, Hashable, Sendable, Encodable {
    case pending, success, failure
  }

  var state: State
  /// Which of several statuses of a commit it replaces.
  var context: String
  var description: String

  /// GitHub refuses more than 140 characters.
  static let descriptionLimit = 140

  /// `nil` for an event that says nothing of a commit.
  init?(_ event: Event, shortensAddresses: Bool) {
    guard event.data.revision != nil else { return nil }
    switch (event.kind, event.data.outcome) {
    case (.revisionAccepted, _), (.revisionHeld, _): state = .pending
    case (.revisionRejected, _): state = .failure
    case (.revisionApplied, "succeeded"?): state = .success
    case (.revisionApplied, "failed"?): state = .failure
    case (.revisionApplied, _): state = .pending
    default: return nil
    }
    context = "onionkeeper/\(event.data.host)"
    let said = event.data.error ?? event.data.message ?? event.kind.rawValue
    let shown = shortensAddresses ? shorteningAddresses(in: said) : said
    let line = "\(event.data.host): \(shown)".split(whereSeparator: \.isWhitespace)
      .joined(separator: " ")
    description =
      line.count > Self.descriptionLimit
      ? line.prefix(Self.descriptionLimit - 1) + "…" : line
  }
}

extension ForgeEndpoint {
  /// A token is one word.
  private static let tokenLimit = 1024

  /// - Returns: `nil` for an event that says nothing of a commit.
  /// - Throws: `.secret`, `.encoding`.
  func request(
    _ recorded: RecordedEvent, shortensAddresses: Bool, timeout: Duration
  ) async throws(ReportingError) -> HTTPRequest? {
    guard let status = CommitStatus(recorded.event, shortensAddresses: shortensAddresses),
      let commit = recorded.event.data.revision
    else { return nil }
    let token = try await token()
    var headers: HTTPHeaders = [
      "Content-Type": "application/json",
      "User-Agent": "onionkeeper",
    ]
    switch kind {
    case .forgejo:
      headers["Accept"] = "application/json"
      headers["Authorization"] = "token \(token)"
    case .github:
      headers["Accept"] = "application/vnd.github+json"
      headers["Authorization"] = "Bearer \(token)"
      headers["X-GitHub-Api-Version"] = "2022-11-28"
    }
    return HTTPRequest(
      "POST", url(of: commit), headers: headers, body: .bytes(try json(status)),
      limits: HTTPLimits(connect: WebhookRequest.connectLimit, total: timeout, answer: nil),
      authorities: caFile)
  }

  private func json(_ status: CommitStatus) throws(ReportingError) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return Array(try encoder.encode(status))
    } catch {
      throw ReportingError(.encoding, "write a commit status", "it cannot be written as JSON")
    }
  }

  private func token() async throws(ReportingError) -> String {
    let text = try await SecretFile.read(tokenFile, "the forge's token")
    let words = text.split(whereSeparator: \.isWhitespace)
    guard words.count == 1, let token = words.first, token.utf8.count <= Self.tokenLimit,
      token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
    else {
      throw ReportingError(
        .secret, "read the forge's token \(tokenFile)", "it must hold the token alone")
    }
    return String(token)
  }

  /// What an answer means: both forges answer 404 where a token may not see the repository.
  func verdict(_ status: Int, _ headers: HTTPHeaders, now: Timestamp) -> Verdict {
    switch status {
    case 401, 403: .again("answered \(status): may this token set commit statuses?", after: nil)
    case 404:
      .refused(
        "answered 404: it knows no commit of \(repository) by this id, or the token may not see it")
    case 410: .refused("answered 410: the repository is gone")
    default: Verdict(status: status, headers: headers, now: now)
    }
  }
}
