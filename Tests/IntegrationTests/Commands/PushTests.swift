import Foundation
import StubServer
import Testing

/// A forge that tells of a push and is told how the commit does: the built program, a real engine, a stub of the forge.
@Suite(.serialized) struct PushTests {
  @Test func aPushActsAtOnceAndTheForgeIsTold() async throws {
    let forge = try StubServer { _ in "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n" }
    try await withHost("docker", ["blog": CommandHost.definition("access: public\n")]) { host in
      try host.write("push-secret", "a-secret-for-the-hook\n")
      try host.write("token", "abc-123\n")
      try await must("chmod 600 \(host.folder)/push-secret \(host.folder)/token")
      let socket = "\(host.folder)/push.sock"
      try host.write(
        "host.yaml",
        host.hostFile.replacing(/(?m)^interval: .*\n/, with: "") + """
          interval: 1h
          push: {listen: "unix:\(socket)", secretFile: \(host.folder)/push-secret}
          forge: {kind: forgejo, url: "\(forge.url)", tokenFile: \(host.folder)/token, repository: o/r}

          """)
      try await host.setUp()
      let agent = try await RunningAgent.start(on: host)
      do {
        try await eventually("the first revision is told of", saying: { Self.states(forge) }) {
          Self.states(forge).hasSuffix("success")
        }
        #expect(forge.requests.allSatisfy { $0.headers["authorization"] == "token abc-123" })

        // Without the hook the next look is an hour away.
        try await host.define("blog", CommandHost.definition("access: public\n", port: 81))
        let commit = try await must("git -C \(host.repository) rev-parse HEAD")
          .trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(try await Self.push(socket, secret: "another-secret-of-some") == "401")
        #expect(try await Self.push(socket, secret: "a-secret-for-the-hook") == "202")
        try await eventually("the commit acts") {
          try host.torrc("blog").contains("HiddenServicePort 81 ")
        }
        try await eventually("the forge is told", saying: { Self.states(forge) }) {
          let last = forge.requests.last
          return last?.target == "/api/v1/repos/o/r/statuses/\(commit)"
            && Self.states(forge).hasSuffix("success")
        }

        // What is wrong is shown on the commit that made it so.
        try await host.define("blog", "hosts: [web-1]\naccess: public\nports: 5\n")
        #expect(try await Self.push(socket, secret: "a-secret-for-the-hook") == "202")
        try await eventually("the forge is told of a mistake", saying: { Self.states(forge) }) {
          guard let last = forge.requests.last else { return false }
          let body = String(decoding: last.body, as: UTF8.self)
          return body.contains("failure") && body.contains("services/blog.yaml:3:8")
        }
      } catch {
        let text = try String(contentsOfFile: agent.log, encoding: .utf8)
        try await agent.stop()
        throw Unfit("\(error)\n\(text.suffix(4000))")
      }
      try await agent.stop()
      #expect(!FileManager.default.fileExists(atPath: socket))
    }
    forge.stop()
  }

  private static func states(_ forge: StubServer) -> String {
    forge.requests.map { request in
      let json = try? JSONDecoder().decode([String: String].self, from: Data(request.body))
      return json?["state"] ?? "?"
    }.joined(separator: " ")
  }

  /// As Forgejo does it.
  /// - Returns: the status.
  private static func push(_ socket: String, secret: String) async throws -> String {
    try await must(
      """
      body='{"ref": "refs/heads/main"}'
      mac=$(printf %s "$body" | openssl dgst -sha256 -hmac '\(secret)' -r | cut -d' ' -f1)
      curl -sS -o /dev/null -w '%{http_code}' --unix-socket \(socket) \
        -H "X-Forgejo-Event: push" -H "X-Forgejo-Signature: $mac" --data-raw "$body" \
        http://hook/hooks/push
      """)
  }
}
