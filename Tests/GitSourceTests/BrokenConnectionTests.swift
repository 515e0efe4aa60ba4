import Foundation
import GitSource
import Testing

/// A connection that ends or falls silent after any byte: a plain error within the limits, and the mirror as it was.
@Suite struct BrokenConnectionTests {
  @Test(arguments: ["http", "git", "ssh"]) func anyByte(transport: String) async throws {
    let repository = try await Repository()
    let first = try await repository.commit(Repository.onions)
    let folder = repository.folder.path
    let control = folder + "/control"
    func check(_ port: String, credentials: (String) throws -> RepositorySource.Credentials)
      async throws
    {
      try await PythonServer.breaking(port, control: control) { front in
        let given = try credentials(front)
        let user = transport == "ssh" ? "root@" : ""
        let mirror = repository.mirror {
          $0.url = "\(transport)://\(user)127.0.0.1:\(front)/\(repository.name)"
          $0.allowPlainHTTP = true
          $0.credentials = given
          // sshd takes its time; what stalls is waited for so long.
          $0.limits.idle = transport == "ssh" ? .seconds(3) : .seconds(1)
        }
        try await mirror.fetch()
        let next = try await repository.commit(Repository.onions, "next")
        for fault in ["cut", "stall"] {
          // From the first byte past the end of all that is said, closer where the answers begin.
          let steps = [0, 1, 2, 5, 20, 60, 120, 240, 330, 400, 480, 560, 700, 1000, 1400, 2000]
          for count in fault == "cut" ? steps : [0, 20, 480] {
            try Data("\(fault) \(count)".utf8).write(to: URL(filePath: control))
            do throws(GitError) {
              try await mirror.fetch()
              let isThere = await mirror.contains(next)
              #expect(isThere, "\(fault) \(count)")
            } catch {
              // What sounds like a refusal is one: a server may close where it does not let in.
              let codes: [GitError.Code] =
                fault == "stall" ? [.timeout] : [.unreachable, .authentication]
              #expect(codes.contains(error.code), "\(fault) \(count): \(error)")
              #expect(!error.message.isEmpty)
            }
            let isKept = await mirror.contains(first)
            #expect(isKept, "\(fault) \(count)")
          }
        }
        try FileManager.default.removeItem(atPath: control)
        let tip = try await mirror.fetch().commit
        #expect(tip == next)
      }
    }
    switch transport {
    case "http":
      try await Tool.serving("git-server", in: folder + "/http", ["--root", folder]) { url in
        let port = try #require(url.split(separator: ":").last?.split(separator: "/").first)
        try await check(String(port)) { _ in .none }
      }
    case "git": try await GitDaemon.serving(folder) { try await check($0) { _ in .none } }
    default:
      let server = folder + "/ssh"
      try await Tool.serving("sshd", in: server, ["--root", folder]) { url in
        let port = String(try #require(url.split(separator: ":").last))
        let pins = try String(contentsOfFile: server + "/known_hosts", encoding: .utf8)
        try await check(port) { front in
          let hosts = try repository.folder.write(
            "hosts", pins.replacing(":\(port)", with: ":\(front)"))
          return .sshKey(file: server + "/client_key", knownHosts: hosts)
        }
      }
    }
  }
}
