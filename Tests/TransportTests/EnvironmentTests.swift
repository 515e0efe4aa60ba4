import Glibc
import StubServer
import Testing
import Transport

func makeClient() throws -> HTTPClient { try HTTPClient() }

@Suite struct EnvironmentTests {
  /// An environment that names a dead proxy for everything, and none for loopback: whoever listens to it fails.
  /// In a process of its own, since others read the environment of this one meanwhile.
  @Test func theEnvironmentsProxiesAreIgnored() async {
    await #expect(processExitsWith: .success) {
      for name in ["http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        setenv(name, "http://127.0.0.1:9", 1)
      }
      setenv("no_proxy", "hidden.example", 1)
      let server = try StubServer { _ in stubAnswer(200, "direct") }
      let response = try await HTTPClient().send(HTTPRequest("GET", server.url))
      try #require(response.status == 200)
      try #require(server.connectionCount == 1)
    }
  }
}
