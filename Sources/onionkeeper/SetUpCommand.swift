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

  @Flag(
    name: .long,
    help:
      "The key folder was in use on another machine, which is off for good: take it over to this one."
  )
  var moved = false

  func run() async throws {
    try await reporting {
      let configuration = try common.hostFile()
      _ = try await SetUp(configuration).run(isMoved: moved) { line in
        if !common.quiet { print(line) }
      }
    }
  }
}
