import Glibc
import Transport

/// Every test here runs under an environment that names a dead proxy for everything, and none for loopback: whoever
/// listens to it fails.
private let environment: Void = {
  for name in ["http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
    setenv(name, "http://127.0.0.1:9", 1)
  }
  setenv("no_proxy", "hidden.example", 1)
}()

func makeClient() throws -> HTTPClient {
  _ = environment
  return try HTTPClient()
}
