import Definitions
import Descriptors
import Glibc
import Journaling
import KeyStore
public import OnionModel
import TorRuntime

/// `adopt --torrc`, `adopt --container`: turns a tor that was set up by hand into definitions and imported keys. What it reads it leaves as it
/// is; nothing that exists is overwritten; what cannot be carried is named, line by line.
public struct Adoption: Sendable {
  /// What a person decided beforehand.
  public struct Decisions: Sendable {
    /// Services that everybody may reach, though somebody once asked for clients.
    public var open: Set<ServiceName>
    /// A target as the torrc means it (`127.0.0.1:9000`, `node:18081`) to what it becomes.
    public var targets: [String: Target]

    public init(open: Set<ServiceName> = [], targets: [String: Target] = [:]) {
      self.open = open
      self.targets = targets
    }
  }

  /// What to read, and where to put it; all paths absolute.
  public struct Request: Sendable {
    public var torrc: String
    /// The folder of `onionkeeper.yaml`.
    public var folder: String
    /// What the tor sees as `/`, for one of a container or another disk; `/` for this host's.
    public var root: String
    /// Further folders in which `%include` may lie.
    public var includeRoots: [String]
    public var decisions: Decisions
    /// Only look and tell.
    public var isDryRun: Bool
    /// The container in which it runs: `torrc` is a path as its tor sees it, and `root` counts for nothing.
    public var container: HandRunContainer?

    public init(
      torrc: String, folder: String, root: String = "/", includeRoots: [String] = [],
      decisions: Decisions = Decisions(), isDryRun: Bool = false,
      container: HandRunContainer? = nil
    ) {
      self.torrc = torrc
      self.folder = folder
      self.root = root
      self.includeRoots = includeRoots
      self.decisions = decisions
      self.isDryRun = isDryRun
      self.container = container
    }
  }

  private let request: Request
  private let configuration: HostConfiguration?
  private let uid: Int

  /// - Parameters:
  ///   - configuration: the host's; a dry run does without.
  ///   - uid: who asks for it.
  public init(_ request: Request, _ configuration: HostConfiguration?, uid: Int) {
    self.request = request
    self.configuration = configuration
    self.uid = uid
  }

  /// What a definition says where no host file tells the host's name.
  private static let unknownHost = "this-host"

  /// - Throws: `KeepingError` if the torrc cannot be read whole, or the host is not set up; then nothing was written.
  public func run() async throws -> AdoptionReport {
    let work = try await keyWork()
    let files = nativeFiles
    let instance = try read(files)
    let present = try DefinitionsPresent(folder: request.folder)
    var drafts = try await drafts(instance, files, present)
    refuseShared(&drafts)
    if let place = instance.unpublished { refuseUnpublished(&drafts, place) }
    let overriding = try overriding()
    if let overriding { for index in drafts.indices { drafts[index].fail(overriding) } }
    let host = configuration?.host.text ?? Self.unknownHost
    try refuseInvalid(&drafts, present, host: host)
    var report = AdoptionReport(
      services: [], findings: instance.findings + general(drafts, overriding), missingTargets: [],
      needsSingleHop: false, running: try running(drafts), written: [],
      isDryRun: request.isDryRun)
    if work != nil, drafts.contains(where: { !$0.isLeft && !$0.isDefined }) {
      report.written = try present.prepare()
    }
    for index in drafts.indices {
      if let work { await carry(&drafts[index], work, present, host: host, &report.written) }
      report.services.append(summary(drafts[index], host: host))
    }
    if let work { try await work.journal.close() }
    // What concerns all of them is said once.
    var said: Set<TorrcFinding> = []
    report.findings = (report.findings + drafts.flatMap(\.findings)).inOrder.filter {
      said.insert($0).inserted
    }
    allow(drafts, &report)
    return report
  }

  private func keyWork() async throws -> KeyWork? {
    guard !request.isDryRun else { return nil }
    guard let configuration else {
      throw KeepingError("no host file: only a dry run does without (--dry-run)")
    }
    return try await KeyWork(configuration, uid: uid)
  }

  // MARK: - Reading

  private var nativeFiles: NativeFiles {
    let parent = request.torrc.split(separator: "/").dropLast().joined(separator: "/")
    let prefix = request.root == "/" || request.container != nil ? "" : request.root
    // The torrc's own folder as the tor sees it.
    let own =
      prefix.isEmpty || !"/\(parent)".hasPrefix(prefix)
      ? "/\(parent)" : String("/\(parent)".dropFirst(prefix.utf8.count))
    return NativeFiles(
      prefix: prefix, container: request.container,
      roots: [own.isEmpty ? "/" : own] + Self.usualRoots.filter { $0 != own }
        + request.includeRoots)
  }

  /// Where distributions and their kin (Whonix, SecureDrop's gateway) keep parts of a torrc.
  private static let usualRoots = ["/etc/tor", "/etc/torrc.d"]

  private func read(_ files: NativeFiles) throws -> TorrcInstance {
    let bytes = try files.torrc(request.torrc)
    do throws(TorrcError) {
      let torrc = try TorrcReader.read(request.torrc, bytes: bytes, roots: files.roots) {
        files.look($0)
      }
      return TorrcInstance(torrc)
    } catch {
      throw KeepingError("\(error.description)\nnothing was read of it, and nothing written")
    }
  }

  private func drafts(
    _ instance: TorrcInstance, _ files: NativeFiles, _ present: DefinitionsPresent
  ) async throws -> [AdoptionDraft] {
    var drafts: [AdoptionDraft] = []
    for torrc in instance.services {
      let directory = await look(torrc, files)
      var defined: ServiceName?
      if case .success(let found) = directory, let address = found.address {
        defined = present.services[address]
      }
      let taken = Set(drafts.map(\.name.text))
      let stem = stem(of: torrc, isOnly: instance.services.count == 1)
      let text = validName(stem, otherwise: "onion") {
        !taken.contains($0) && !present.names.contains($0)
      }
      guard let name = defined ?? ServiceName(text) else { continue }
      var draft = AdoptionDraft(
        torrc, name: name, directory: directory, decisions: request.decisions, in: instance)
      draft.isDefined = defined != nil
      drafts.append(draft)
    }
    return drafts
  }

  /// Recipes for one service in a container call its directory by what it is, so there the container's name says more.
  private static let plainNames: Set<String> = [
    "hidden_service", "hidden-service", "hiddenservice", "onion", "onion_service",
    "onion-service", "onionservice", "service", "hs", "data", "tor", "keys",
  ]

  private func stem(of torrc: TorrcService, isOnly: Bool) -> String {
    let stem = torrc.directory.split(separator: "/").last.map(String.init) ?? ""
    guard isOnly, let container = request.container,
      Self.plainNames.contains(stem.lowercased())
    else { return stem }
    return container.name
  }

  private func look(
    _ torrc: TorrcService, _ files: NativeFiles
  ) async -> Result<NativeDirectory, KeepingError> {
    do {
      return .success(
        try await NativeDirectory.look(try files.directory(torrc.directory), path: torrc.directory))
    } catch let error as FileError {
      return .failure(
        KeepingError(
          error.isAbsence
            ? "is not there: not mounted, or tor never ran; --root DIR looks below another folder"
            : request.container != nil && error.number == ELOOP
              ? "cannot be reached: a link is on its way, and none is followed"
              : "cannot be read: \(error.reason)"
                + (geteuid() == 0 ? "" : " (run this as root)")))
    } catch {
      return .failure(KeepingError("cannot be read: \(error)"))
    }
  }

  // MARK: - What must not be carried

  /// One directory under two paths, or one key in two: tor serves one of the two services and drops the other.
  private func refuseShared(_ drafts: inout [AdoptionDraft]) {
    for index in drafts.indices {
      for other in drafts.indices where other != index {
        guard let mine = drafts[index].directory, let its = drafts[other].directory else {
          continue
        }
        let isSame = mine.status.isSameObject(as: its.status)
        guard isSame || mine.address != nil && mine.address == its.address else { continue }
        let torrc = drafts[other].torrc
        drafts[index].fail(
          drafts[index].torrc.place, AdoptionDraft.title(drafts[index].torrc),
          (isSame
            ? "is the same directory as \(torrc.directory)"
            : "holds the same key as \(torrc.directory)")
            + ": tor serves only one of the two. Either one service with the ports of both, or a key of its own, and so"
            + " another address, for one of them", others: [torrc.place])
      }
    }
  }

  private func refuseUnpublished(_ drafts: inout [AdoptionDraft], _ place: TorrcPlace) {
    for index in drafts.indices {
      drafts[index].fail(
        place, "PublishHidServDescriptors 0",
        "\(drafts[index].name) cannot be found by anybody now, and Onionkeeper would publish it: remove the line if"
          + " that is wanted")
    }
  }

  /// A tor that was told its services on its command line serves those, and not the torrc's.
  private func overriding() throws -> TorrcFinding? {
    let tors: [RunningTor]
    if let container = request.container {
      tors = try container.tors()
    } else if request.root == "/" {
      do throws(FileError) {
        // Another container's /etc/tor/torrc is another file.
        tors = try RunningTor.all(in: Descriptor.folder(at: "/")).filter {
          ($0.configuration ?? "/etc/tor/torrc") == request.torrc
        }
      } catch {
        throw KeepingError("running processes cannot be listed: \(error.description)")
      }
    } else {
      tors = []
    }
    guard let tor = tors.first(where: { !$0.serviceOptions.isEmpty }) else { return nil }
    return TorrcFinding(
      .error, TorrcPlace(request.torrc, 1), tor.serviceOptions.joined(separator: ", "),
      "stand on the command line of the tor that runs now (process \(tor.pid)), and replace the torrc's: write all services"
        + " into the torrc, start tor with that alone, and try again")
  }

  /// What the folder would not be valid with: the reader has the last word.
  private func refuseInvalid(
    _ drafts: inout [AdoptionDraft], _ present: DefinitionsPresent, host: String
  ) throws {
    let texts = drafts.filter { !$0.isLeft && !$0.isDefined }.map {
      ($0.name, $0.text(host: host) ?? "")
    }
    let found = present.errors(adding: texts)
    for index in drafts.indices {
      for error in found[drafts[index].name] ?? [] {
        drafts[index].fail(
          drafts[index].torrc.place, AdoptionDraft.title(drafts[index].torrc),
          "its definition would not be valid: \(error.path.isEmpty ? "" : "\(error.path): ")\(error.message)"
        )
      }
    }
  }

  // MARK: - Telling

  private func general(_ drafts: [AdoptionDraft], _ overriding: TorrcFinding?) -> [TorrcFinding] {
    var findings: [TorrcFinding] = []
    if drafts.isEmpty, let overriding { findings.append(overriding) }
    if drafts.isEmpty, overriding == nil {
      findings.append(
        TorrcFinding(
          .error, TorrcPlace(request.torrc, 1), "", "no hidden service is configured in it"))
    }
    if configuration == nil {
      findings.append(
        TorrcFinding(
          .warning, nil, "hosts: [\(Self.unknownHost)]",
          "the host file could not be read, so the host's name is not known"))
    }
    for name in request.decisions.open.sorted() where !drafts.contains(where: { $0.name == name }) {
      findings.append(
        TorrcFinding(.error, nil, "--public \(name)", "names no service of this torrc"))
    }
    let targets = Set(drafts.flatMap { $0.torrc.ports.map(\.target.description) })
    for target in request.decisions.targets.keys.sorted() where !targets.contains(target) {
      findings.append(
        TorrcFinding(.error, nil, "--target \(target)", "is no target of this torrc"))
    }
    return findings
  }

  /// Who may serve one of these addresses at this moment: two tors with one key take the visitors from each other.
  private func running(_ drafts: [AdoptionDraft]) throws -> [RunningTor] {
    // The container's own is known, and waited for.
    if request.container != nil { return [] }
    let owners = Set(drafts.compactMap { $0.directory?.status.owner })
    do {
      return try RunningTor.all().filter {
        $0.user != TorLayout.user
          && (owners.contains($0.user) || $0.configuration == request.torrc)
      }
    } catch {
      throw KeepingError("running processes cannot be listed: \(error.description)")
    }
  }

  private func summary(_ draft: AdoptionDraft, host: String) -> AdoptionReport.Service {
    AdoptionReport.Service(
      name: draft.name, directory: draft.torrc.directory, place: "\(draft.torrc.place)",
      outcome: draft.isLeft ? .left : draft.isDefined ? .present : .carried,
      address: draft.address, file: "services/\(draft.name).yaml",
      definition: draft.text(host: host)
    )
  }

  private func allow(_ drafts: [AdoptionDraft], _ report: inout AdoptionReport) {
    guard let allow = configuration?.allow else { return }
    let services = drafts.filter { !$0.isLeft && !$0.isDefined }.compactMap(\.service)
    for target in services.flatMap({ $0.ports.map(\.target) }) {
      guard let entry = allow.missingEntry(for: target), !report.missingTargets.contains(entry)
      else { continue }
      report.missingTargets.append(entry)
    }
    report.needsSingleHop =
      configuration?.allowsSingleHop == false && services.contains { $0.tor.isSingleHop }
  }

  // MARK: - Doing

  /// Key first, then the definition: a definition without its key would only wait, a key without definition is reported.
  private func carry(
    _ draft: inout AdoptionDraft, _ work: KeyWork, _ present: DefinitionsPresent, host: String,
    _ written: inout [String]
  ) async {
    guard !draft.isLeft, let bundle = draft.directory?.key.bundle, let service = draft.service,
      let text = draft.text(host: host)
    else { return }
    let place = KeyPlace(instance: service.instance, service: service.name)
    do {
      if let container = request.container {
        // Before the key: nothing may start between the two.
        try await work.keys.note(
          container.former(of: draft.torrc.directory), of: service.name)
      }
      if try await !isHere(bundle, place, work) {
        try await work.keys.importKey(
          bundle, to: place, expecting: draft.address, owner: try await work.owner(),
          service.companions)
        written.append("\(work.keys.path)/\(place)")
        try await work.record(
          .keyRestored, "importKey", place, draft.address,
          "imported the key of \(service.name) from \(draft.torrc.directory)"
            + (request.container.map { " in container \($0.name)" } ?? ""))
      }
      guard !draft.isDefined else { return }
      written.append(try present.write(text, for: service.name))
    } catch {
      draft.fail(draft.torrc.place, AdoptionDraft.title(draft.torrc), "\(error)")
    }
  }

  /// Whether an earlier run came this far.
  private func isHere(
    _ bundle: KeyBundle, _ place: KeyPlace, _ work: KeyWork
  ) async throws -> Bool {
    let (directories, pins) = try await work.look()
    let address = bundle.entries.first?.address
    return directories[place]?.address == address && pins[place.service] == address
  }
}
