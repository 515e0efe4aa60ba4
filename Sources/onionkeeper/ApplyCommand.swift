import ArgumentParser
import Journaling
import Keeping
import OnionModel

struct ApplyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply",
    abstract: "Run one pass: fetch, accept, plan, execute, prove.",
    discussion: """
      Takes the agent's locks: beside a running agent it says so (`kill -HUP` its process for a pass at once).

      `--bundle` works without a network: `git bundle create FILE main` where the repository is. It must be signed as \
      `repository.trust` says and descend from the last accepted revision; it need not soak.

      Exit code 1: a step failed, a definition is invalid, the repository cannot be used, or the engine or a folder \
      could not be seen. What waits for a person (a held removal, a missing key) is printed and is 0.
      """
  )

  @OptionGroup var common: CommonOptions

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Take this git bundle instead of asking the repository; it is verified like a fetched commit.",
      valueName: "file"))
  var bundle: String?

  @Flag(name: .long, help: "As `plan`: print what would be done and do nothing.")
  var dryRun = false

  @Flag(name: .long, help: "One JSON document of what is still to do or waited for.")
  var json = false

  func validate() throws {
    guard bundle == nil || !dryRun else {
      throw ValidationError("--dry-run and --bundle do not go together")
    }
  }

  func run() async throws {
    try await reporting {
      let configuration = try common.hostFile()
      guard !dryRun else {
        let report = try await planned(configuration, isOffline: false)
        try show(report, json: json)
        try requireNoDifference(report)
        return
      }
      let house = try await AgentHouse.open(configuration, log: common.log)
      let report = try await house.apply(bundle: bundle)
      let plan = PlanReport(report)
      if json || !common.quiet { try show(plan, json: json) }
      try await house.journal.close()
      let hasErrors = report.diagnostics.contains { $0.severity == .error }
      if report.hasFailed || report.sourceTrouble != nil || hasErrors || plan.isBlind {
        throw ExitCode.failure
      }
    }
  }
}
