import Foundation
import GitSource
import Testing

/// Certificates of an authority of one's own: what verifies, and what does not and why it is refused.
@Suite struct CertificateTests {
  /// Makes `authority.pem` and, signed by it or by nobody, `NAME.pem` and `NAME.key`.
  private struct Workshop {
    let folder: String

    func openssl(_ arguments: String...) async throws { try await run("openssl", arguments) }

    func authority(_ name: String) async throws {
      try await openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
        "2", "-subj", "/CN=\(name)", "-addext", "basicConstraints=critical,CA:TRUE", "-keyout",
        "\(folder)/\(name).key", "-out", "\(folder)/\(name).pem")
    }

    /// - Parameter days: validity; `openssl x509` takes a past date only by its `-not_after`, which is newer than
    ///   what is everywhere, so a negative number of days does.
    func leaf(
      _ name: String, for names: String, by authority: String, isAuthority: Bool = false,
      days: Int = 2
    ) async throws {
      try await openssl(
        "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
        "/CN=\(name)", "-keyout", "\(folder)/\(name).key", "-out", "\(folder)/\(name).csr")
      let extensions =
        isAuthority ? "basicConstraints=critical,CA:TRUE\n" : "subjectAltName=\(names)\n"
      try Data(extensions.utf8).write(to: URL(filePath: "\(folder)/\(name).ext"))
      try await openssl(
        "x509", "-req", "-in", "\(folder)/\(name).csr", "-CA", "\(folder)/\(authority).pem",
        "-CAkey", "\(folder)/\(authority).key", "-CAcreateserial", "-days", "\(days)", "-extfile",
        "\(folder)/\(name).ext", "-out", "\(folder)/\(name).pem")
    }
  }

  @Test func certificates() async throws {
    let repository = try await Repository()
    try await repository.commit(Repository.onions)
    let folder = repository.folder.path
    let workshop = Workshop(folder: folder)
    for name in ["authority", "stranger"] { try await workshop.authority(name) }
    try await workshop.leaf("right", for: "DNS:localhost", by: "authority")
    try await workshop.leaf("wrong-name", for: "DNS:other.example", by: "authority")
    try await workshop.leaf("expired", for: "DNS:localhost", by: "authority", days: -1)
    try await workshop.leaf("foreign", for: "DNS:localhost", by: "stranger")
    try await workshop.leaf("middle", for: "", by: "authority", isAuthority: true)
    try await workshop.leaf("whole-chain", for: "DNS:localhost", by: "middle")
    try await workshop.leaf("broken-chain", for: "DNS:localhost", by: "middle")
    // The right key holder, not an authority: it may not sign others.
    try await workshop.leaf("by-a-leaf", for: "DNS:localhost", by: "right")
    for (name, chain) in [("whole-chain", "middle"), ("by-a-leaf", "right")] {
      let leaf = try String(contentsOfFile: "\(folder)/\(name).pem", encoding: .utf8)
      let above = try String(contentsOfFile: "\(folder)/\(chain).pem", encoding: .utf8)
      try Data((leaf + above).utf8).write(to: URL(filePath: "\(folder)/\(name).pem"))
    }
    try await Tool.serving("git-server", in: folder + "/http", ["--root", folder]) { url in
      let port = try #require(url.split(separator: ":").last?.split(separator: "/").first)
      for name in [
        "right", "whole-chain", "wrong-name", "expired", "foreign", "broken-chain", "by-a-leaf",
      ] {
        try await PythonServer.tls(certificate: "\(folder)/\(name)", to: String(port)) { front in
          func mirror(_ authorities: String?) -> GitMirror {
            repository.mirror {
              $0.url = "https://localhost:\(front)/\(repository.name)"
              $0.caFile = authorities
            }
          }
          let pinned = mirror("\(folder)/authority.pem")
          if ["right", "whole-chain"].contains(name) {
            let tip = try await pinned.fetch()
            #expect(await pinned.contains(tip.commit))
          } else {
            let error = await expectError(.certificate) { try await pinned.look() }
            #expect(error.message.contains("does not verify"), "\(name): \(error)")
          }
          // The system's authorities know none of them.
          await expectError(.certificate) { try await mirror(nil).look() }
        }
      }
    }
  }
}
