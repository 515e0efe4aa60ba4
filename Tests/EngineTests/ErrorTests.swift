import Engine
import OnionModel
import StubServer
import Testing

@Suite struct ErrorTests {
  @Test(arguments: [
    (404, #"{"message":"No such container: x"}"#, EngineError.Code.notFound),
    (404, "Not Found", .unsupported),
    (404, #"{"message":"page not found"}"#, .unsupported),
    (409, #"{"message":"Conflict. The container name is already in use"}"#, .conflict),
    (403, #"{"message":"network x has active endpoints"}"#, .conflict),
    (500, #"{"cause":"that name is already in use","message":"m","response":500}"#, .conflict),
    (500, #"{"cause":"network already exists","message":"m","response":500}"#, .conflict),
    (500, #"{"cause":"network is being used","message":"m","response":500}"#, .conflict),
    (500, #"{"cause":"container state improper","message":"m","response":500}"#, .conflict),
    (500, #"{"cause":"no space left on device","message":"m","response":500}"#, .failed(500)),
    (500, #"{"message":"no space left on device"}"#, .failed(500)),
    (501, "", .unsupported), (502, "<html>", .failed(502)), (301, "", .failed(301)),
  ])
  func statusesHaveAMeaning(status: Int, body: String, expected: EngineError.Code) async throws {
    let engine = try await StubEngine { _ in stubAnswer(status, body) }
    let client = engine.client
    #expect(
      await EngineError.code { () async throws(EngineError) in try await client.start("x") }
        == expected)
  }

  @Test func messagesAreBoundedAndOnOneLine() async throws {
    let long = String(repeating: "line\\n", count: 1000)
    let engine = try await StubEngine { _ in stubAnswer(500, #"{"message":"\#(long)"}"#) }
    let error = await #expect(throws: EngineError.self) { try await engine.client.start("x") }
    #expect(error?.operation == "POST /containers/x/start")
    #expect(error?.message.count == 500)
    #expect(error?.message.contains("\n") == false)
  }

  @Test func whatIsDoneAlreadyIsFine() async throws {
    let engine = try await StubEngine { request in
      request.method == "DELETE" ? stubAnswer(404, #"{"message":"No such"}"#) : stubAnswer(304, "")
    }
    try await engine.client.start("x")
    try await engine.client.stop("x", timeout: 3)
    try await engine.client.remove("x", force: true)
    try await engine.client.removeImage("x:1")
    #expect(
      engine.asked.map { "\($0.method) \($0.target)" } == [
        "POST /v1.41/containers/x/start", "POST /v1.41/containers/x/stop?t=3",
        "DELETE /v1.41/containers/x?v=1&force=1", "DELETE /v1.41/images/x%3A1",
      ])
  }

  @Test func imagesAreNeverRemovedByForce() async throws {
    let engine = try await StubEngine { _ in stubAnswer(200, "[]") }
    try await engine.client.removeImage("docker.io/library/x:1")
    #expect(engine.asked.map(\.target) == ["/v1.41/images/docker.io%2Flibrary%2Fx%3A1"])
  }
}
