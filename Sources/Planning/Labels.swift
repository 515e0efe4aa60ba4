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

/// The domain is the engine's own for containers.
private func label(level: String) -> ContainerLabel {
  ContainerLabel(type: "container_t", level: level)
}

extension Planner {
  /// The categories of an instance: remembered for life, or the first free pair of those that its name suggests.
  func label(of instance: InstanceName) -> ContainerLabel? {
    guard observed.hasSELinux else { return nil }
    let levels = Levels(names: Set(instances.map(\.0)), memory: memory)
    return Planning.label(level: levels.level(of: instance))
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
