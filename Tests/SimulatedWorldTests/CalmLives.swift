import Journaling
import OnionModel
import SimulatedWorld

extension Harness {
  /// A life without faults: commits, and passes until nothing is left to do. Whoever no commit concerns is not disturbed.
  static func runCalm(seed: UInt64, planner: @escaping Planner = shipped) async throws -> Life {
    var harness = try await Harness(seed, 1, planner, audited)
    for _ in 0..<12 {
      let before = harness.commits.desired
      let running = await harness.world.host.servers
      try await harness.commit()
      try await harness.passUntilQuiet()
      let after = harness.commits.desired
      let processes = await harness.world.host.servers
      for (service, process) in running.sorted(by: { $0.key < $1.key })
      where !process.isSame(as: processes[service])
        && isUntouched(service, process, before, after)
      {
        await harness.world.report(
          Violation(
            "untouched.interrupted",
            "\(service) ran as \(process), and runs as \(String(describing: processes[service]))"
          ))
      }
      let memory = try await harness.journal.memory(
        agent: harness.agent, now: harness.world.clock.now)
      for difference in await harness.world.host.differences(from: after, memory) {
        await harness.world.report(difference)
      }
    }
    return Life(
      violations: await harness.world.violations, log: await harness.world.log,
      passes: harness.passes, steps: harness.steps)
  }

  /// As many rounds as one pass of the agent has; a second pass is one too many.
  private mutating func passUntilQuiet() async throws {
    for _ in 0..<Self.calmRounds {
      if try await pass(isCalm: true, isApproved: true).isEmpty { return }
    }
    let plan = try await pass(isCalm: true, isApproved: true)
    if !plan.isEmpty {
      await world.report(Violation("restless", "\(plan.steps.map(\.action))"))
    }
  }

  /// Nothing that its process is made of moved: container, access of those that it serves, network.
  private static func isUntouched(
    _ name: ServiceName, _ process: SimulatedHost.Process, _ before: Desired, _ after: Desired
  ) -> Bool {
    guard before.recipe == after.recipe, before.network == after.network,
      let old = before.services.first(where: { $0.name == name }),
      let new = after.services.first(where: { $0.name == name }), old == new,
      before.stopped[name] == nil, after.stopped[name] == nil
    else { return false }
    let (left, right) = (Neighbours(of: old.instance, before), Neighbours(of: old.instance, after))
    // A guest has mounts and limits of its own.
    guard process.instance == old.instance,
      process.served.isSubset(of: left.members.map(\.name)), left.mounts == right.mounts,
      left.limits == right.limits, !left.isPaused, !right.isPaused
    else { return false }
    // Who loses access is shut out by a restart, and so is whoever holds an open descriptor.
    return left.members.allSatisfy { member in
      guard let access = right.access(of: member.name) else { return true }
      return member.access.isWithin(access)
    }
  }
}

extension SimulatedHost.Process {
  fileprivate func isSame(as other: Self?) -> Bool {
    container == other?.container && number == other?.number
  }
}

/// The members of one instance, together.
private struct Neighbours {
  var members: [OnionService]

  init(of instance: InstanceName, _ desired: Desired) {
    members = desired.services.filter {
      $0.instance == instance && desired.stopped[$0.name] == nil
    }
  }

  var mounts: Set<String> {
    Set(members.flatMap(\.ports).compactMap { $0.target.socket?.directory })
  }
  var limits: Int { members.map(\.limits.memory).max() ?? 0 }
  var isPaused: Bool { members.contains(where: \.isPaused) }

  /// Under whatever name it is known.
  func access(of name: ServiceName) -> Access? {
    (members.first { $0.name == name } ?? members.first { $0.formerly == name })?.access
  }
}
