import Foundation
import GitSource
import Subprocess
import Testing

/// A folder of one test, removed with the last reference to it.
final class Folder: Sendable {
  let path: String

  init() throws {
    // Short: the tools of ops/lib put Unix sockets below it.
    var template = Array("/tmp/okg-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    do { try FileManager.default.removeItem(atPath: path) } catch {
      Issue.record("\(path) cannot be removed: \(error)")
    }
  }

  @discardableResult
  func write(_ name: String, _ text: String, mode: Int = 0o600) throws -> String {
    let file = path + "/" + name
    try Data(text.utf8).write(to: URL(filePath: file))
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
    return file
  }
}

struct CommandFailed: Error, CustomStringConvertible {
  let description: String
}

/// Runs a program; its output without the last line break.
@discardableResult
func run(
  _ program: String, _ arguments: [String], in folder: String = "/", input: [UInt8] = [],
  environment: [Environment.Key: String] = [:]
) async throws -> String {
  var all: [Environment.Key: String] = [
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent", "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "C",
    "GIT_COMMITTER_EMAIL": "c@example.org",
  ]
  all.merge(environment) { $1 }
  let result = try await Subprocess.run(
    .name("env"), arguments: Arguments(["--chdir", folder, program] + arguments),
    environment: .custom(all), input: .array(input), output: .string(limit: 16 << 20),
    error: .string(limit: 1 << 20))
  guard result.terminationStatus.isSuccess else {
    throw CommandFailed(
      description: "\(program) \(arguments): \(result.terminationStatus) \(result.standardError)")
  }
  return result.standardOutput.trimmingCharacters(in: .newlines)
}

/// A bare repository, written with git's own plumbing.
struct Repository {
  let folder: Folder
  let name: String

  var path: String { folder.path + "/" + name }

  init(named name: String = "onions.git") async throws {
    folder = try Folder()
    self.name = name
    try await run("git", ["init", "--quiet", "--bare", "--initial-branch=main", path])
  }

  @discardableResult
  func git(
    _ arguments: String..., input: [UInt8] = [], environment: [Environment.Key: String] = [:]
  ) async throws -> String {
    try await run("git", arguments, in: path, input: input, environment: environment)
  }

  func blob(_ text: String) async throws -> String {
    try await git("hash-object", "-w", "--stdin", input: Array(text.utf8))
  }

  /// A tree of `mode kind id<TAB>name` lines.
  func tree(_ lines: [String]) async throws -> String {
    try await git("mktree", "--missing", input: Array(lines.map { $0 + "\n" }.joined().utf8))
  }

  /// A tree from paths and texts; folders are made as needed.
  func tree(of files: [String: String]) async throws -> String {
    var lines: [String] = []
    var folders: [String: [String: String]] = [:]
    for (path, text) in files {
      if let slash = path.firstIndex(of: "/") {
        folders[String(path[..<slash]), default: [:]][String(path[path.index(after: slash)...])] =
          text
      } else {
        lines.append("100644 blob \(try await blob(text))\t\(path)")
      }
    }
    for (name, files) in folders {
      lines.append("040000 tree \(try await tree(of: files))\t\(name)")
    }
    return try await tree(lines)
  }

  /// Commits a tree on top of the branch (or of `parents`) and moves the branch.
  @discardableResult
  func commit(
    tree: String, _ message: String = "change", branch: String = "main",
    parents: [String]? = nil, options: [String] = [], date: String? = nil,
    configuration: [String] = []
  ) async throws -> String {
    let reference = "refs/heads/" + branch
    let onTop: [String]
    if let parents {
      onTop = parents
    } else {
      let tip = try await git("for-each-ref", "--format=%(objectname)", reference)
      onTop = tip.isEmpty ? [] : [tip]
    }
    let arguments =
      configuration.flatMap { ["-c", $0] } + ["commit-tree", tree, "-m", message]
      + onTop.flatMap { ["-p", $0] } + options
    let dates: [Environment.Key: String] =
      date.map { ["GIT_COMMITTER_DATE": $0, "GIT_AUTHOR_DATE": $0] } ?? [:]
    let id = try await run("git", arguments, in: path, environment: dates)
    try await git("update-ref", reference, id)
    return id
  }

  @discardableResult
  func commit(_ files: [String: String], _ message: String = "change") async throws -> String {
    try await commit(tree: try await tree(of: files), message)
  }

  static let onions = ["onionkeeper.yaml": "version: 1\n", "services/blog.yaml": "hosts: [a]\n"]

  func mirror(_ change: (inout RepositorySource) -> Void = { _ in }) -> GitMirror {
    var source = RepositorySource(url: "file://" + path, branch: "main")
    change(&source)
    return GitMirror(at: folder.path + "/mirror", source: source)
  }
}

/// Expects an error of this code, and returns it for its message.
@discardableResult
func expectError<T: Sendable>(
  _ code: GitError.Code, sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () async throws -> T
) async -> GitError {
  do {
    let value = try await body()
    Issue.record("expected \(code), got \(value)", sourceLocation: sourceLocation)
  } catch let error as GitError {
    if error.code != code {
      Issue.record("expected \(code), got \(error.code): \(error)", sourceLocation: sourceLocation)
    }
    return error
  } catch {
    Issue.record("expected \(code), got \(error)", sourceLocation: sourceLocation)
  }
  return GitError(code, "test", "no error")
}

/// The tools in ops/lib, found from this file.
enum Tool {
  static func path(_ name: String) throws -> String {
    var tests = URL(filePath: #filePath).resolvingSymlinksInPath()
    for _ in 0..<3 { tests.deleteLastPathComponent() }
    let tool = tests.path + "/ops/lib/" + name
    guard FileManager.default.isExecutableFile(atPath: tool) else {
      throw CommandFailed(description: "\(tool) is missing; the repository is incomplete")
    }
    return tool
  }

  /// Starts a server of ops/lib, runs `body` with its URL, and stops it.
  static func serving(
    _ name: String, in folder: String, _ arguments: [String], _ body: (String) async throws -> Void
  ) async throws {
    let tool = try path(name)
    let said = try await run(tool, ["start", folder] + arguments)
    let url = try #require(
      said.split(separator: "\n").first { $0.hasPrefix("URL=") }, "\(name) said \(said)")
    let result: Result<Void, any Error>
    do { result = .success(try await body(String(url.dropFirst(4)))) } catch {
      result = .failure(error)
    }
    try await run(tool, ["stop", folder])
    try result.get()
  }
}

/// A listening socket that nobody accepts from: it connects, and never says a word.
final class SilentServer: Sendable {
  let port: Int
  private let socket: Int32

  init() throws {
    socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = socket
    let result = withUnsafeMutableBytes(of: &address) { raw -> Int32 in
      guard let base = raw.baseAddress?.assumingMemoryBound(to: sockaddr.self) else { return -1 }
      guard bind(descriptor, base, size) == 0, listen(descriptor, 16) == 0 else { return -1 }
      return getsockname(descriptor, base, &size)
    }
    try #require(result == 0)
    port = Int(UInt16(bigEndian: address.sin_port))
  }

  /// Whether a client has connected.
  var hasClient: Bool {
    var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, 0) == 1
  }

  deinit { close(socket) }
}

/// Asks until the answer is yes; fails after 30 s.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(30)
  while try await !condition() {
    guard ContinuousClock.now < deadline else {
      Issue.record("never: \(what)")
      return
    }
    try await Task.sleep(for: .milliseconds(10))
  }
}
