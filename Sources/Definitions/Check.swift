public import OnionModel

/// Everything that is wrong with a repository, in order of file and place; with hosts, also what each of them says,
/// once a host and with its name.
public func check(_ files: RepositoryFiles, hosts: [HostContext] = []) -> [Diagnostic] {
  let reading = readRevision(files)
  guard !hosts.isEmpty, !reading.isRefused else { return reading.diagnostics }
  let found = hosts.flatMap { host in
    resolve(reading, lastGood: [:], host: host).diagnostics.map { diagnostic in
      var diagnostic = diagnostic
      diagnostic.host = host.name
      return diagnostic
    }
  }
  return (reading.diagnostics + found + unplaced(reading, hosts)).sortedByPlace()
}

/// Of several hosts, one that carries a definition is expected: a misspelt name, glob or label selects none.
private func unplaced(_ reading: RevisionReading, _ hosts: [HostContext]) -> [Diagnostic] {
  guard hosts.count > 1 else { return [] }
  let names = hosts.map(\.name.text).sorted()
  return reading.services.values.compactMap(\.definition).filter { definition in
    !hosts.contains { definition.hosts.matches($0.name, labels: $0.labels) }
  }.map { definition in
    var warning = definition.error(
      definition.hostsPlace, "hosts",
      "select none of the hosts given (\(names.joined(separator: ", ")))")
    warning.severity = .warning
    return warning
  }
}
