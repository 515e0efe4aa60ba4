import ArgumentParser
import Foundation
import Keeping
import OnionModel

struct CheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract:
      "Check a folder of definitions, host files, or one against the other, without acting.",
    discussion: """
      For a repository's own CI: needs no root, no network and no engine. Exit code 1 if anything is wrong; warnings \
      alone are 0.

      Alone, --host FILE is this machine's: owners, modes and every file that it names are checked. Beside a folder it \
      is another machine's: its text is checked, and what it allows is held against the definitions that select it. \
      --host may be repeated, and name a folder of host files: check . --host hosts
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable { case text, json, github }

  @Argument(help: "The folder of onionkeeper.yaml.")
  var folder: String?

  @Option(name: .long, help: "A host file, or a folder of host files; may be repeated.")
  var host: [String] = []

  @Option(name: .long, help: "text, json, or github (annotations).")
  var format = Format.text

  @Flag(name: .long, help: "The same as --format json.")
  var json = false

  func validate() throws {
    if folder == nil, host.isEmpty {
      throw ValidationError("name a folder, or --host FILE, or both")
    }
  }

  func run() async throws {
    try await reporting {
      let found = RepositoryCheck(
        folder: folder, hostFiles: host, current: FileManager.default.currentDirectoryPath
      ).run()
      try show(found)
      let errors = found.filter { $0.severity == .error }.count
      if format == .text, !json {
        let warnings = found.count - errors
        print(
          errors > 0
            ? count(errors, "error")
            : "ok" + (warnings == 0 ? "" : ", " + count(warnings, "warning")))
      }
      if errors > 0 { throw ExitCode.failure }
    }
  }

  private func count(_ number: Int, _ noun: String) -> String {
    "\(number) \(noun)\(number == 1 ? "" : "s")"
  }

  private func show(_ found: [Diagnostic]) throws {
    if json || format == .json {
      try printJSON(found)
      return
    }
    for diagnostic in found {
      switch format {
      case .github:
        let place = diagnostic.line.map { ",line=\($0),col=\(diagnostic.column ?? 1)" } ?? ""
        let kind = diagnostic.severity == .error ? "error" : "warning"
        let text =
          (diagnostic.host.map { "on host \($0): " } ?? "")
          + (diagnostic.path.isEmpty ? "" : "\(diagnostic.path): ") + diagnostic.message
        print(
          "::\(kind) file=\(escaped(diagnostic.file, property: true))\(place)::\(escaped(text, property: false))"
        )
      case .text, .json: print(diagnostic)
      }
    }
  }

  /// The escapes of workflow commands: a message must not begin a command of its own.
  private func escaped(_ text: String, property: Bool) -> String {
    var result = ""
    for character in text.unicodeScalars {
      switch character {
      case "%": result += "%25"
      case "\r": result += "%0D"
      case "\n": result += "%0A"
      case ":" where property: result += "%3A"
      case "," where property: result += "%2C"
      default: result.unicodeScalars.append(character)
      }
    }
    return result
  }
}
