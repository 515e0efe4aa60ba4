import Definitions
public import Descriptors
import Engine
import GitSource
import Glibc
import Journaling
import KeyStore
import OnionModel
import SELinux
import TorRuntime
import Transport

/// Looks over a whole host, changes nothing, and says what is wrong and what mends it. Works as far as it can without
/// root, without an engine and before set-up: what it could not look at, it says.
public actor Doctor {
  private let path: String
  private let tree: HostTree
  /// Folders and procfs are read in its calls: never on Swift's pool.
  private let executor = QueueExecutor(label: "onionkeeper.doctor")
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  /// - Parameters:
  ///   - hostFile: its absolute path; it need not be there.
  ///   - tree: the host's file system; another root in tests.
  public init(hostFile: String, tree: HostTree = HostTree()) {
    path = hostFile
    self.tree = tree
  }

  private var isRoot: Bool { geteuid() == 0 }

  /// Never throws: what fails is a finding.
  public func examine() async -> DoctorReport {
    let (configuration, hostFile) = readHostFile()
    var findings = hostFile
    var sight: AgentSight?
    if let configuration {
      let folders = FolderCheck(
        layout: configuration.layout, file: path, mounts: MountTable.read(tree), isRoot: isRoot)
      findings += folders.findings
      if let agent = folders.agent {
        do {
          sight = try await AgentSight.read(configuration, agent)
        } catch {
          findings.append(
            DoctorFinding(
              .agent, isRoot ? .broken : .unknown, "the journal cannot be read: \(error)"))
        }
      }
    }
    let sockets = sockets(configuration, sight)
    let facts = await HostFacts.read(tree, sockets: sockets)
    findings +=
      EngineCheck(
        engines: facts.engines, sockets: sockets, file: path, isRoot: isRoot,
        controllers: seen { () throws(FileError) in
          try tree.text("/sys/fs/cgroup/cgroup.controllers", limit: 4096)
        }
      ).findings
    let engine = facts.engines.count == 1 ? facts.engines[0] : nil
    findings += selinux(facts.policy, engine?.description.value)
    findings += HostCheck.users(engine?.description.value?.torOwner ?? TorLayout.user, file: path)
    findings += HostCheck.clock(facts.clock, latest: sight?.latest)
    findings += await agentFindings(configuration, sight, facts)
    if let configuration {
      findings += disk(configuration, engine).findings
      findings += HostCheck.programs(needs(configuration, sight), tree)
      findings += await agentView(configuration, sight, engine)
    }
    return DoctorReport(findings)
  }

  private func readHostFile() -> (HostConfiguration?, [DoctorFinding]) {
    guard access(path, F_OK) == 0 || errno != ENOENT else {
      return (
        nil,
        [
          DoctorFinding(
            .hostFile, .broken,
            "\(path) is not there: folders, keys and backends were not looked at",
            mend: ["onionkeeper init DIR --host-file \(path)", "onionkeeper setup"])
        ]
      )
    }
    do throws(HostFileError) {
      let configuration = try HostFile(path: path).read()
      return (configuration, [DoctorFinding(.hostFile, .ok, path)])
    } catch {
      // Without root, secrets cannot be read, which says nothing of them.
      let unread = error.diagnostics.filter { !isRoot && $0.message.contains("Permission denied") }
      let wrong = error.diagnostics.filter { !unread.contains($0) }
      var found = wrong.prefix(Self.shown).map {
        DoctorFinding(.hostFile, $0.severity == .error ? .broken : .risk, "\($0)")
      }
      if wrong.count > Self.shown {
        found.append(
          DoctorFinding(
            .hostFile, .broken, "and \(wrong.count - Self.shown) more",
            mend: ["onionkeeper check --host \(path)"]))
      }
      if !unread.isEmpty {
        found.append(
          DoctorFinding(
            .hostFile, .unknown, "\(unread[0])", mend: ["run doctor as root"]))
      }
      guard wrong.isEmpty else { return (nil, found) }
      do throws(HostFileError) {
        return (try HostFile(path: path, of: .another).read(), found)
      } catch {
        return (nil, found)
      }
    }
  }

  /// More are a list that nobody reads; `check --host` has them all.
  private static let shown = 20

  private func sockets(_ configuration: HostConfiguration?, _ sight: AgentSight?) -> [String] {
    if case .path(let path)? = configuration?.engine { return [path] }
    switch sight?.memory.engine?.kind {
    case .docker: return [SetUp.sockets[0]]
    case .podman: return [SetUp.sockets[1]]
    case nil: return SetUp.sockets
    }
  }

  private func selinux(
    _ policy: HostPolicy, _ engine: EngineDescription?
  ) -> [DoctorFinding] {
    let contexts = [
      SecurityContext(user: "system_u", role: "system_r", type: "container_t", level: "s0:c1,c2"),
      SecurityContext(
        user: "system_u", role: "object_r", type: "container_file_t", level: "s0:c1,c2"),
    ]
    var knows: Observation<Bool> = .absent
    for context in contexts {
      let answer = HostPolicy.knows(context, tree)
      if knows.isAbsent || answer.value == false || answer.unknownReason != nil { knows = answer }
    }
    return SELinuxCheck(policy: policy, engine: engine, knowsContainers: knows).findings
  }

  private func agentFindings(
    _ configuration: HostConfiguration?, _ sight: AgentSight?, _ facts: HostFacts
  ) async -> [DoctorFinding] {
    let hasSystemd = facts.systemd.value == true
    let unit = hasSystemd ? await SystemdUnit.show(HostCheck.unitName) : .absent
    let running = configuration.map { AgentPresence.look($0.layout) } ?? .absent
    var found = HostCheck.unit(unit, hasSystemd: hasSystemd, isRunning: running)
    if let troubles = sight?.troubles, !troubles.isEmpty {
      found.append(
        DoctorFinding(
          .agent, .risk,
          "\(troubles.count) lasting \(troubles.count == 1 ? "trouble" : "troubles"), such as: "
            + (troubles[0].event.data.message ?? troubles[0].event.data.error ?? troubles[0].key),
          mend: ["onionkeeper status"]))
    }
    return found
  }

  private func disk(_ configuration: HostConfiguration, _ engine: EngineFacts?) -> DiskCheck {
    var places = [configuration.layout.keys, configuration.layout.state].map {
      DiskCheck.place($0, least: DiskCheck.forState)
    }
    if let root = engine?.description.value?.dataRoot, root.hasPrefix("/") {
      places.append(DiskCheck.place(root, least: DiskCheck.forImages))
    }
    return DiskCheck(places: places)
  }

  private func needs(
    _ configuration: HostConfiguration, _ sight: AgentSight?
  ) -> [HostCheck.Need] {
    var needs: [HostCheck.Need] = []
    let isSealed =
      sight?.desired.services.contains { if case .sealed = $0.key { true } else { false } } == true
    if !configuration.backupRecipients.isEmpty || isSealed {
      needs.append(.init(program: "age", package: "age", reason: "sealing and opening keys"))
    }
    if case .signers = configuration.trust {
      needs.append(
        .init(program: "ssh-keygen", package: "openssh-client", reason: "verifying signatures"))
    }
    if case .bootstrap = configuration.base {
      needs.append(.init(program: "mmdebstrap", package: "mmdebstrap", reason: "image.base"))
    }
    return needs
  }
}
