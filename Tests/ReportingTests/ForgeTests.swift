import Foundation
import Journaling
import OnionModel
import StubServer
import Synchronization
import Testing
import Transport

@testable import Reporting

/// Commit statuses against a server that checks each request as the forges' own descriptions say.
@Suite struct ForgeTests {
  static let commit = valid(CommitID(String(repeating: "ab", count: 20)))

  static func event(
    _ kind: EventKind, outcome: String? = nil, error: String? = nil, message: String? = nil,
    revision: CommitID? = commit
  ) -> Event {
    Event(
      kind: kind, subject: "host", time: Sample.now(),
      data: EventData(
        host: Sample.host, revision: revision, outcome: outcome, error: error, message: message))
  }

  /// The answer of a forge: 201 to a right request, else what the real one says.
  static func answer(_ request: StubRequest, _ kind: ForgeEndpoint.Kind) -> String {
    let path =
      kind == .forgejo
      ? "/api/v1/repos/onions/services/statuses/\(commit)"
      : "/api/v3/repos/onions/services/statuses/\(commit)"
    guard request.method == "POST", request.target == path else { return status(404) }
    let scheme = kind == .forgejo ? "token" : "Bearer"
    guard request.headers["authorization"] == "\(scheme) abc-123" else { return status(401) }
    if kind == .github {
      guard request.headers["accept"] == "application/vnd.github+json",
        request.headers["x-github-api-version"] == "2022-11-28",
        request.headers["user-agent"]?.isEmpty == false
      else { return status(400) }
    }
    guard request.headers["content-type"]?.hasPrefix("application/json") == true,
      let json = try? JSONSerialization.jsonObject(with: Data(request.body)) as? [String: String],
      ["pending", "success", "failure", "error"].contains(json["state"]),
      let description = json["description"], description.count <= 140,
      !description.contains("\n"), json["context"]?.isEmpty == false
    else { return status(422) }
    return status(201)
  }

  static func answering(_ kind: ForgeEndpoint.Kind) -> @Sendable (StubRequest) -> String {
    { answer($0, kind) }
  }

  static func always(_ code: Int) -> @Sendable (StubRequest) -> String { { _ in status(code) } }

  static func status(_ code: Int) -> String { "HTTP/1.1 \(code) X\r\nContent-Length: 0\r\n\r\n" }

  @Test(arguments: [ForgeEndpoint.Kind.forgejo, .github])
  func eachStateIsShown(_ kind: ForgeEndpoint.Kind) async throws {
    try await withForge(kind, answer: Self.answering(kind)) { bench in
      try await bench.journal.record([
        Self.event(.revisionAccepted, message: "signed by alice"),
        Sample.event(.actionSucceeded),
        Self.event(
          .revisionApplied, outcome: "failed", error: "blog:\n" + String(repeating: "é", count: 300)
        ),
        Self.event(.revisionApplied, outcome: "waiting", message: "key is missing"),
        Self.event(.revisionHeld, message: "2 removals wait"),
        Self.event(.revisionApplied, outcome: "succeeded", message: "3 services as defined"),
        Self.event(.revisionRejected, error: "not signed"),
        Self.event(.revisionRejected, error: "no commit", revision: nil),
      ])
      try await eventually("all are delivered") { try await bench.waiting() == 0 }
      #expect(
        try bench.statuses() == [
          ["pending", "onionkeeper/web-1", "web-1: signed by alice"],
          [
            "failure", "onionkeeper/web-1",
            "web-1: blog: " + String(repeating: "é", count: 126) + "…",
          ],
          ["pending", "onionkeeper/web-1", "web-1: key is missing"],
          ["pending", "onionkeeper/web-1", "web-1: 2 removals wait"],
          ["success", "onionkeeper/web-1", "web-1: 3 services as defined"],
          ["failure", "onionkeeper/web-1", "web-1: not signed"],
        ])
      let state = try #require(try await bench.journal.endpoints().first)
      #expect(state.name == "forge-\(kind)" && state.failingSince == nil && state.dead == 0)
    }
  }

  /// A forge that is down is tried again through the outbox, and gets what it missed in order.
  @Test func aForgeThatWasAwayGetsThemLater() async throws {
    let asked = Mutex(0)
    let recovering: @Sendable (StubRequest) -> String = { request in
      let count = asked.withLock { count in
        count += 1
        return count
      }
      return count < 3 ? Self.status(503) : Self.answer(request, .forgejo)
    }
    try await withForge(.forgejo, answer: recovering) { bench in
      try await bench.journal.record([
        Self.event(.revisionAccepted, message: "first"),
        Self.event(.revisionApplied, outcome: "succeeded", message: "second"),
      ])
      try await eventually("both are delivered") { try await bench.waiting() == 0 }
      #expect(try bench.statuses().suffix(2).map { $0[0] } == ["pending", "success"])
    }
  }

  /// What a forge will never take does not hold up the next; a token that is wrong is waited for.
  @Test func refusalsAndWrongTokens() async throws {
    try await withForge(.github, answer: Self.always(404)) { bench in
      try await bench.journal.record([Self.event(.revisionAccepted, message: "first")])
      try await eventually("it is given up") {
        try await bench.journal.endpoints().first?.dead == 1
      }
      let error = try await bench.journal.endpoints().first?.lastError ?? ""
      #expect(error.contains("404") && error.contains("onions/services"))
      #expect(!error.contains("abc-123"))
    }
    try await withForge(.forgejo, token: "two words", answer: Self.answering(.forgejo)) { bench in
      try await bench.journal.record([Self.event(.revisionAccepted, message: "first")])
      try await eventually("it says what is wrong") {
        try await bench.journal.endpoints().first?.lastError?.contains("hold the token alone")
          == true
      }
      #expect(bench.server.requests.isEmpty)
      try writeSecret("abc-123\n", to: bench.folder + "/token")
      try await eventually("it is delivered") { try await bench.waiting() == 0 }
      #expect(try bench.statuses().count == 1)
    }
  }

  @Test func addressesOfGuardedServicesAreShortened() throws {
    let event = Self.event(.revisionApplied, outcome: "failed", error: "\(Sample.address) is lost")
    let open = try #require(CommitStatus(event, shortensAddresses: false))
    #expect(open.description.contains(Sample.address.text))
    let shut = try #require(CommitStatus(event, shortensAddresses: true))
    #expect(!shut.description.contains(Sample.address.text))
  }

  @Test(arguments: [
    ("ssh://git@git.example/onions/services.git", "onions/services"),
    ("git@git.example:onions/services.git", "onions/services"),
    ("https://git.example/onions/services/", "onions/services"),
    ("https://git.example:3000/onions/services", "onions/services"),
    ("https://git.example/a/b/c", nil), ("ssh://git@git.example/onions.git", nil),
    ("/srv/onions/services", nil), ("file:///srv/onions", nil), ("git.example:../x", nil),
    ("", nil),
  ])
  func repositoriesOfRemotes(_ url: String, _ found: String?) {
    #expect(ForgeEndpoint.repository(ofRemote: url) == found)
  }

  @Test(arguments: [
    (ForgeEndpoint.Kind.github, "https://github.com", "https://api.github.com"),
    (.github, "https://api.github.com/", "https://api.github.com"),
    (.github, "https://git.example", "https://git.example/api/v3"),
    (.github, "https://git.example/api/v3/", "https://git.example/api/v3"),
    (.forgejo, "https://git.example/forge", "https://git.example/forge/api/v1"),
    (.forgejo, "https://git.example/api/v1", "https://git.example/api/v1"),
  ])
  func addressesOfForges(_ kind: ForgeEndpoint.Kind, _ url: String, _ base: String) throws {
    let endpoint = try ForgeEndpoint(
      kind: kind, address: try WebhookAddress(url), repository: "o/r", tokenFile: "/t")
    #expect(endpoint.url(of: Self.commit) == "\(base)/repos/o/r/statuses/\(Self.commit)")
  }
}

/// A journal, a forge, and a reporter that runs while `body` does.
private struct ForgeBench {
  let folder: String
  let journal: Journal
  let server: StubServer

  func waiting() async throws -> Int { try await journal.endpoints().reduce(0) { $0 + $1.waiting } }

  /// State, context and description of what was sent, in order.
  func statuses() throws -> [[String]] {
    try server.requests.map { request in
      let json = try JSONDecoder().decode([String: String].self, from: Data(request.body))
      return ["state", "context", "description"].map { json[$0] ?? "" }
    }
  }
}

private func withForge(
  _ kind: ForgeEndpoint.Kind, token: String = "abc-123\n",
  answer: @escaping @Sendable (StubRequest) -> String,
  _ body: (ForgeBench) async throws -> Void
) async throws {
  try await withFolder { folder in
    let journal = try await Journal(path: folder + "/journal.db")
    let server = try StubServer(answer: answer)
    try writeSecret(token, to: folder + "/token")
    var options = ReporterOptions(now: Sample.now)
    options.schedule.steps = [0.05]
    let endpoint = try ForgeEndpoint(
      kind: kind, address: try WebhookAddress(server.url), repository: "onions/services",
      tokenFile: folder + "/token")
    let reporter = Reporter(
      journal: journal, client: try HTTPClient(), endpoints: [.forge(endpoint)], options: options)
    try await reporter.prepare()
    let task = Task { await reporter.run() }
    let result: Result<Void, any Error>
    do {
      result = .success(
        try await body(ForgeBench(folder: folder, journal: journal, server: server)))
    } catch { result = .failure(error) }
    task.cancel()
    await task.value
    server.stop()
    try await journal.close()
    try result.get()
  }
}
