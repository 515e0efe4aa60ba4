import OnionModel

/// Groups of instances in order, each once those that it waits for are done.
struct GroupQueue {
  struct Entry {
    /// Its place in the plan.
    var index: Int
    var group: StepGroup
  }

  /// Not begun.
  private(set) var waiting: [Entry]
  /// Instances with a group of this plan that is not done: with none, there is nothing to wait for.
  private var unfinished: Set<InstanceName>

  init(_ entries: [Entry]) {
    waiting = entries
    unfinished = Set(entries.compactMap { $0.group.subject.instance })
  }

  /// The first that may begin now.
  mutating func next() -> Entry? {
    guard let index = waiting.firstIndex(where: { $0.group.after.isDisjoint(with: unfinished) })
    else { return nil }
    return waiting.remove(at: index)
  }

  /// One that failed stays unfinished: who waits for it never begins.
  mutating func note(_ subject: StepGroup.Subject, isDone: Bool) {
    if isDone, let instance = subject.instance { unfinished.remove(instance) }
  }
}

extension StepGroup.Subject {
  var instance: InstanceName? { if case .instance(let name) = self { name } else { nil } }
}
