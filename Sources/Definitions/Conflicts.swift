import OnionModel

/// Rejects the services whose definitions contradict each other, and no other.
func rejectConflicts(in reading: inout RevisionReading) {
  var errors: [ServiceName: [Diagnostic]] = [:]
  func add(_ definition: Definition, _ place: Place?, _ path: String, _ message: String) {
    errors[definition.name, default: []].append(definition.error(place, path, message))
  }
  let definitions = reading.services.values.compactMap(\.definition).sorted { $0.name < $1.name }

  let byAddress = Dictionary(
    grouping: definitions.filter { $0.service.address != nil }, by: { $0.service.address })
  for (_, group) in byAddress where group.count > 1 {
    for definition in group {
      let others = group.filter { $0.name != definition.name }.map(\.file)
      add(
        definition, definition.addressPlace, "address",
        "is also that of \(others.joined(separator: ", ")) (one definition an address)")
    }
  }

  let byFormer = Dictionary(
    grouping: definitions.filter { $0.service.formerly != nil }, by: { $0.service.formerly })
  for (former, group) in byFormer {
    guard let former else { continue }
    if group.count > 1 {
      for definition in group {
        let others = group.filter { $0.name != definition.name }.map(\.file)
        add(
          definition, definition.formerlyPlace, "formerly",
          "\(former) is also claimed by \(others.joined(separator: ", ")) (one heir)")
      }
    }
    guard let other = reading.services[former] else { continue }
    for definition in group {
      add(
        definition, definition.formerlyPlace, "formerly",
        "\(former) is still defined, by services/\(former).yaml (a name that is gone)")
      if let other = other.definition {
        add(
          other, other.hostsPlace, "",
          "\(definition.file) says that it was formerly \(former) (remove one of them)")
      }
    }
  }

  for (name, diagnostics) in errors {
    guard let old = reading.services[name] else { continue }
    reading.services[name] = .invalid(
      (old.diagnostics + diagnostics).sortedByPlace(), old.rejectedPart)
  }
}
