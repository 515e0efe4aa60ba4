import ArgumentParser
import Foundation
import Keeping
import OnionModel

struct KeysExportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Hand out a service's key, or all of this host's, sealed to age recipients.",
    discussion: """
      One service's key is sealed as it lies on the disk: `age -d` gives hs_ed25519_secret_key. With --all it is a tar \
      archive of INSTANCE/NAME/ directories that tor itself can use, and `keys import --all` on another host takes. \
      --plain writes the archive unsealed, never to a terminal.

      Recipients are those named, else backup.recipients of the host file. Exit code 1 if a key of this host is missing \
      from what --all wrote; it is named.
      """)

  @OptionGroup var common: CommonOptions

  @Argument(help: "The service.")
  var name: String?

  @Flag(name: .long, help: "Every service of this host, in one archive.")
  var all = false

  @Option(
    name: .long,
    help: ArgumentHelp("Seal to this age recipient (may be repeated).", valueName: "age1…"))
  var recipient: [String] = []

  @Flag(
    name: .long, help: "Do not seal: a tar archive of tor directories, secret keys in the clear.")
  var plain = false

  @Option(name: [.short, .long], help: "A new file, made 0600 (default: standard output).")
  var output: String?

  func validate() throws {
    guard all != (name != nil) else { throw ValidationError("name a service, or --all") }
    guard !plain || recipient.isEmpty else {
      throw ValidationError("--plain seals to nobody: leave --recipient out")
    }
    if let name, ServiceName(name) == nil {
      throw ValidationError("\(name) is not a service's name ([a-z0-9][a-z0-9-]{0,47})")
    }
  }

  func run() async throws {
    try await reporting {
      let exporter = KeyExporter(try common.hostFile(), uid: Int(getuid()))
      let form = plain ? KeyExporter.Form.plain : .sealed(recipients: recipient)
      let report =
        if let service = name.flatMap({ ServiceName($0) }) {
          try await exporter.one(service, form, to: output)
        } else {
          try await exporter.all(form, to: output)
        }
      tell(report, isQuiet: common.quiet)
      for line in report.missing { complain("not exported: \(line)") }
      if !report.missing.isEmpty { throw ExitCode.failure }
    }
  }
}

/// To standard error: standard output may be the export.
func tell(_ report: KeyExporter.Report, isQuiet: Bool) {
  guard !isQuiet else { return }
  for (place, address) in report.keys.sorted(by: { $0.key < $1.key }) {
    complain("exported \(place)  \(address)")
  }
}
