import Foundation
import StubServer
import Testing
import Transport

@Suite struct RouteTests {
  /// A SOCKS5 proxy that asks for a user (RFC 1929) and answers the request itself; the answer says what was asked of it.
  private func socksServer() throws -> StubServer {
    try StubServer { connection in
      let methods = try connection.read(2)
      _ = try connection.read(Int(methods[1]))
      try connection.send([5, 2])
      let user = try connection.read(Int(connection.read(2)[1]))
      _ = try connection.read(Int(connection.read(1)[0]))
      try connection.send([1, 0])
      let head = try connection.read(4)
      let name =
        head[3] == 3 ? try connection.read(Int(connection.read(1)[0])) : Array("address".utf8)
      let port = try connection.read(2)
      try connection.send([5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
      _ = try connection.readRequest()
      let text =
        "\(String(decoding: user, as: UTF8.self)) \(String(decoding: name, as: UTF8.self)) "
        + "\(Int(port[0]) << 8 | Int(port[1]))"
      try connection.send(stubAnswer(200, text))
    }
  }

  @Test func socksResolvesTheNameAndIsolatesByUser() async throws {
    let proxy = try socksServer()
    // `no_proxy` of the environment names this host: it must not matter, or the name would leak.
    let request = HTTPRequest(
      "GET", "http://hidden.example:8080/", route: .socks("127.0.0.1:\(proxy.port)", user: "repo-1")
    )
    let response = try await makeClient().send(request)
    #expect(String(decoding: response.body, as: UTF8.self) == "repo-1 hidden.example 8080")
  }

  @Test func deadProxiesAreNotPassedBy() async throws {
    let server = try StubServer { _ in stubAnswer(200, "direct") }
    let request = HTTPRequest("GET", server.url, route: .socks("127.0.0.1:9"))
    let error = await #expect(throws: TransportError.self) { try await makeClient().send(request) }
    #expect(error?.code == .connect)
    #expect(server.connectionCount == 0)
  }

  @Test func onlyTrustedCertificates() async throws {
    let server = try TLSServer()
    let client = try makeClient()
    let url = "https://localhost:\(server.port)/"
    let untrusted = await #expect(throws: TransportError.self) {
      try await client.send(HTTPRequest("GET", url))
    }
    #expect(untrusted?.code == .tls)
    let trusted = HTTPRequest("GET", url, authorities: server.certificate)
    #expect(try await client.send(trusted).status == 200)
    let byAddress = HTTPRequest(
      "GET", "https://127.0.0.1:\(server.port)/", authorities: server.certificate)
    let wrongName = await #expect(throws: TransportError.self) { try await client.send(byAddress) }
    #expect(wrongName?.code == .tls)
    let missing = HTTPRequest("GET", url, authorities: "/tmp/ok-no-such-file.pem")
    let unreadable = await #expect(throws: TransportError.self) { try await client.send(missing) }
    #expect(unreadable?.code == .tls)
  }
}
