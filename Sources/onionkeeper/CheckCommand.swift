import ArgumentParser
import Definitions
import Keeping
import OnionModel

struct CheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract:
      "Check a folder of definitions, a host file, or one against the other, without acting.",
    discussion: "For a repository's own CI. Exit code 1 if anything is wrong; warnings alone are 0."
  )

  enum Format: String, ExpressibleByArgument, CaseIterable { case text, json, github }

  @Argument(help: "The folder of onionkeeper.yaml.")
  var folder: String?

  @Option(
    name: .long,
    help: "A host file: checked itself, and what it allows held against the definitions.")
  var host: String?

  @Option(name: .long, help: "text, json, or github (annotations).")
  var format = Format.text

  @Flag(name: .long, help: "The same as --format json.")
  var json = false

  func validate() throws {
    if folder == nil, host == nil {
      throw ValidationError("name a folder, or --host FILE, or both")
    }
  }

  func run() async throws {
    try await reporting {
      var found: [Diagnostic] = []
      var context: HostContext?
      if let host {
        var common = CommonOptions()
        common.config = host
        do throws(HostFileError) {
          context = try HostFile(path: common.path).read().context
        } catch {
          found += error.diagnostics
        }
      }
      if let folder { found += try self.found(in: folder, context) }
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

  /// A folder that cannot be read is a finding like any other: in every format.
  private func found(in folder: String, _ context: HostContext?) throws -> [Diagnostic] {
    do {
      return check(try DefinitionFolder(folder).read(), host: context)
    } catch let error as KeepingError {
      return [Diagnostic(file: folder, message: error.message)]
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
        let text = (diagnostic.path.isEmpty ? "" : "\(diagnostic.path): ") + diagnostic.message
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
