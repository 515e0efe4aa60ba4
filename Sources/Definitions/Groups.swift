import OnionModel

/// Services that name one instance share a tor and its container: what they may not say differently.
extension Definition {
  /// One limit or image of the container, where the file itself says it.
  private struct Wish {
    var path: String
    var mine: String
    var theirs: String
  }

  private func differences(from other: Definition) -> [Wish] {
    func wish<Value: Equatable>(
      _ path: String, _ value: (Defaults) -> Value?, _ text: (Value) -> String
    ) -> Wish? {
      guard let mine = value(own), let theirs = value(other.own), mine != theirs else { return nil }
      return Wish(path: path, mine: text(mine), theirs: text(theirs))
    }
    return [
      wish("container.image", { $0.image }, { $0 }),
      wish("container.memory", { $0.memory }, sizeText),
      wish("container.cpus", { $0.milliCPUs }, thousandthsText),
      wish("container.pids", { $0.pids }, { "\($0)" }),
    ].compactMap { $0 }
  }

  /// Whether both cannot be in one instance.
  func contradicts(_ other: Definition) -> Bool {
    service.tor.isSingleHop || other.service.tor.isSingleHop
      || !differences(from: other).isEmpty
  }

  /// What this file says against another one of the same instance.
  func contradictions(to other: Definition) -> [Diagnostic] {
    let group = "instance \(service.instance)"
    var found: [Diagnostic] = []
    if service.tor.isSingleHop {
      found.append(
        error(
          at: "tor.singleHop",
          "true, and \(other.file) is in \(group) too (a single-hop service shares with nobody)"))
    } else if other.service.tor.isSingleHop {
      found.append(
        error(
          at: "instance",
          "\(service.instance) is also that of \(other.file), which says tor.singleHop: true"
            + " (a single-hop service shares with nobody)"))
    }
    return found
      + differences(from: other).map { wish in
        error(
          at: wish.path,
          "\(wish.mine), and \(other.file) says \(wish.theirs) (one container carries \(group):"
            + " the same, or only one of them)")
      }
  }
}

/// Whether some of these may contradict each other: cheap, and true too often rather than not.
func mayContradict(_ group: [Definition]) -> Bool {
  func differ<Value: Hashable>(_ value: (Defaults) -> Value?) -> Bool {
    Set(group.compactMap { value($0.own) }).count > 1
  }
  return group.contains { $0.service.tor.isSingleHop } || differ { $0.image }
    || differ { $0.memory } || differ { $0.milliCPUs } || differ { $0.pids }
}

extension HostSelector {
  /// Whether a host that one of them names is also the other's, whatever its labels are.
  func surelyMeets(_ other: HostSelector) -> Bool {
    func names(_ selector: HostSelector) -> [HostName] {
      selector.patterns.compactMap { if case .name(let name) = $0 { name } else { nil } }
    }
    return names(self).contains { other.matches($0, labels: [:]) }
      || names(other).contains { matches($0, labels: [:]) }
  }
}
