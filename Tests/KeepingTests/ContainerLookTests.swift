import Descriptors
import Engine
import Foundation
import OnionModel
import StubServer
import Synchronization
import Testing
import Transport

@testable import Keeping

/// One container's trouble is its own: `unknown` is not `absent`, and hides no other.
struct ContainerLookTests {
  static let ids = ["a", "b", "c"].map { String(repeating: $0, count: 64) }

  /// An engine with three containers of ours, which says of the second what a test wants.
  private struct Stub {
    let folder: TemporaryPath
    let server: StubServer
    let client: EngineClient
    let second: Second

    final class Second: Sendable {
      let answer = Mutex("")
      func say(_ text: String) { answer.withLock { $0 = text } }
    }

    init() async throws {
      let folder = try TemporaryPath()
      let second = Second()
      let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "EngineTests/Fixtures")
      func text(_ name: String) throws -> String {
        try String(contentsOf: fixtures.appending(path: name), encoding: .utf8)
      }
      let version = try text("docker-version.json")
      let info = try text("docker-info.json")
      let inspect = try text("docker-inspect.json")
      let list = ContainerLookTests.ids.map { id in
        #"{"Id":"\#(id)","Names":["/ok-\#(id.prefix(1))"],"Image":"i","ImageID":"sha256:1","State":"exited","Created":1,"#
          + #""Labels":{"onionkeeper.agent":"0123456789abcdef0123456789abcdef"}}"#
      }
      server = try StubServer(.unix(folder.appending("s"))) { connection in
        while let request = try connection.readRequest() {
          let parts = request.target.split(separator: "/")
          switch parts.last.map(String.init) ?? "" {
          case "_ping":
            try connection.send(stubAnswer(200, "OK", headers: ["Api-Version": "1.41"]))
          case "version": try connection.send(stubAnswer(200, version))
          case "info": try connection.send(stubAnswer(200, info))
          case let last where last.hasPrefix("json?"):
            try connection.send(stubAnswer(200, "[\(list.joined(separator: ","))]"))
          default:
            let id = String(parts.dropLast().last ?? "")
            let own = second.answer.withLock { $0 }
            if id.hasPrefix("b"), !own.isEmpty {
              try connection.send(own)
            } else {
              try connection.send(
                stubAnswer(
                  200,
                  inspect.replacingOccurrences(
                    of: "bd3a22be23a27e155f5a35b051d1d2d863cfe6731adbdd01a4378539b7e5831b", with: id
                  )
                ))
            }
          }
        }
      }
      client = try await EngineClient.connect(
        socket: folder.appending("s"), http: try HTTPClient())
      self.folder = folder
      self.second = second
    }

    func look(_ look: ContainerLook) async throws -> [ContainerObservation] {
      try await look.look(client, agent: try House.agent(), names: []).containers
    }
  }

  @Test(arguments: [
    stubAnswer(200, "{}"), stubAnswer(500, #"{"message":"layer is corrupt"}"#),
    stubAnswer(200, "<html>"),
  ])
  func oneThatCannotBeInspectedIsUnknown(answer: String) async throws {
    let stub = try await Stub()
    defer { stub.server.stop() }
    let look = ContainerLook(executor: QueueExecutor(label: "test"))
    #expect(try await stub.look(look).allSatisfy { $0.facts.value != nil })
    // Known before or not: what it is now is not known.
    await look.distrust(Self.ids[1])
    stub.second.say(answer)
    let seen = try await stub.look(look)
    #expect(seen.count == 3)
    #expect(seen[1].facts.unknownReason?.contains("/containers/") == true)
    #expect(seen[0].facts.value != nil && seen[2].facts.value != nil)
    // It is asked again each time until it answers.
    stub.second.say("")
    #expect(try await stub.look(look).allSatisfy { $0.facts.value != nil })
  }

  @Test func oneThatIsGoneMeanwhileIsGone() async throws {
    let stub = try await Stub()
    defer { stub.server.stop() }
    let look = ContainerLook(executor: QueueExecutor(label: "test"))
    stub.second.say(stubAnswer(404, #"{"message":"No such container"}"#))
    #expect(try await stub.look(look).map(\.id) == [Self.ids[0], Self.ids[2]])
  }
}
