import ArgumentParser
import Glibc
import Keeping

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run the agent: a pass each interval, until SIGTERM.",
    discussion: "SIGHUP: a pass at once. SIGTERM: no new step begins, the running one ends.")

  @OptionGroup var common: CommonOptions

  func run() async throws {
    try await reporting {
      // Whoever reads the log may go away; the agent stays.
      signal(SIGPIPE, SIG_IGN)
      // Until the loop listens; its first pass asks the repository anyway.
      signal(SIGHUP, SIG_IGN)
      let configuration = try common.hostFile()
      let log = common.log
      let house = try await AgentHouse.open(configuration, log: log)
      log("agent \(house.agent) on \(configuration.host), every \(Int(configuration.interval)) s")
      try await AgentLoop(house, log: log).run()
    }
  }
}
