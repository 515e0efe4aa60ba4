import ArgumentParser
import Foundation
import Keeping
import SELinux

struct PolicyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "policy",
    abstract: "Write, read, check, install and list SELinux policy modules.",
    discussion: """
      A module is the last resort: `onionkeeper explain` says what mends a denial with less. Modules are CIL text, to be \
      read before they are loaded; those of this project are in policies/.
      """,
    subcommands: [
      PolicyFromAuditCommand.self, PolicyConvertCommand.self, PolicyCheckCommand.self,
      PolicyInstallCommand.self, PolicyListCommand.self,
    ])
}

struct PolicyFromAuditCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "from-audit",
    abstract: "Write the smallest module for the denials of an audit log.",
    discussion: """
      Reads files, or standard input: ausearch -m avc -ts recent | onionkeeper policy from-audit > NAME.cil. Rules are \
      written only for denials of the domain that no lesser remedy mends; why others are left out stands in comments. What \
      must never be granted unread is left out, unless --allow names it.
      """)

  @OptionGroup var common: CommonOptions

  @Argument(help: "Logs with audit records in any form; - or none: standard input.")
  var files: [String] = []

  @Option(name: .long, help: "The domain that rules are written for.")
  var domain = "tor_t"

  @Flag(
    name: .long,
    help:
      "A rule for each denial of the domain, though a lesser remedy mends it. Nothing dangerous.")
  var exact = false

  @Option(
    name: .long, help: "Grant this all the same: CLASS:PERMISSION; may be repeated.")
  var allow: [String] = []

  @Flag(name: .long, help: "Do not link the module with this host's policy.")
  var noProof = false

  @Flag(name: .long, help: "One JSON document.")
  var json = false

  func run() async throws {
    try await reporting {
      var grants: Set<PolicyGrant> = []
      for text in allow {
        guard let grant = PolicyGrant(text) else {
          throw ValidationError("--allow \(text): CLASS:PERMISSION, as capability:sys_nice")
        }
        grants.insert(grant)
      }
      let found = try await PolicyFromAudit(
        files: files, domain: domain, isExact: exact, allowed: grants, isProven: !noProof
      ).run()
      if json {
        try printJSON(found)
      } else {
        print(found.cil, terminator: "")
        if !common.quiet { complain(found.summary) }
      }
      if found.proof?.isFine == false { throw ExitCode.failure }
    }
  }
}

extension PolicyFromAudit.Found {
  /// `1 rule written, 1 denial left out (1 covered); not linked: …`
  var summary: String {
    var parts = ["\(rules.count) rule\(rules.count == 1 ? "" : "s") for \(domain)"]
    let reasons = Dictionary(grouping: left, by: \.why.rawValue).mapValues(\.count)
      .sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
    if !left.isEmpty { parts.append("left out: \(reasons.joined(separator: ", "))") }
    if read.foreign > 0 {
      parts.append("\(read.foreign) denials of other domains, which `onionkeeper explain` judges")
    }
    if read.broken > 0 { parts.append("\(read.broken) records are damaged") }
    if read.denials == 0 { parts.append("no denial of SELinux in \(read.lines) lines") }
    if let proof { parts.append("module: \(proof.text)") }
    return parts.joined(separator: "; ")
  }
}

struct PolicyConvertCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Show a compiled module (.pp, as audit2allow -M makes it) as CIL.")

  @OptionGroup var common: CommonOptions

  @Argument(help: "The compiled module.")
  var file: String

  func run() async throws {
    try await reporting {
      let converted = try await PolicyInstaller().convert(file)
      print(converted.text, terminator: converted.text.hasSuffix("\n") ? "" : "\n")
      if !common.quiet { complainOf(converted.content, in: file) }
    }
  }
}

struct PolicyCheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract:
      "Check modules: syntax, whether this host's policy links with them, what is dangerous.",
    discussion: """
      Loads and stores nothing. Where there is no policy, or it cannot be read without root, only the syntax is checked, \
      and it says so. Exit code 1 if a compiler refuses one; dangers alone are 0.
      """)

  @OptionGroup var common: CommonOptions

  @Argument(help: "CIL files, checked together.")
  var files: [String]

  @Flag(name: .long, help: "One JSON document.")
  var json = false

  private struct Checked: Encodable {
    struct File: Encodable {
      var module: String
      var dangers: [CILModule.Concern]
      var notes: [CILModule.Concern]
    }

    var files: [File]
    var proof: PolicyProof
  }

  func run() async throws {
    try await reporting {
      let modules = try files.map { try ModuleFile(path: $0) }
      let proof = try await PolicyInstaller().check(modules)
      if json {
        try printJSON(
          Checked(
            files: modules.map {
              Checked.File(module: $0.name, dangers: $0.content.dangers, notes: $0.content.notes)
            }, proof: proof))
      } else {
        print("\(modules.map(\.name).joined(separator: ", ")): \(proof.text)")
        for (module, file) in zip(modules, files) { complainOf(module.content, in: file) }
      }
      if !proof.isFine { throw ExitCode.failure }
    }
  }
}

struct PolicyInstallCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "install",
    abstract: "Check modules and install them (semodule, priority 400).",
    discussion: """
      Refuses what is dangerous unless --allow names it. What is checked is what is installed. Takes up to a minute: the \
      whole policy is compiled twice.
      """)

  @OptionGroup var common: CommonOptions

  @Argument(help: "CIL files; a module is called as its file.")
  var files: [String]

  @Option(
    name: .long,
    help: "Install it though it grants this (as the refusal names it); may be repeated.")
  var allow: [String] = []

  @Flag(name: .long, help: "One JSON document.")
  var json = false

  func run() async throws {
    try await reporting {
      let modules = try files.map { try ModuleFile(path: $0) }
      let done = try await PolicyInstaller().install(modules, allowed: Set(allow))
      if json {
        try printJSON(done)
      } else if !common.quiet {
        print(
          "installed \(done.modules.joined(separator: ", ")) into the policy \(done.policy), priority \(done.priority)"
        )
        print("to undo: \(done.removal)")
      }
    }
  }
}

struct PolicyListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract:
      "List installed modules: this project's, local ones, and how many the distribution has.")

  @OptionGroup var common: CommonOptions

  @Flag(name: .long, help: "The distribution's too.")
  var all = false

  @Flag(name: .long, help: "One JSON document, with all.")
  var json = false

  func run() async throws {
    try await reporting {
      let modules = try await PolicyInstaller().list()
      if json {
        try printJSON(modules)
        return
      }
      let shown = modules.filter { all || $0.whose != .distribution }
      for module in shown {
        print(
          "\(module.priority)  \(module.name)  \(module.language)  \(module.whose.rawValue)"
            + (module.isDisabled ? "  disabled" : ""))
      }
      if shown.isEmpty { print("no module is installed beside the distribution's") }
      if !all { print("\(modules.count - shown.count) of the distribution (--all)") }
    }
  }
}

/// What a person should read before it is loaded, to standard error.
private func complainOf(_ content: CILModule, in file: String) {
  for danger in content.dangers {
    complain("\(file):\(danger.line): (\(danger.statement)): it \(danger.reason)")
  }
  for note in content.notes { complain("\(file):\(note.line): note: it \(note.reason)") }
}
