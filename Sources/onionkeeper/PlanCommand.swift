import ArgumentParser
import Foundation
import Keeping
import OnionModel

struct PlanCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract:
      "Print what `run` would do now: each step with its cause, what was expected and what was found.",
    discussion: """
      Writes and accepts nothing. Asks the repository first (in a mirror of its own), so a pushed commit is planned \
      before it acts; --offline plans for the accepted revision. Exit code 0: nothing to do; 2: there is a difference; \
      1: it could not be seen.
      """)

  @OptionGroup var common: CommonOptions

  @Flag(name: .long, help: "Do not ask the repository: plan for the accepted revision.")
  var offline = false

  @Flag(name: .long, help: "One JSON document.")
  var json = false

  func run() async throws {
    try await reporting {
      let configuration = try common.hostFile()
      let report = try await planned(configuration, isOffline: offline)
      try show(report, json: json)
      try requireNoDifference(report)
    }
  }
}

/// 2: there is a difference; 1: whether there is could not be seen.
func requireNoDifference(_ report: PlanReport) throws {
  if report.hasSteps { throw ExitCode(2) }
  if report.isBlind { throw ExitCode.failure }
}

/// Plans with a mirror in a private folder that is gone afterwards.
func planned(_ configuration: HostConfiguration, isOffline: Bool) async throws -> PlanReport {
  var template = Array("/tmp/onionkeeper-plan.XXXXXX".utf8CString)
  guard mkdtemp(&template) != nil else {
    throw KeepingError(
      "no private folder could be made in /tmp: \(String(cString: strerror(errno)))")
  }
  let scratch = template.withUnsafeBufferPointer { buffer in
    buffer.baseAddress.map { String(cString: $0) } ?? ""
  }
  defer {
    do {
      try FileManager.default.removeItem(atPath: scratch)
    } catch {
      complain("\(scratch) could not be removed: \(error.localizedDescription)")
    }
  }
  return try await noticing(
    "waiting for the repository (30 s of silence end it; --offline: not at all)"
  ) {
    try await Preview(configuration).run(isOffline: isOffline, scratch: scratch)
  }
}

/// Says on standard error what is waited for, if it takes longer than a person expects.
func noticing<Value>(_ text: String, _ body: () async throws -> Value) async rethrows -> Value {
  let notice = Task {
    do { try await Task.sleep(for: .seconds(2)) } catch { return }
    complain(text)
  }
  defer { notice.cancel() }
  return try await body()
}

func show(_ report: PlanReport, json: Bool) throws {
  guard !json else {
    try printJSON(report)
    return
  }
  for line in report.lines { print(line) }
}

extension PlanReport {
  /// For people.
  var lines: [String] {
    var lines: [String] = []
    if let revision {
      lines.append(
        "revision \(revision.short)\(isCandidate ? " (new: would be accepted)" : "")")
    } else {
      lines.append("no revision is accepted yet")
    }
    if let refusal { lines.append("NOT EXECUTED, since it would break a promise: \(refusal)") }
    if let sourceTrouble { lines.append("repository: \(sourceTrouble)") }
    if let sourceNote { lines.append("repository: \(sourceNote)") }
    lines += diagnostics.map(\.description)
    var number = 0
    for group in groups where !group.steps.isEmpty {
      lines.append("\(group.subject):")
      for step in group.steps {
        number += 1
        lines.append("  \(number). \(step.text)  [\(step.cause.rawValue)]")
        lines += step.deviations.map {
          "       \($0.what): expected \($0.expected), found \($0.observed)"
        }
      }
      if !group.fallback.isEmpty {
        let isMaking = group.steps.contains { $0.action == "createContainer" }
        lines.append(
          "     if \(isMaking ? "its proof" : "a step up to its restart") fails: "
            + group.fallback.map(\.text).joined(separator: "; "))
      }
    }
    for wait in waiting {
      let subject = wait.service?.text ?? wait.instance?.text
      lines.append("waiting\(subject.map { " \($0)" } ?? ""): \(wait.message)")
    }
    if number == 0 {
      lines.append(
        isWithoutRevision
          ? "what is wanted of this host is not known yet"
          : waiting.isEmpty ? "nothing to do" : "no step until then")
    }
    return lines
  }
}
