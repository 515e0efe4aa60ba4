import ArgumentParser
import Foundation
import Keeping
import OnionModel

struct KeysRotateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rotate",
    abstract: "Give a service a new key, and so a new address; the old one is retired.",
    discussion: """
      The new key is made beside the old one. The next pass exchanges the two and starts the tor anew; with `address:` in \
      its definition that waits for a commit that says the new address, which is printed. The way back: \
      `address: OLD` in the definition. Asks for the present address on the terminal, or --yes-rotate says it.
      """)

  @OptionGroup var common: CommonOptions

  @Argument(help: "The service.")
  var name: String

  @Option(
    name: .customLong("yes-rotate"),
    help: ArgumentHelp(
      "The present address, in place of the question.", valueName: "address"))
  var address: String?

  @Flag(name: .long, help: "One JSON document.")
  var json = false

  func validate() throws {
    guard ServiceName(name) != nil else {
      throw ValidationError("\(name) is not a service's name ([a-z0-9][a-z0-9-]{0,47})")
    }
    try requireAddress(address, "--yes-rotate")
  }

  func run() async throws {
    try await reporting {
      guard let service = ServiceName(name) else { throw ExitCode.validationFailure }
      let rotator = KeyRotator(try common.hostFile(), uid: Int(getuid()))
      let old = try await rotator.look(service)
      let confirmed = try confirm(
        address.flatMap { OnionAddress($0) }, option: "--yes-rotate",
        "\(service) has the address \(old). Nobody will reach it there any more.")
      let report = try await rotator.rotate(service, confirmed: confirmed)
      for warning in report.warnings { complain("warning: \(warning)") }
      guard !json else { return try printJSON(report) }
      guard !common.quiet else { return }
      print("\(report.service)  \(report.old) -> \(report.new)  (aside as \(report.id))")
      guard !report.next.isEmpty else {
        print("the next pass exchanges the keys and starts its tor anew")
        return
      }
      print("to commit, then it is exchanged:")
      for line in report.next { print("  \(line)") }
    }
  }
}
