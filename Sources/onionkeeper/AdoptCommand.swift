import ArgumentParser
import Definitions
import Foundation
import Keeping
import OnionModel

struct AdoptCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "adopt",
    abstract: "Turn a tor that was set up by hand into definitions and imported keys.",
    discussion: """
      Reads a torrc as tor does, with everything that it includes, and the service directories that it names; leaves all \
      of it as it is. Writes services/NAME.yaml for each service that can be carried, onionkeeper.yaml if it is missing, \
      and puts the keys into the key folder of this host. Nothing is overwritten, and it may be done again.

      Every line that was not carried as it stands is named, with the reason and what to do. Some things are never \
      guessed: a service that was meant for clients and has no valid client file is left behind unless --public names \
      it; a target that is a name, unless --target says what it becomes; two services with one key.

      A target on 127.0.0.1 becomes host:PORT (in a container, 127.0.0.1 is the container itself), and is named.

      Afterwards: commit, stop the old tor, push; `plan` shows what will be taken over. ops/migrate.md has the steps.

      --container NAME reads a running container as its tor sees it. Ours is not started while that one runs: commit and \
      push, then --take-over stops and renames it, and ours starts at once, under the same address. It is never removed.
      Exit code 1: something was left behind.
      """)

  @OptionGroup var common: CommonOptions

  @Option(name: .long, help: "The torrc; with --container a path in it, if it is not found.")
  var torrc: String?

  @Option(
    name: .long,
    help: "A running container of this host's engine that somebody set up by hand.")
  var container: String?

  @Flag(
    name: .long,
    help:
      "With --container, when its services are accepted and wait for it: stop and rename it, and start ours."
  )
  var takeOver = false

  @Option(
    name: .long, help: "The repository's folder: of onionkeeper.yaml (default: this one).")
  var to = "."

  @Flag(name: .long, help: "Write nothing; needs no host file and no set-up.")
  var dryRun = false

  @Option(
    name: .customLong("include-root"),
    help:
      "A folder in which %include may lie, beside the torrc's own, /etc/tor and /etc/torrc.d; repeatable."
  )
  var includeRoots: [String] = []

  @Option(
    name: .long,
    help:
      "What that tor sees as /: a container's file system, or another disk's. An absolute --torrc is looked for there first."
  )
  var root = "/"

  @Option(
    name: .customLong("public"),
    help: ArgumentHelp(
      "Everybody may reach this service, though clients were once meant; repeatable.",
      valueName: "name"))
  var open: [String] = []

  @Option(
    name: .customLong("target"),
    help: ArgumentHelp(
      "What a target becomes: 127.0.0.1:9000=container:web:9000; repeatable.",
      valueName: "old=new"))
  var targets: [String] = []

  @Flag(
    name: .long, help: "One JSON document: services, findings, what is missing in the host file.")
  var json = false

  func validate() throws {
    guard torrc != nil || container != nil else {
      throw ValidationError("name what to read: --torrc FILE, or --container NAME")
    }
    if container != nil, root != "/" {
      throw ValidationError("--root is for --torrc: a container's root is known")
    }
    if takeOver, container == nil || torrc != nil || dryRun || !open.isEmpty || !targets.isEmpty {
      throw ValidationError("--take-over goes with --container NAME alone")
    }
    _ = try decisions()
  }

  func run() async throws {
    try await reporting {
      guard !takeOver else { return try await takeOverNow() }
      let (torrc, source) = try await place()
      let request = Adoption.Request(
        torrc: torrc, folder: absolute(to), root: absolute(root),
        includeRoots: includeRoots.map(absolute), decisions: try decisions(), isDryRun: dryRun,
        container: source)
      let report = try await Adoption(request, try host(), uid: Int(getuid())).run()
      if json {
        try printJSON(report)
      } else {
        show(report)
      }
      if report.isIncomplete { throw ExitCode.failure }
    }
  }

  /// The torrc, and the container that it is in.
  private func place() async throws -> (String, HandRunContainer?) {
    guard let container else { return (rooted(torrc ?? ""), nil) }
    let source = try await HandRunContainer.open(container, try common.hostFile())
    guard let torrc else { return (try source.torrc(), source) }
    guard torrc.hasPrefix("/") else {
      throw KeepingError("--torrc \(torrc): an absolute path, as the container's tor sees it")
    }
    return (torrc, source)
  }

  /// Below --root, where that has it: /etc/tor/torrc of a container's file system is not this host's.
  private func rooted(_ path: String) -> String {
    let plain = absolute(path)
    let folder = absolute(root)
    guard folder != "/", !plain.hasPrefix(folder + "/"), path.hasPrefix("/") else { return plain }
    var status = stat()
    // Only what is known not to be there is looked for elsewhere.
    let isAbsent =
      stat(folder + plain, &status) != 0 && (errno == ENOENT || errno == ENOTDIR)
    return isAbsent ? plain : folder + plain
  }

  private func takeOverNow() async throws {
    guard let container else { return }
    let configuration = try common.hostFile()
    let source = try await HandRunContainer.open(container, configuration)
    let report = try await withScratch { scratch in
      try await TakeOver(configuration, uid: Int(getuid()), log: common.log)
        .run(source, scratch: scratch)
    }
    for warning in report.warnings { complain("warning: \(warning)") }
    guard !json else { return try printJSON(report) }
    guard !common.quiet else { return }
    print(
      "took over \(report.services.map(\.text).joined(separator: ", ")) in \(report.seconds) s;"
        + " \(container) is stopped and called \(report.renamed)")
  }

  /// A dry run does without a host file, not with a wrong one.
  private func host() throws -> HostConfiguration? {
    if dryRun, !FileManager.default.fileExists(atPath: common.path) { return nil }
    return try common.hostFile()
  }

  private func decisions() throws -> Adoption.Decisions {
    var decisions = Adoption.Decisions()
    for text in open {
      guard let name = ServiceName(text) else {
        throw ValidationError("--public \(text): not a service's name ([a-z0-9][a-z0-9-]{0,47})")
      }
      decisions.open.insert(name)
    }
    for text in targets {
      guard let equals = text.firstIndex(of: "=") else {
        throw ValidationError("--target \(text): write OLD=NEW (127.0.0.1:9000=container:web:9000)")
      }
      do throws(TextProblem) {
        decisions.targets[String(text[..<equals])] = try TargetText.parse(
          String(text[text.index(after: equals)...]))
      } catch {
        var why = TargetText.rule.allowed
        if case .because(let reason) = error { why = reason }
        throw ValidationError("--target \(text): \(why)")
      }
    }
    return decisions
  }

  private func absolute(_ path: String) -> String {
    URL(fileURLWithPath: path).standardizedFileURL.path
  }

  // MARK: - For people

  private func show(_ report: AdoptionReport) {
    if dryRun { for service in report.services { showDefinition(service) } }
    let lines = report.lines(errorsOnly: common.quiet)
    for line in lines { print(line) }
    guard !common.quiet else { return }
    if !lines.isEmpty { print("") }
    for service in report.services {
      let word =
        switch service.outcome {
        case .carried: report.isDryRun ? "would be carried" : "carried"
        case .present: "there already"
        case .left: "LEFT BEHIND"
        }
      print(
        "\(service.name)  \(word)  \(service.address?.text ?? "no address")  \(service.directory)")
    }
    for path in report.written { print("wrote \(path)") }
    showNext(report)
  }

  private func showDefinition(_ service: AdoptionReport.Service) {
    guard let text = service.definition, service.outcome != .present else { return }
    let isLeft = service.outcome == .left
    print("--- \(service.file)\(isLeft ? " would NOT be written; what it would be:" : "")")
    for line in text.split(separator: "\n") { print(isLeft ? "# \(line)" : "\(line)") }
    print("")
  }

  private func showNext(_ report: AdoptionReport) {
    if !report.missingTargets.isEmpty || report.needsSingleHop {
      let entries = report.missingTargets.map { "\"\($0)\"" }.joined(separator: ", ")
      print("\nadd to allow in \(common.path):")
      if !entries.isEmpty { print("  targets: [\(entries)]") }
      if report.needsSingleHop { print("  singleHop: true") }
    }
    guard report.services.contains(where: { $0.outcome != .left }) else { return }
    if let container {
      print(
        """

        next: edit and commit \(absolute(to)), and push. As long as \(container) runs, nothing is started for what it
          serves; `onionkeeper plan` says so. Then `onionkeeper adopt --container \(container) --take-over`
        """)
      return
    }
    for line in report.runningLines { print("\n\(line)") }
    print(
      """

      next: edit and commit \(absolute(to)), stop the old tor (or take its HiddenService lines out and reload it), push,
        then `onionkeeper plan` on this host shows what will be taken over
      """)
  }
}
