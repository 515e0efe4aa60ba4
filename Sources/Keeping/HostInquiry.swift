public import Descriptors
public import Explaining
import Glibc
import OnionModel
import SELinux

/// Asks this host what `explain --host` wants to know. Changes nothing; what cannot be asked is said.
public enum HostInquiry {
  /// The units that run tor, by distribution: Debian's, everybody else's.
  private static let units = ["tor@default.service", "tor.service"]
  /// sesearch reads the whole policy each time.
  private static let toolLimit: Duration = .seconds(20)

  /// - Parameter tree: the host's file system; another root in tests.
  public static func answer(
    _ questions: HostQuestions, _ tree: HostTree = HostTree()
  ) async -> HostAnswers {
    let facts = await HostFacts.read(tree)
    var answers = HostAnswers()
    if !facts.isRoot {
      answers.silent.append("asked without root: parts of this host could not be looked at")
    }
    note("SELinux's mode", facts.policy.mode, &answers)
    answers.mode = facts.policy.mode.value?.rawValue
    note("SELinux's booleans", facts.policy.booleans, &answers)
    let booleans = facts.policy.booleans.value ?? [:]
    for name in questions.booleans {
      if let value = booleans[name] { answers.booleans[name] = value }
    }
    for engine in facts.engines {
      switch engine.description {
      case .present: answers.engines.append(engine.socket)
      case .absent: break
      case .unknown(let reason): answers.silent.append("engine \(engine.socket): \(reason)")
      }
    }
    await askUnit(&answers)
    for name in questions.users {
      if let uid = uid(of: name) { answers.users[name] = uid }
    }
    let isOn = facts.policy.mode.value?.isOn ?? false
    for path in questions.paths {
      answers.paths[path] = steps(path, tree)
      if isOn, let last = answers.paths[path]?.indices.last {
        answers.paths[path]?[last].expected = await expected(path)
      }
    }
    if isOn { await askRules(questions.rules, &answers) }
    return answers
  }

  private static func note(
    _ what: String, _ observation: Observation<some Sendable>, _ answers: inout HostAnswers
  ) {
    if case .unknown(let reason) = observation { answers.silent.append("\(what): \(reason)") }
  }

  private static func askUnit(_ answers: inout HostAnswers) async {
    for name in units {
      switch await SystemdUnit.show(name) {
      case .present(let unit):
        answers.unitName = name
        answers.unit = unit.properties
        // The first that is more than a file: Debian's tor.service does nothing but start the other.
        if unit["ActiveState"] != "inactive" || name == units[0] { return }
      case .absent: continue
      case .unknown(let reason):
        answers.silent.append("tor's unit: \(reason)")
        return
      }
    }
  }

  private static func uid(of name: String) -> Int? {
    guard let entry = getpwnam(name) else { return nil }
    return Int(entry.pointee.pw_uid)
  }

  private static func steps(_ path: String, _ tree: HostTree) -> [HostAnswers.Step] {
    PathFacts.walk(path, tree).compactMap { part in
      guard let status = part.status.value else { return nil }
      return HostAnswers.Step(
        path: part.path, isFolder: status.kind == .folder, isLink: status.kind == .link,
        mode: status.mode, uid: status.owner, gid: status.group, label: part.label.value,
        expected: nil)
    }
  }

  /// What the file contexts say of a path; `nil` if nobody can be asked.
  private static func expected(_ path: String) async -> String? {
    do {
      let result = try await ask("matchpathcon", ["-n", path], limit: toolLimit)
      let text = result.output.trimmingSpaces
      return result.isSuccess && !text.isEmpty ? text : nil
    } catch {
      // The tool is not installed: the label itself is shown all the same.
      return nil
    }
  }

  /// Of two types, by the users and roles that they have on every system; `nil` where the kernel cannot say.
  private static func askKernel(_ rule: [String]) -> Bool? {
    func context(_ role: String, _ type: String) -> SecurityContext {
      SecurityContext(user: "system_u", role: role, type: type, level: "s0")
    }
    // A file's type is in no other role than object_r, and then the first question is no context.
    for role in ["system_r", "object_r"] {
      let answer = HostPolicy.allows(
        source: context("system_r", rule[0]), target: context(role, rule[1]), targetClass: rule[2],
        permission: rule[3])
      if let isAllowed = answer.value { return isAllowed }
    }
    return nil
  }

  /// Whether the loaded policy allows what was denied: the kernel says it at once; `sesearch` needs seconds for each.
  private static func askRules(_ rules: [String], _ answers: inout HostAnswers) async {
    var allowed: [String: Bool] = [:]
    for rule in rules {
      let words = rule.split(separator: " ").map(String.init)
      guard words.count == 4 else { continue }
      if let answer = askKernel(words) {
        allowed[rule] = answer
        continue
      }
      do {
        let result = try await ask(
          "sesearch",
          ["-A", "-s", words[0], "-t", words[1], "-c", words[2], "-p", words[3]],
          limit: toolLimit)
        guard result.isSuccess else {
          answers.silent.append("sesearch: \(result.lastLines)")
          return
        }
        // A rule that hangs on a boolean ends in `[ name ]:True`.
        allowed[rule] = result.output.split(separator: "\n").contains {
          $0.contains("allow ") && !$0.contains("[")
        }
      } catch {
        answers.silent.append(
          "the loaded policy's rules: sesearch cannot be run (package setools-console, Debian: setools)"
        )
        return
      }
    }
    answers.allowed = allowed
  }
}

extension String {
  fileprivate var trimmingSpaces: String {
    String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
  }
}
