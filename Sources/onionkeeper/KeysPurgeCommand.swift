import ArgumentParser
import Foundation
import Keeping
import OnionModel

struct KeysPurgeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "purge",
    abstract: "Delete a retired key for good. Nothing else ever deletes one.",
    discussion: """
      Asks for the address on the terminal; without one, --yes-delete must say it. Refused: an active key, one that an \
      accepted definition would take back, another address. What is in backups, on this host or elsewhere, stays.
      """)

  @OptionGroup var common: CommonOptions

  @Argument(help: "An id of `keys list --retired`.")
  var id: String

  @Option(
    name: .customLong("yes-delete"),
    help: ArgumentHelp(
      "The key's address, in place of the question.", valueName: "address"))
  var address: String?

  @Flag(name: .long, help: "One JSON document.")
  var json = false

  func validate() throws { try requireAddress(address, "--yes-delete") }

  func run() async throws {
    try await reporting {
      let purger = KeyPurger(try common.hostFile(), uid: Int(getuid()))
      let candidate = try await purger.look(id)
      for warning in candidate.warnings { complain("warning: \(warning)") }
      let confirmed = try confirm(
        address.flatMap { OnionAddress($0) }, option: "--yes-delete",
        "\(id) is the key of \(candidate.key.address). It will be deleted for good.")
      let report = try await purger.purge(id, confirmed: confirmed)
      for warning in report.warnings.dropFirst(candidate.warnings.count) {
        complain("warning: \(warning)")
      }
      guard !json else { return try printJSON(report) }
      guard !common.quiet else { return }
      print("deleted \(report.id)  \(report.address)")
      if report.isUnpinned {
        print("\(report.service) is no longer pinned: defined anew, it gets a new key")
      }
    }
  }
}

/// An address that a person typed: in an option, or at the terminal.
/// - Throws: `KeepingError` where there is neither.
func confirm(
  _ given: OnionAddress?, option: String, _ question: String
) throws -> OnionAddress {
  if let given { return given }
  guard isatty(STDIN_FILENO) != 0, isatty(STDERR_FILENO) != 0 else {
    throw KeepingError("nobody is at a terminal to be asked: \(option) ADDRESS confirms it")
  }
  FileHandle.standardError.write(
    Data("\(question)\nType the address to go on: ".utf8))
  let line = (readLine() ?? "").trimmingCharacters(in: .whitespaces)
  guard let address = OnionAddress(line) else {
    throw KeepingError("that is not an onion address: nothing was done")
  }
  return address
}

func requireAddress(_ text: String?, _ option: String) throws {
  if let text, OnionAddress(text) == nil {
    throw ValidationError("\(option) \(text): not an onion address (56 characters and .onion)")
  }
}
