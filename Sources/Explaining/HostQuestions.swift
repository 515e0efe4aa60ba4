import SELinux

extension Explainer {
  /// What would tell more than what was read: paths and users of the findings, the booleans and rules that they hang on.
  public func questions() -> HostQuestions {
    var paths: [String] = []
    for group in facts.log.groups {
      for key in ["path", "file"] {
        if let path = group.captures[key], path.hasPrefix("/") { paths.append(path) }
      }
    }
    paths += facts.torrc.services.map(\.directory).filter { $0.hasPrefix("/") }
    let denials = auditSoFar.denials
    // A container's path means another file on the host.
    paths += denials.filter { $0.sourceType == "tor_t" }.compactMap(\.path).filter {
      $0.hasPrefix("/")
    }
    var users = [facts.torrc.user, facts.units.tor?.user].compactMap { $0 }
    users += ["toranon", "debian-tor", "tor", "_tor"]
    let rules = denials.filter { !$0.isGranted }.flatMap { denial in
      denial.permissions.map {
        "\(denial.sourceType) \(denial.targetType) \(denial.targetClass) \($0)"
      }
    }
    return HostQuestions(
      paths: Self.some(paths), users: Self.some(users),
      booleans: [
        "tor_can_onion_services", "tor_bind_all_unreserved_ports", "tor_can_network_relay",
      ],
      rules: Self.some(rules.filter { !$0.contains("?") }))
  }

  /// Each once, in order, as many as are asked for.
  private static func some(_ all: [String]) -> [String] {
    var seen: Set<String> = []
    return Array(all.filter { seen.insert($0).inserted }.prefix(HostQuestions.limit))
  }
}
