import OnionModel

/// Keys and their backups.
struct KeyCheck {
  let services: [OnionService]
  let keys: [KeyPlace: Observation<KeyDirectory>]
  let pins: Observation<[ServiceName: OnionAddress]>
  let damagedPins: [ServiceName: String]
  let backups: Observation<Set<String>>
  let recipients: [String]
  /// The host file, for messages.
  let file: String
  /// An agent keeps them: what it mends by itself is no trouble.
  let isKept: Bool

  var findings: [DoctorFinding] {
    var found: [DoctorFinding] = []
    if let reason = pins.unknownReason {
      found.append(DoctorFinding(.keys, .unknown, "the pinned addresses cannot be read: \(reason)"))
    }
    for (service, damage) in damagedPins.sorted(by: { $0.key < $1.key }) {
      found.append(DoctorFinding(.keys, .broken, "the pin of \(service): \(damage)"))
    }
    var whole = 0
    for service in services {
      let place = KeyPlace(instance: service.instance, service: service.name)
      let finding = judge(service, place, keys[place] ?? .absent)
      if finding == nil { whole += 1 }
      found += finding.map { [$0] } ?? []
    }
    if whole > 0 {
      found.append(
        DoctorFinding(.keys, .ok, "\(whole) \(whole == 1 ? "key is" : "keys are") whole"))
    }
    return found + undefined + backupFindings
  }

  private func judge(
    _ service: OnionService, _ place: KeyPlace, _ seen: Observation<KeyDirectory>
  ) -> DoctorFinding? {
    let pin = pins.value?[service.name] ?? service.address
    let mend = ["put it back from a backup: onionkeeper keys import FILE (see ops/keys.md)"]
    switch seen {
    case .unknown(let reason):
      return DoctorFinding(.keys, .unknown, "\(place) cannot be looked at: \(reason)")
    case .absent:
      guard pin == nil, service.key.isGenerated else {
        return DoctorFinding(
          .keys, .broken,
          "\(place): its key is not here" + (pin.map { " (\($0.shortened))" } ?? ""), mend: mend)
      }
      return DoctorFinding(.keys, .note, "\(place): its key is made by the next pass")
    case .present(let directory):
      switch directory.secret {
      case .missing:
        return DoctorFinding(.keys, .broken, "\(place): its secret key is missing", mend: mend)
      case .damaged(let reason):
        return DoctorFinding(.keys, .broken, "\(place): its secret key: \(reason)", mend: mend)
      case .whole(let address):
        if let pin, pin != address {
          return DoctorFinding(
            .keys, .broken,
            "\(place) makes \(address.shortened), and \(pin.shortened) is pinned", mend: mend)
        }
      }
      let flaws = directory.flaws.map(\.description) + directory.foreign.map { "foreign: \($0)" }
      guard let first = flaws.first else { return nil }
      return DoctorFinding(
        .keys, isKept ? .note : .risk,
        "\(place): \(first)" + (flaws.count > 1 ? " and \(flaws.count - 1) more" : ""),
        mend: isKept ? [] : ["onionkeeper apply"])
    }
  }

  private var undefined: [DoctorFinding] {
    let defined = Set(services.map { KeyPlace(instance: $0.instance, service: $0.name) })
    let others = keys.filter { !defined.contains($0.key) && !$0.value.isAbsent }.keys.sorted()
    guard !others.isEmpty else { return [] }
    let names = others.prefix(3).map(\.description).joined(separator: ", ")
    return [
      DoctorFinding(
        .keys, .note,
        "\(others.count) key \(others.count == 1 ? "directory" : "directories") of no definition here: \(names)"
      )
    ]
  }

  private var backupFindings: [DoctorFinding] {
    let whole = keys.compactMap { place, seen in seen.value?.address.map { (place, $0) } }
      .sorted { $0.0 < $1.0 }
    guard !whole.isEmpty else { return [] }
    guard !recipients.isEmpty else {
      return [
        DoctorFinding(
          .backups, .risk,
          "\(whole.count) \(whole.count == 1 ? "key is" : "keys are") nowhere but on this disk: backup.recipients is not set",
          mend: [
            "age-keygen -o backup-key.txt, kept on another machine",
            "backup: {recipients: [age1…]} in \(file)",
          ])
      ]
    }
    guard case .present(let files) = backups else {
      return [
        DoctorFinding(
          .backups, .unknown, "cannot be listed: \(backups.unknownReason ?? "not there")")
      ]
    }
    let missing = whole.filter {
      !files.contains(KeyBackup.fileName(of: $0.0.service, $0.1, recipients: recipients))
    }
    guard missing.isEmpty else {
      let names = missing.prefix(3).map(\.0.description).joined(separator: ", ")
      return [
        DoctorFinding(
          .backups, .risk,
          "\(missing.count) of \(whole.count) keys are not sealed to the recipients: \(names)",
          mend: ["onionkeeper apply", "onionkeeper history (says why it failed)"])
      ]
    }
    return [
      DoctorFinding(
        .backups, .ok,
        "all \(whole.count) sealed to \(recipients.count) recipients, beside the keys: copy them elsewhere"
      )
    ]
  }
}
