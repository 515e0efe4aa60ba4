public import OnionModel

/// The label of each instance that is defined or remembered, as a plan gives it: also before anything has noted it, so
/// that what was imported or made without a label is seen to need one.
///
/// - Returns: empty where SELinux is off.
public func labels(
  of desired: Desired, knowing memory: Memory, hasSELinux: Bool
) -> [InstanceName: ContainerLabel] {
  guard hasSELinux else { return [:] }
  let names = Set(desired.services.filter { desired.stopped[$0.name] == nil }.map(\.instance))
  return Levels(names: names, memory: memory).all.mapValues(label(level:))
}

/// Of an instance's files: the domain does not matter there.
private func label(level: String) -> ContainerLabel {
  ContainerLabel(type: ContainerLabel.commonType, level: level)
}

extension Planner {
  /// The domain of an instance's container, and its categories: remembered for life, or the first free pair of those that
  /// its name suggests.
  func label(of instance: InstanceName) -> ContainerLabel? {
    guard observed.hasSELinux else { return nil }
    let levels = Levels(names: Set(instances.map(\.0)), memory: memory)
    return ContainerLabel(
      type: currentDomain(of: instance) ?? nextDomain, level: levels.level(of: instance))
  }

  /// What a new container gets: our own domain where the loaded policy has it.
  private var nextDomain: String {
    observed.hasOwnDomain == true ? ContainerLabel.ownType : ContainerLabel.commonType
  }

  /// What the container that is there was proven with. Once the policy has lost our domain, its processes have none, and
  /// are replaced; where the kernel could not be asked, nothing changes.
  private func currentDomain(of instance: InstanceName) -> String? {
    guard let remembered = memory.instances[instance], let type = remembered.proven?.label?.type,
      type == ContainerLabel.commonType || observed.hasOwnDomain != false
    else { return nil }
    guard case .present(let containers) = observed.containers else { return type }
    return containers.contains { remembered.containerIDs.contains($0.id) && !$0.isLeaving }
      ? type : nil
  }

  /// A module that was installed is no reason to restart a tor (promise 7): what is there keeps its domain, and the next
  /// container, for whatever reason it is made, gets the new one. Should its proof fail, the previous one comes back.
  func withNextDomain(
    _ specification: ContainerSpecification, unless containers: [ContainerObservation]
  ) -> ContainerSpecification {
    guard specification.label != nil,
      !containers.contains(where: {
        $0.specificationDigest == specification.digest && !$0.isLeaving
      })
    else { return specification }
    var next = specification
    if observed.hasOwnDomain != nil { next.label?.type = nextDomain }
    return next
  }
}

/// Which pair of categories is whose. The engines take such pairs at random, and never one that a container of theirs was
/// created with by name: with theirs ours collide once in half a million.
private struct Levels {
  /// Instances that a plan decides about.
  let names: Set<InstanceName>
  let memory: Memory

  /// Of all that are decided about or remembered.
  var all: [InstanceName: String] {
    var levels = memory.instances.compactMapValues(\.level)
    var taken = Set(levels.values)
    // Newly named instances of one plan must not suggest the same pair either: each tries its own sequence,
    // and those that come before it in order have theirs first.
    for name in names.sorted() where levels[name] == nil {
      let level = free(name, taken)
      levels[name] = level
      taken.insert(level)
    }
    return levels
  }

  func level(of instance: InstanceName) -> String {
    memory.instances[instance]?.level ?? all[instance]
      ?? free(instance, Set(memory.instances.values.compactMap(\.level)))
  }

  private func free(_ instance: InstanceName, _ taken: Set<String>) -> String {
    var attempt = 0
    var level = suggested(instance, attempt)
    while taken.contains(level) {
      attempt += 1
      level = suggested(instance, attempt)
    }
    return level
  }

  /// FNV-1a of agent, name and attempt, as a pair of 1024 categories with the lower one first. Of the agent, too: two of
  /// them on one host may have instances of one name.
  private func suggested(_ instance: InstanceName, _ attempt: Int) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in "\(memory.agent)/\(instance)/\(attempt)".utf8 {
      hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
    }
    let first = Int(hash % 1024)
    let second = (first + 1 + Int(hash >> 32 % 1023)) % 1024
    return "s0:c\(min(first, second)),c\(max(first, second))"
  }
}
