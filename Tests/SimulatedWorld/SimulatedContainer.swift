public import OnionModel

/// What a running tor has read.
public struct SimulatedTor: Hashable, Sendable {
  public struct Served: Hashable, Sendable {
    public var address: OnionAddress
    public var access: Access
    /// What `ob_config` said.
    public var onionBalance: String?
  }

  /// `HiddenService…` lines, as `GETCONF HiddenServiceOptions` answers.
  public var options: [String]
  public var served: [ServiceName: Served]
}

/// A container in the simulated engine.
public struct SimulatedContainer: Hashable, Sendable {
  public let id: String
  public var name: String
  public var labels: [String: String]
  public var state: ContainerState
  public var facts: ContainerFacts
  /// Whose folders it mounts.
  public var instance: InstanceName
  /// What `/proc` shows in each of the five sets while it runs.
  public var capabilities: UInt64 = 0
  public var tor: SimulatedTor?
  /// Inspect fails.
  public var isOpaque = false

  public var isRunning: Bool { state == .running }

  public var agent: AgentID? { labels[ContainerLabelKey.agent].flatMap { AgentID($0) } }

  var proof: ProcessProof {
    let user = TorLayout.user
    return ProcessProof(
      users: [user, user, user, user], groups: [user, user, user, user],
      capabilities: Array(repeating: capabilities, count: 5), hasNoNewPrivileges: true, seccomp: 2,
      label: nil, startTime: UInt64(facts.pid))
  }

  public var observed: ContainerObservation {
    ContainerObservation(
      id: id, name: name, labels: labels, state: state,
      facts: isOpaque ? .unknown("inspect timed out") : .present(facts),
      proof: isRunning ? .present(proof) : .absent)
  }
}

extension ContainerSpecification {
  func facts(imageID: String) -> ContainerFacts {
    ContainerFacts(
      isReadOnly: true, isPrivileged: false, user: "\(user):\(user)", entrypoint: entrypoint,
      mounts: mounts, networks: [network], networkMode: network, memory: limits.memory,
      milliCPUs: limits.milliCPUs, pids: limits.pids, restartPolicy: "always",
      addedCapabilities: [], image: image, imageID: imageID, restartCount: 0, exitCode: 0, pid: 0)
  }
}
