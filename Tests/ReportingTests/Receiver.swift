import Dispatch
import Foundation
import Glibc
import Spawning
import Testing

/// `ops/lib/webhook-receiver`: a real HTTP server in its own process that verifies signatures.
struct Receiver: Sendable {
  let folder: String
  let url: String

  struct Request: Decodable {
    var at: Double
    var path: String
    var id: String
  }

  struct Received: Decodable {
    var id: String
    var subject: String
    var type: String
    var sequence: Int
  }

  static func start(in folder: String, secretFile: String, port: Int = 0) async throws -> Receiver {
    let answer = try await run("start", folder, "--secret-file", secretFile, "--port", "\(port)")
    let url = answer.split(separator: "\n").first { $0.hasPrefix("URL=") }?.dropFirst(4)
    return Receiver(folder: folder, url: String(try #require(url)))
  }

  func stop() async throws { _ = try await Self.run("stop", folder) }

  var port: Int { Int(url.split(separator: ":").last ?? "") ?? 0 }

  /// `nil` mends it.
  func fault(_ text: String?) throws {
    let path = folder + "/fault"
    if let text {
      try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    } else if FileManager.default.fileExists(atPath: path) {
      try FileManager.default.removeItem(atPath: path)
    }
  }

  func events() throws -> [Received] { try lines("events.jsonl") }

  func requests() throws -> [Request] { try lines("requests.jsonl") }

  func rejected() throws -> String {
    String(
      decoding: FileManager.default.contents(atPath: folder + "/rejected.jsonl") ?? Data(),
      as: UTF8.self)
  }

  private func lines<Value: Decodable>(_ name: String) throws -> [Value] {
    guard let data = FileManager.default.contents(atPath: "\(folder)/\(name)") else { return [] }
    // The last line may be half written.
    let whole = data.prefix(upTo: (data.lastIndex(of: 10) ?? -1) + 1)
    return try whole.split(separator: 10).map { try JSONDecoder().decode(Value.self, from: $0) }
  }

  private static func run(_ words: String...) async throws -> String {
    let tool = try tool()
    return try await withCheckedThrowingContinuation { continuation in
      DispatchQueue.global().async {
        continuation.resume(
          with: Result {
            let (code, output) = try withUnblockedSignals { try spawn([tool] + words) }
            guard code == 0 else {
              throw ToolFailure(text: "webhook-receiver \(words) ended with \(code)")
            }
            return String(decoding: output, as: UTF8.self)
          })
      }
    }
  }

  /// The package may be built through links: the real path of this file leads to the repository.
  private static func tool() throws -> String {
    guard let real = realpath(#filePath, nil) else { throw ToolFailure(text: "no \(#filePath)") }
    defer { free(real) }
    let root = String(cString: real).components(separatedBy: "/Tests/ReportingTests/").first ?? ""
    return root + "/ops/lib/webhook-receiver"
  }

  struct ToolFailure: Error { var text: String }
}

/// A thread of Dispatch blocks all signals, and a child inherits that: it would not hear SIGTERM.
private func withUnblockedSignals<Value>(_ body: () throws -> Value) rethrows -> Value {
  var none = sigset_t()
  var before = sigset_t()
  sigemptyset(&none)
  pthread_sigmask(SIG_SETMASK, &none, &before)
  defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
  return try body()
}
