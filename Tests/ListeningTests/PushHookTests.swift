import Crypto
import Foundation
import Synchronization
import Testing
import Transport

@testable import Listening

/// The hook behind a real socket, asked by a real client.
@Suite struct PushHookTests {
  static let secret = "an-old-and-long-secret"
  static let body = Array(#"{"ref": "refs/heads/main"}"#.utf8)

  /// A hook that counts, on a free port.
  final class Hook: Sendable {
    let listener: WebListener
    let client: HTTPClient

    init(secrets: String, timeout: Duration = .seconds(10)) throws {
      client = try HTTPClient()
      let (pushed, reported) = (Counter(), Words())
      let hook = PushHook(
        secrets: {
          guard !secrets.isEmpty else { throw ListeningError("secret", "is not there") }
          return Array(secrets.utf8)
        }, onPush: { pushed.raise() }, report: { reported.add($0) },
        // No test is so slow that one more is allowed meanwhile.
        pushes: Allowance(burst: PushHook.burst, pause: 1e9),
        failures: Allowance(burst: PushHook.failureBurst, pause: 1e9))
      let address = try #require(ListenAddress("127.0.0.1:0"))
      listener = try WebListener(address, timeout: timeout) { hook.receive($0) }
      (counter, words) = (pushed, reported)
    }

    let counter: Counter
    let words: Words

    func post(
      _ headers: HTTPHeaders, body: [UInt8] = PushHookTests.body, method: String = "POST",
      path: String = "/hooks/push"
    ) async throws -> HTTPResponse {
      try await client.send(
        HTTPRequest(
          method, "http://127.0.0.1:\(listener.port ?? 0)\(path)", headers: headers,
          body: method == "GET" ? .none : .bytes(body)))
    }
  }

  final class Counter: Sendable {
    private let count = Mutex(0)
    func raise() { count.withLock { $0 += 1 } }
    var value: Int { count.withLock { $0 } }
  }

  final class Words: Sendable {
    private let list = Mutex<[String]>([])
    func add(_ text: String) { list.withLock { $0.append(text) } }
    var all: [String] { list.withLock { $0 } }
  }

  private static func hex(_ secret: String, _ body: [UInt8] = body) -> String {
    HMAC<SHA256>.authenticationCode(for: body, using: SymmetricKey(data: Data(secret.utf8)))
      .map { String(format: "%02x", $0) }.joined()
  }

  struct Row: Sendable, CustomTestStringConvertible {
    var what: String
    var headers: HTTPHeaders
    var status = 202
    var testDescription: String { what }
  }

  static let rows: [Row] = [
    Row(what: "GitHub", headers: ["X-Hub-Signature-256": "sha256=\(hex(secret))"]),
    Row(what: "Forgejo", headers: ["X-Forgejo-Signature": hex(secret)]),
    Row(what: "Gitea", headers: ["X-Gitea-Signature": hex(secret)]),
    Row(what: "Gogs, in capitals", headers: ["X-Gogs-Signature": hex(secret).uppercased()]),
    Row(what: "GitLab", headers: ["X-Gitlab-Token": secret]),
    Row(what: "the other of two secrets", headers: ["X-Gitlab-Token": "a-new-and-longer-secret"]),
    Row(what: "nothing", headers: [:], status: 401),
    Row(what: "an old digest", headers: ["X-Hub-Signature": "sha1=00"], status: 401),
    Row(what: "another secret", headers: ["X-Gitea-Signature": hex("x")], status: 401),
    Row(
      what: "another body", headers: ["X-Gitea-Signature": hex(secret, body + [10])], status: 401),
    Row(what: "no digits", headers: ["X-Gitea-Signature": "zz"], status: 401),
    Row(
      what: "signs", headers: ["X-Gitea-Signature": String(repeating: "+1", count: 32)],
      status: 401),
    Row(what: "part of the token", headers: ["X-Gitlab-Token": "an-old"], status: 401),
    Row(what: "an empty token", headers: ["X-Gitlab-Token": ""], status: 401),
  ]

  @Test(arguments: rows) func whoProvesItWakesTheAgent(_ row: Row) async throws {
    let hook = try Hook(secrets: "\(Self.secret)\r\n\na-new-and-longer-secret\n")
    let answer = try await hook.post(row.headers)
    #expect(answer.status == row.status)
    #expect(hook.counter.value == (row.status == 202 ? 1 : 0))
    #expect(answer.headers["Connection"] == "close")
  }

  @Test func otherPlacesAndMethods() async throws {
    let hook = try Hook(secrets: Self.secret)
    let headers: HTTPHeaders = ["X-Gitlab-Token": Self.secret]
    #expect(try await hook.post(headers, path: "/").status == 404)
    #expect(try await hook.post(headers, path: "/hooks/push/").status == 404)
    #expect(try await hook.post(headers, method: "GET").status == 405)
    #expect(try await hook.post(headers, path: "/hooks/push?x=1").status == 202)
    #expect(hook.counter.value == 1)
  }

  @Test(arguments: [
    "", "short", "one-long-enough-secret\ntwo-long-enough-secret\nthree-of-them-is-more",
  ])
  func anUnusableSecretIsReportedAndLetsNobodyIn(_ secrets: String) async throws {
    let hook = try Hook(secrets: secrets)
    #expect(try await hook.post(["X-Gitlab-Token": "short"]).status == 503)
    #expect(hook.counter.value == 0)
    #expect(hook.words.all.count == 1)
    #expect(hook.words.all.allSatisfy { $0.contains("push.secretFile") && !$0.contains("short-") })
  }

  /// More than a buffer and more than a socket holds; one byte over the limit is refused before it is sent.
  @Test func bodiesAreHashedAsTheyComeAndBounded() async throws {
    let hook = try Hook(secrets: Self.secret)
    let large = [UInt8](repeating: 7, count: 3 << 20)
    #expect(
      try await hook.post(["X-Gitea-Signature": Self.hex(Self.secret, large)], body: large).status
        == 202)
    let head =
      "POST /hooks/push HTTP/1.1\r\nX-Gitlab-Token: \(Self.secret)\r\nContent-Length: \(PushHook.bodyLimit + 1)\r\n\r\n"
    #expect(try RawClient(hook.listener).ask(head).hasPrefix("HTTP/1.1 413 "))
    #expect(hook.counter.value == 1)
  }

  @Test func manyAreTooMany() async throws {
    let hook = try Hook(secrets: Self.secret)
    var answers: [Int] = []
    for _ in 0..<PushHook.burst + 5 {
      let answer = try await hook.post(["X-Gitlab-Token": Self.secret])
      answers.append(answer.status)
      if answer.status == 429 { #expect(answer.headers["Retry-After"] == "2") }
    }
    #expect(answers.prefix(PushHook.burst).allSatisfy { $0 == 202 })
    #expect(answers.contains(429))
    #expect(hook.counter.value == answers.count { $0 == 202 })

    // Whoever guesses is asked to wait before anything is hashed; what is proven passes again afterwards.
    let guessed = try Hook(secrets: Self.secret)
    var last = 0
    for _ in 0..<200 where last != 429 {
      last = try await guessed.post(["X-Gitlab-Token": "guess"]).status
    }
    #expect(last == 429)
    #expect(guessed.counter.value == 0)
  }
}

/// A client that says what it is told to.
struct RawClient {
  let number: Int32

  init(_ listener: WebListener) throws {
    number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = try #require(listener.port).bigEndian
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    try #require(result == 0)
  }

  func say(_ text: String) throws {
    let bytes = Array(text.utf8)
    try #require(send(number, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
  }

  /// What is answered until the other side closes.
  func heard() -> String {
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = recv(number, &buffer, buffer.count, 0)
      if count <= 0 { break }
      all += buffer[..<count]
    }
    close(number)
    return String(decoding: all, as: UTF8.self)
  }

  func ask(_ text: String) throws -> String {
    try say(text)
    return heard()
  }
}
