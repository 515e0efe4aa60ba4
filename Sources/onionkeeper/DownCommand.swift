import ArgumentParser
import Journaling
import Keeping

struct DownCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "down",
    abstract: "Stop and remove what is ours in the engine: containers and networks. Never keys.",
    discussion: "The next `run` or `apply` makes them again, with the same addresses.")

  @OptionGroup var common: CommonOptions

  func run() async throws {
    try await reporting {
      let house = try await AgentHouse.open(
        try common.hostFile(), log: common.log)
      let removed = try await house.down()
      try await house.journal.close()
      if !common.quiet {
        print(
          removed.isEmpty
            ? "nothing of ours was there" : removed.map { "removed \($0)" }.joined(separator: "\n"))
      }
    }
  }
}
