import Engine
import Foundation
import OnionModel
import StubServer
import Synchronization
import Testing

@Suite struct WorkTests {
  @Test(arguments: [
    (EngineIdentity.Kind.docker, "returned a non-zero code: 3"), (.podman, "exit status 3"),
  ])
  func failedBuildsSayWhy(kind: EngineIdentity.Kind, words: String) async throws {
    let text = try Fixture.text("\(kind.rawValue)-build-failed.ndjson")
    let engine = try await StubEngine(kind) { _ in stubAnswer(200, text) }
    let error = await #expect(throws: EngineError.self) {
      try await engine.client.build(context: [1, 2, 3], tag: "x:1", labels: ["a": "b"])
    }
    #expect(error?.code == .workFailed)
    #expect(error?.message.contains(words) == true)
    #expect(error?.message.contains("oh") == true)
    let asked = try #require(engine.asked.first)
    #expect(
      asked.target == "/v1.41/build?t=x%3A1&networkmode=none&rm=1&forcerm=1&pull=0"
        + "&labels=%7B%22a%22%3A%22b%22%7D")
    #expect(asked.body == [1, 2, 3])
  }

  @Test(arguments: [
    (#"{"stream":"ok\n"}"#, EngineError.Code.workFailed), (#"{"errorDetail":{}}"#, .workFailed),
    (#"{"error":"x"}"#, .workFailed), ("", .workFailed), ("nonsense", .malformed),
    ("[]", .malformed),
    (String(repeating: "x", count: 300 << 10), .malformed),
  ])
  func buildsWithoutAnImage(text: String, expected: EngineError.Code) async throws {
    let engine = try await StubEngine { request in
      request.method == "POST"
        ? stubAnswer(200, text) : stubAnswer(404, #"{"message":"No such image"}"#)
    }
    let client = engine.client
    let code = await EngineError.code { () async throws(EngineError) in
      try await client.build(context: [], tag: "x:1")
    }
    #expect(code == expected)
  }

  @Test func outputIsFollowed() async throws {
    let image = try Fixture.text("docker-image.json")
    let engine = try await StubEngine { request in
      request.method == "POST"
        ? stubAnswer(200, (0..<50).map { #"{"stream":"line \#($0)\n"}"# + "\r\n" }.joined())
        : stubAnswer(200, image)
    }
    let seen = Lines()
    let result = try await engine.client.build(context: [], tag: "x:1") { seen.append($0) }
    #expect(result.imageID.hasPrefix("sha256:45f78dd9"))
    #expect(result.output == (30..<50).map { "line \($0)" })
    #expect(seen.all == (0..<50).map { "line \($0)" })
  }

  private final class Lines: Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    func append(_ line: String) { lines.withLock { $0.append(line) } }
  }

  @Test(arguments: [
    #"{"status":"sha256:ID"}"#,
    #"{"status":"sha256:ID","progress":"","progressDetail":{},"id":"sha256:ID"}"#,
    #"{"status":"Importing"}"# + "\n" + #"{"status":"done","id":"ID"}"#,
  ])
  func importsAreTaggedAfter(answer: String) async throws {
    let id = String(repeating: "0a", count: 32)
    let engine = try await StubEngine { request in
      request.target.contains("create")
        ? stubAnswer(200, answer.replacing("ID", with: id))
        : stubAnswer(201, "")
    }
    let folder = try TemporaryPath()
    defer { folder.remove() }
    try Data([1, 2, 3]).write(to: URL(fileURLWithPath: folder.appending("a.tar")))
    let made = try await engine.client.importImage(
      tar: folder.appending("a.tar"), as: "base:bookworm")
    #expect(made == "sha256:\(id)")
    #expect(
      engine.asked.map(\.target) == [
        "/v1.41/images/create?fromSrc=-", "/v1.41/images/sha256%3A\(id)/tag?repo=base&tag=bookworm",
      ])
    #expect(engine.asked.first?.body == [1, 2, 3])
  }

  @Test func importsThatFail() async throws {
    let engine = try await StubEngine { _ in stubAnswer(200, #"{"status":"odd"}"#) }
    let client = engine.client
    let folder = try TemporaryPath()
    defer { folder.remove() }
    let none = folder.appending("none.tar")
    #expect(
      await EngineError.code { () async throws(EngineError) in
        try await client.importImage(tar: none, as: "a:b")
      } == .invalid)
    let path = folder.appending("a.tar")
    try Data([1]).write(to: URL(fileURLWithPath: path))
    #expect(
      await EngineError.code { () async throws(EngineError) in
        try await client.importImage(tar: path, as: "a:b")
      } == .malformed)
  }

  @Test(arguments: [
    ("docker.io/library/alpine:3.22", "fromImage=docker.io%2Flibrary%2Falpine&tag=3.22"),
    ("alpine", "fromImage=alpine&tag=latest"),
    ("host:5000/x", "fromImage=host%3A5000%2Fx&tag=latest"),
    ("x@sha256:ab", "fromImage=x&tag=sha256%3Aab"),
  ])
  func pullsAlwaysNameATag(reference: String, query: String) async throws {
    let engine = try await StubEngine { _ in stubAnswer(200, #"{"status":"Status: up to date"}"#) }
    try await engine.client.pull(reference)
    #expect(engine.asked.map(\.target) == ["/v1.41/images/create?\(query)"])
  }

  @Test(arguments: [
    ("docker.io/library/x:1", "x:1"), ("localhost/x:1", "x:1"), ("docker.io/a/x:1", "a/x:1"),
    ("x:1", "x:1"),
    ("quay.example/x:1", "quay.example/x:1"),
  ])
  func namesAreFamiliar(long: String, short: String) { #expect(ImageName.familiar(long) == short) }

  @Test(arguments: kinds) func recordedImagesAreRead(kind: EngineIdentity.Kind) async throws {
    let text = try Fixture.text("\(kind.rawValue)-image.json")
    let engine = try await StubEngine(kind) { _ in stubAnswer(200, text) }
    let image = try #require(try await engine.client.image("ok-base:1"))
    #expect(image.tags == ["ok-base:1"])
    #expect(image.labels == [:])
    #expect(image.volumes == [])
    let declared = text.replacing(#""Volumes":null"#, with: #""Volumes":{"/data":{},"/b":{}}"#)
    let other = try await StubEngine(kind) { _ in stubAnswer(200, declared) }
    #expect(try await other.client.image("ok-base:1")?.volumes == ["/b", "/data"])
  }
}
