import Engine
import Foundation
import Keeping
import Subprocess
import Transport

/// `swift run -c release Benchmarks [docker|podman] [COUNT …]`, or `Benchmarks definitions|keys|git`: what is timed,
/// against the limit, in one run.
///
/// So far: a pass with nothing to do, repository and engine included, beside the bare list call of the same engine; and,
/// without an engine, how long definitions take to read and key directories to check, and looking at and fetching from
/// a repository beside git.
@main
struct Benchmarks {
  static func main() async throws {
    var arguments = Array(CommandLine.arguments.dropFirst())
    if arguments.first == "definitions" {
      try DefinitionsBenchmark().run()
      return
    }
    if arguments.first == "keys" {
      try await KeysBenchmark().run()
      return
    }
    if arguments.first == "git" {
      try await GitBenchmark(folder: "/tmp/okb-\(getpid())").run()
      return
    }
    let kind = arguments.first.flatMap { ["docker", "podman"].contains($0) ? $0 : nil } ?? "docker"
    if arguments.first == kind { arguments.removeFirst() }
    let counts = arguments.isEmpty ? [1, 10, 50] : arguments.compactMap { Int($0) }
    let bench = try await Workbench(kind: kind)
    do {
      try await PassBenchmark(bench: bench, counts: counts).run()
    } catch {
      try await bench.close()
      throw error
    }
    try await bench.close()
  }
}

/// A private engine, a repository and a host of their own, gone at the end.
struct Workbench {
  let folder: String
  let kind: String
  let socket: String
  let tools: String

  init(kind: String) async throws {
    self.kind = kind
    folder = "/tmp/okb-\(getpid())"
    tools = Self.tools
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    let output = try await Self.shell("\(tools)/engine start \(kind) \(folder)/e")
    guard let line = output.split(separator: "\n").first(where: { $0.hasPrefix("SOCKET=") }) else {
      throw KeepingError("no engine: \(output)")
    }
    socket = String(line.dropFirst("SOCKET=".count))
  }

  /// The folder of the servers and engines of tests.
  static let tools = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("ops/lib").path

  func close() async throws {
    _ = try await Self.shell("\(tools)/engine stop \(folder)/e")
    try FileManager.default.removeItem(atPath: folder)
  }

  /// A repository with `count` definitions, a host file, folders that are set up, the base image's tar in place.
  func host(count: Int) async throws -> HostConfiguration {
    let home = "\(folder)/\(count)"
    let repository = "\(home)/repository"
    try FileManager.default.createDirectory(
      atPath: "\(repository)/services", withIntermediateDirectories: true)
    try write("\(repository)/onionkeeper.yaml", "version: 1\n")
    for index in 0..<count {
      try write(
        "\(repository)/services/s\(index).yaml",
        "hosts: [bench]\nkey: generate\nports:\n  - {virtual: 80, target: \"host:8080\"}\n")
    }
    _ = try await Self.shell(
      "cd \(repository) && git init -qb main && git add -A && git -c user.name=b -c user.email=b@b commit -qm one"
    )
    try write(
      "\(home)/host.yaml",
      """
      host: bench
      repository: {url: \(repository), trust: {transport: true}}
      engine: {socket: \(socket)}
      directories: {keys: \(home)/keys, state: \(home)/state}
      image: {base: "bootstrap:bookworm"}
      allow: {targets: [host]}
      tor: {network: off}
      agent: {name: bench\(count)}

      """)
    let configuration = try HostFile(path: "\(home)/host.yaml").read()
    _ = try await SetUp(configuration).run { _ in }
    let images = "\(home)/state/images"
    try FileManager.default.createDirectory(atPath: images, withIntermediateDirectories: true)
    _ = try await Self.shell(
      "\(tools)/base-image /var/cache/onionkeeper/bookworm.tar >&2 && ln /var/cache/onionkeeper/bookworm.tar \(images)/bookworm.tar"
        + " || cp /var/cache/onionkeeper/bookworm.tar \(images)/bookworm.tar")
    return configuration
  }

  private func write(_ path: String, _ text: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
  }

  static func shell(_ command: String) async throws -> String {
    let record = try await Subprocess.run(
      .name("bash"), arguments: ["-c", "mkdir -p /var/cache/onionkeeper && \(command)"],
      output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
    guard record.terminationStatus.isSuccess else {
      throw KeepingError("\(command): \(record.standardError)")
    }
    return record.standardOutput
  }
}
