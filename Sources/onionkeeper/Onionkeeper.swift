import ArgumentParser
import Foundation
import Keeping
import OnionModel

/// `onionkeeper`: one file a command. Reading commands work beside a running agent and need no network.
@main
struct Onionkeeper: AsyncParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "onionkeeper",
    abstract: "Keeps Tor onion services as a Git repository defines them.",
    discussion: """
      Pulls a repository of onion service definitions, holds it against the running containers and the key \
      directories of this host, repairs the difference, journals each action, and reports it by webhook.

      Exit codes: 0 done or nothing to do; 1 failed; 2 plan, apply --dry-run: there is a difference; 64 usage.
      """,
    version: version,
    subcommands: [
      SetUpCommand.self, RunCommand.self, PlanCommand.self, ApplyCommand.self, StatusCommand.self,
      HistoryCommand.self, CheckCommand.self, RenderCommand.self, InitCommand.self,
      SchemaCommand.self, ApproveCommand.self, KeysCommand.self, AdoptCommand.self,
      DownCommand.self, ExplainCommand.self, PolicyCommand.self, DoctorCommand.self,
    ])
}

extension Onionkeeper {
  /// `--config FILE` and `--quiet` may also stand before the command.
  static func main() async {
    do {
      try concealMemory()
    } catch {
      complain("\(error)")
      exit(withError: ExitCode.failure)
    }
    var arguments = Array(CommandLine.arguments.dropFirst())
    var leading: [String] = []
    while let first = arguments.first {
      if first == "--config", arguments.count > 2 {
        leading += arguments.prefix(2)
        arguments.removeFirst(2)
      } else if first == "--quiet" || first.hasPrefix("--config=") {
        leading.append(arguments.removeFirst())
      } else {
        break
      }
    }
    if !leading.isEmpty, let command = arguments.first {
      // Of a command of several, they are the inner one's.
      let several = [KeysCommand.self, PolicyCommand.self] as [any ParsableCommand.Type]
      let isOne = several.contains { $0.configuration.commandName == command }
      let depth = isOne && arguments.count > 1 ? 2 : 1
      arguments.insert(contentsOf: leading, at: depth)
    }
    await main(arguments)
  }
}

/// The options that every command takes.
struct CommonOptions: ParsableArguments {
  @Option(name: .long, help: "The host file.")
  var config = "/etc/onionkeeper/host.yaml"

  @Flag(name: .long, help: "Say only what went wrong.")
  var quiet = false

  /// An absolute path, whatever was given.
  var path: String {
    config.hasPrefix("/")
      ? config : URL(fileURLWithPath: config).standardizedFileURL.path
  }

  /// Progress of long work, to standard error.
  var log: @Sendable (String) -> Void {
    if quiet { return { _ in } }
    return progress
  }

  func hostFile() throws -> HostConfiguration {
    do {
      return try HostFile(path: path).read()
    } catch {
      complain(error.description)
      throw ExitCode.failure
    }
  }
}

/// Runs a command's body; an error of ours is told in its own words, once, without a stack or a type's name.
func reporting(_ body: () async throws -> Void) async throws {
  do {
    try await body()
  } catch let code as ExitCode {
    throw code
  } catch {
    complain("\(error)")
    throw ExitCode.failure
  }
}

/// To standard error.
func complain(_ text: String) {
  writeToStandardError("onionkeeper: \(text)\n")
}

/// A line of progress, with the time, to standard error.
@Sendable func progress(_ text: String) {
  writeToStandardError("\(wallTime().description) \(text)\n")
}

/// A log that cannot be written (a full disk, a reader that has gone) is no reason to stop keeping services:
/// Foundation's `write(_:)` would end the program.
private func writeToStandardError(_ text: String) {
  var bytes = Array(text.utf8)[...]
  while !bytes.isEmpty {
    let count = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    if count < 0, errno == EINTR { continue }
    guard count > 0 else { return }
    bytes = bytes.dropFirst(count)
  }
}

/// Stable JSON: sorted keys, one document, to standard output.
func printJSON(_ value: some Encodable) throws {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  try FileHandle.standardOutput.write(contentsOf: try encoder.encode(value) + Data("\n".utf8))
}
