import OnionModel

/// What is left of a plan once nobody trusted would sign the accepted revision any more (`trust.signers` moved).
extension Planner {
  /// What is in force stays in force, and is kept so: drift is repaired. Nothing that the revision wants anew acts before a
  /// trusted descendant (promise 3). An instance that such news concerns is left as it is, but for what must not run at
  /// all (promises 2 and 4).
  mutating func holdNews(_ sight: Sight) {
    guard desired.isDistrusted else { return }
    let held = heldByNews
    for index in groups.indices {
      switch groups[index].subject {
      case .host: groups[index].steps.removeAll(where: \.isNews)
      case .instance(let instance) where held.contains(instance):
        groups[index] = StepGroup(subject: .instance(instance), steps: [])
      case .instance: break
      }
    }
    let revision = desired.revision?.short ?? "the accepted revision"
    for instance in held.sorted() {
      wait(
        .distrusted, instance: instance,
        "\(revision) is no longer trusted (`onionkeeper history` says why): what it asks of instance \(instance) anew"
          + " waits for a trusted descendant")
      protect(instance, members: [], containers: containers(of: instance, in: sight))
    }
  }

  /// Instances with news, and those whose steps wait for theirs.
  private var heldByNews: Set<InstanceName> {
    var held: Set<InstanceName> = []
    var count: Int
    repeat {
      count = held.count
      for group in groups {
        guard case .instance(let instance) = group.subject else { continue }
        if group.steps.contains(where: \.isNews) || !group.after.isDisjoint(with: held) {
          held.insert(instance)
        }
      }
    } while held.count > count
    return held
  }
}

extension Step {
  /// The accepted revision asks for it, and it was not so before. A backup is the host file's wish.
  var isNews: Bool {
    if case .backUpKey = action { return false }
    return cause == .change
  }
}
