import ArgumentParser
import Foundation
import Keeping
import OnionModel

struct KeysUnsealCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unseal",
    abstract: "Put a sealed key (secrets/NAME.age, a backup) into the key folder, by hand.",
    discussion:
      "The same as `keys import NAME FILE`. The agent does it by itself for a definition with `key: sealed:`."
  )

  @OptionGroup var common: CommonOptions

  @Argument(help: "The age file; - is standard input.")
  var file: String

  @Argument(help: "The service.")
  var name: String

  @Option(name: .long, help: "An age identity file (default: ageIdentity of the host file).")
  var identity: String?

  @Flag(name: .long, help: "One JSON array.")
  var json = false

  func validate() throws {
    guard ServiceName(name) != nil else {
      throw ValidationError("\(name) is not a service's name ([a-z0-9][a-z0-9-]{0,47})")
    }
  }

  func run() async throws {
    try await reporting {
      guard let service = ServiceName(name) else { throw ExitCode.validationFailure }
      let importer = KeyImporter(try common.hostFile(), uid: Int(getuid()))
      let report = try await importer.one(service, from: file, identity: identity)
      try show([report], json: json, isQuiet: common.quiet)
    }
  }
}
