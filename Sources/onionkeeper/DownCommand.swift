import ArgumentParser
import Journaling
import Keeping

struct DownCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "down",
    abstract: "Stop and remove what is ours in the engine: containers and networks. Never keys.",
    discussion:
      "The next `run` or `apply` makes them again, with the same addresses. Stop a running agent first."
  )

  @OptionGroup var common: CommonOptions

  func run() async throws {
    try await reporting {
      let house = try await AgentHouse.open(
        try common.hostFile(), log: common.log)
      let report = try await house.down()
      try await house.journal.close()
      if !common.quiet {
        for line in report.removed { print("removed \(line)") }
        if report.removed.isEmpty, report.failed.isEmpty { print("nothing of ours was there") }
      }
      for line in report.failed { complain(line) }
      if !report.failed.isEmpty { throw ExitCode.failure }
    }
  }
}
