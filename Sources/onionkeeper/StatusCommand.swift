import ArgumentParser
import Foundation
import Keeping
import OnionModel

struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show each service: address, conditions, and what is waited for.")

  @OptionGroup var common: CommonOptions

  @Argument(help: "Only this service.")
  var name: String?

  @Flag(
    name: .long,
    help: "With user, capability sets and confinement of each tor, read from /proc now.")
  var proof = false

  @Flag(
    name: .long, help: "Print the `address:` lines to commit, so that no other key is ever taken.")
  var pins = false

  @Flag(name: .long, help: "One JSON document.")
  var json = false

  func run() async throws {
    try await reporting {
      var report = try await StatusReport.read(try common.hostFile())
      if let name {
        report.services = report.services.filter { $0.name.text == name }
        guard !report.services.isEmpty else {
          throw KeepingError("no service \(name) is known on this host")
        }
      }
      if json {
        try printJSON(report)
      } else if pins {
        for service in report.services {
          guard let address = service.address else { continue }
          print("services/\(service.name).yaml: address: \(address)")
        }
      } else {
        for line in report.lines(proof: proof) { print(line) }
      }
    }
  }
}

extension StatusReport {
  func lines(proof: Bool) -> [String] {
    var lines = [
      "host      \(host), agent \(agent)\(isRunning ? ", running" : ", not running")",
      "revision  \(revision.map { "\($0.short), accepted \(acceptedAt ?? "")" } ?? "none accepted yet")",
      "engine    \(engine.isReachable ? "\(engine.kind ?? "") \(engine.version ?? "")" : "no answer: \(engine.message ?? "")")",
    ]
    if network != "public" { lines.append("network   \(network): not the public Tor network") }
    for service in services {
      let ready = service.conditions.first { $0.name == "Ready" }
      let word =
        switch ready?.status {
        case "true": "ready"
        case "false": "NOT READY"
        default: "unknown"
        }
      lines.append("")
      lines.append("\(service.name)  \(word)  \(service.address?.text ?? "no address yet")")
      for condition in service.conditions where condition.name != "Ready" {
        let mark = condition.status == "true" ? "+" : condition.status == "false" ? "-" : "?"
        let name = condition.name.padding(toLength: 13, withPad: " ", startingAt: 0)
        lines.append("  \(mark) \(name) \(condition.reason) (since \(condition.since))")
      }
      if proof, let seen = service.proof {
        lines.append(
          "    pid \(service.pid ?? 0)  uid \(seen.uid.map(String.init).joined(separator: " "))")
        let names = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]
        lines.append(
          "    " + zip(names, seen.capabilities).map { "\($0) \($1)" }.joined(separator: "  "))
        lines.append(
          "    NoNewPrivs \(seen.noNewPrivileges ? 1 : 0)  Seccomp \(seen.seccomp)  label \(seen.label ?? "none")"
        )
      }
    }
    if !troubles.isEmpty { lines.append("") }
    lines += troubles.map { "! \($0.message) (since \($0.since))" }
    for webhook in webhooks {
      let trouble =
        webhook.disabled.map { ", disabled: \($0)" } ?? webhook.lastError.map {
          ", last error: \($0)"
        } ?? ""
      lines.append(
        "webhook   \(webhook.name): \(webhook.delivered) delivered, \(webhook.waiting) waiting, \(webhook.dead) dead\(trouble)"
      )
    }
    return lines
  }
}
