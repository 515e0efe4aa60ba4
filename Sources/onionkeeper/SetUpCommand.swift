import ArgumentParser
import Keeping

struct SetUpCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "setup",
    abstract: "Make the key and state directories of this host, pin its engine, check everything.",
    discussion:
      "May be repeated. `run` never makes a directory: one that is not set up may be one that is not mounted."
  )

  @OptionGroup var common: CommonOptions

  func run() async throws {
    try await reporting {
      let configuration = try common.hostFile()
      _ = try await SetUp(configuration).run { line in
        if !common.quiet { print(line) }
      }
    }
  }
}
