import OnionModel

/// Rejects the services whose definitions contradict each other, and no other.
func rejectConflicts(in reading: inout RevisionReading, of files: RepositoryFiles) {
  let definitions = reading.definitions
  let errors =
    addressConflicts(definitions) + heirConflicts(definitions, in: reading)
    + sealedConflicts(definitions, files, into: &reading) + certainGroupConflicts(definitions)
  reading.reject(errors)
}

private func addressConflicts(_ definitions: [Definition]) -> [Diagnostic] {
  let byAddress = Dictionary(
    grouping: definitions.filter { $0.service.address != nil }, by: { $0.service.address })
  return byAddress.values.filter { $0.count > 1 }.flatMap { group in
    group.map { definition in
      let others = group.filter { $0.name != definition.name }.map(\.file)
      return definition.error(
        at: "address",
        "is also that of \(others.joined(separator: ", ")) (one definition an address)")
    }
  }
}

private func heirConflicts(
  _ definitions: [Definition], in reading: RevisionReading
) -> [Diagnostic] {
  var errors: [Diagnostic] = []
  let byFormer = Dictionary(
    grouping: definitions.filter { $0.service.formerly != nil }, by: { $0.service.formerly })
  for (former, group) in byFormer {
    guard let former else { continue }
    for definition in group where group.count > 1 {
      let others = group.filter { $0.name != definition.name }.map(\.file)
      errors.append(
        definition.error(
          at: "formerly",
          "\(former) is also claimed by \(others.joined(separator: ", ")) (one heir)"
        ))
    }
    guard let other = reading.services[former] else { continue }
    for definition in group {
      errors.append(
        definition.error(
          at: "formerly",
          "\(former) is still defined, by services/\(former).yaml (a name that is gone)"))
      if let other = other.definition {
        errors.append(
          other.error(
            other.hostsPlace, "",
            "\(definition.file) says that it was formerly \(former) (remove one of them)"))
      }
    }
  }
  return errors
}

/// More in one instance are judged on their host only, where all of them are known to meet.
private let pairLimit = 1000

/// Contradictions of definitions that name one instance and a common host, whatever that host's labels are.
private func certainGroupConflicts(_ definitions: [Definition]) -> [Diagnostic] {
  let groups = Dictionary(grouping: definitions, by: \.service.instance)
  var errors: [Diagnostic] = []
  for group in groups.values
  where (2...pairLimit).contains(group.count) && mayContradict(group) {
    for definition in group {
      let other = group.lazy.filter { $0.name != definition.name }.first { other in
        definition.contradicts(other) && definition.hosts.surelyMeets(other.hosts)
      }
      if let other { errors += definition.contradictions(to: other) }
    }
  }
  return errors
}

extension RevisionReading {
  /// The valid ones, in order of name.
  var definitions: [Definition] {
    services.values.compactMap(\.definition).sorted { $0.name < $1.name }
  }

  /// Rejects the services whose files these errors are in.
  mutating func reject(_ errors: [Diagnostic]) {
    guard !errors.isEmpty else { return }
    let byFile = Dictionary(grouping: errors, by: \.file)
    for definition in definitions {
      guard let found = byFile[definition.file], let old = services[definition.name] else {
        continue
      }
      services[definition.name] = .invalid(
        (old.diagnostics + found).sortedByPlace(), old.rejectedPart)
    }
  }
}
