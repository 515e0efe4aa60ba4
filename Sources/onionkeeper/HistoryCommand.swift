import ArgumentParser
import Journaling
import Keeping
import OnionModel

struct HistoryCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "history", abstract: "Show what was done, why, and how it ended, newest last.")

  @OptionGroup var common: CommonOptions

  @Option(name: .long, help: "Only this service.")
  var service: String?

  @Option(name: .long, help: "At most so many, the newest.")
  var limit = 50

  @Flag(name: .long, help: "One JSON array.")
  var json = false

  func validate() throws {
    guard (1...10_000).contains(limit) else { throw ValidationError("--limit takes 1 to 10000") }
    if let service, ServiceName(service) == nil {
      throw ValidationError("\(service) is not a service's name ([a-z0-9][a-z0-9-]{0,47})")
    }
  }

  func run() async throws {
    try await reporting {
      let configuration = try common.hostFile()
      _ = try AgentHouse.identity(configuration)
      let journal = try await Journal.open(
        readOnly: "\(configuration.layout.state)/\(Journal.fileName)")
      let filter = HistoryFilter(service: service.flatMap { ServiceName($0) })
      let entries = try await journal.history(filter, limit: limit)
        .sorted { $0.attempt < $1.attempt }
      try await journal.close()
      if json {
        try printJSON(entries)
        return
      }
      for entry in entries { print(entry.line) }
      if entries.isEmpty { print("nothing was done yet") }
    }
  }
}

extension HistoryEntry {
  var line: String {
    let subject = service?.text ?? instance?.text ?? "host"
    let seconds = duration.map { " \(Double(Int($0 * 1000)) / 1000) s" } ?? ""
    let why = drift.first.map { " (\($0))" } ?? ""
    let end = error.map { ": \($0)" } ?? ""
    return "\(time)  \(subject)  \(action)  \(cause.rawValue)  \(outcome)\(seconds)\(why)\(end)"
  }
}
