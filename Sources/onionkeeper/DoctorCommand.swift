import ArgumentParser
import Foundation
import Keeping

struct DoctorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Look over this host: what is wrong, and the command that mends it.",
    discussion: """
      Looks at the host file, the folders, the engine, SELinux, keys and their backups, the image, disks, clock, users \
      and the backends, and changes nothing. Works before set-up, without an engine and without root as far as that \
      goes; what could not be looked at is said.

      Weights, in the order in which they are told: broken, risk, unknown, note, ok. Exit code 1 if anything is broken \
      or a risk.
      """)

  @OptionGroup var common: CommonOptions

  @Flag(name: .long, help: "One JSON document.")
  var json = false

  func run() async throws {
    try await reporting {
      let report = await Doctor(hostFile: common.path).examine()
      if json {
        try printJSON(report)
      } else {
        for line in report.lines(isQuiet: common.quiet) { print(line) }
      }
      if !report.isWell { throw ExitCode.failure }
    }
  }
}
