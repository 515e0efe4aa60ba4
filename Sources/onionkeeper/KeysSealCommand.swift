import ArgumentParser
import Foundation
import Keeping
import OnionModel

struct KeysSealCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "seal",
    abstract: "Seal a service's key for the repository: secrets/NAME.age.",
    discussion: """
      For `key: sealed: secrets/NAME.age`: seal to the recipients of every host that may serve it, and of yourself. \
      Recipients are those named, else backup.recipients of the host file.
      """)

  @OptionGroup var common: CommonOptions

  @Argument(help: "The service.")
  var name: String

  @Option(
    name: .long,
    help: ArgumentHelp("Seal to this age recipient (may be repeated).", valueName: "age1…"))
  var recipient: [String] = []

  @Option(name: [.short, .long], help: "A new file, made 0600 (default: standard output).")
  var output: String?

  func validate() throws {
    guard ServiceName(name) != nil else {
      throw ValidationError("\(name) is not a service's name ([a-z0-9][a-z0-9-]{0,47})")
    }
  }

  func run() async throws {
    try await reporting {
      guard let service = ServiceName(name) else { throw ExitCode.validationFailure }
      let exporter = KeyExporter(try common.hostFile(), uid: Int(getuid()))
      tell(
        try await exporter.one(service, .sealed(recipients: recipient), to: output),
        isQuiet: common.quiet)
    }
  }
}
