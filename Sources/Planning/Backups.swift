import OnionModel

/// Keys sealed to the host file's recipients, in `.onionkeeper/backup/`.
extension Planner {
  /// The step right behind the one that makes or opens a key, before any container starts: nobody learns of an address
  /// whose key is not backed up yet. If it fails, the rest of the group is not begun; but the key is there then, the
  /// next plan starts its container, and the backup comes last. So a missing `age` delays a service, and stops none.
  ///
  /// - Parameter address: `nil`: not known before the step.
  func backup(of place: KeyPlace, _ address: OnionAddress?) -> [Step] {
    guard isBackupDue(place.service, address) else { return [] }
    return [backupStep(place, address)]
  }

  /// Backups of keys that were there before: only of instances that have nothing else to do, since a failed step would
  /// stop what comes after it, and make a repair look stalled.
  mutating func planBackups(_ sight: Sight) {
    guard !desired.backupRecipients.isEmpty else { return }
    if let reason = observed.backups.unknownReason {
      wait(
        .backup, "the backups of keys cannot be read, so none is made: \(reason)")
      return
    }
    let busy = Set(groups.filter { !$0.steps.isEmpty }.map(\.subject))
    for service in desired.services
    where !busy.contains(.instance(service.instance)) && !isPaused(service) {
      let place = KeyPlace(instance: service.instance, service: service.name)
      guard let address = observed.keys[place]?.value?.address,
        sight.pins[service.name] == address, service.address ?? address == address,
        isBackupDue(service.name, address)
      else { continue }
      if let retry = memory.instances[service.instance]?.keyRetries?[service.name],
        observed.now < retry.at
      {
        wait(
          .backup, service: service.name, instance: service.instance,
          "its key could not be backed up (`onionkeeper history` says why); it is tried again by itself"
        )
        continue
      }
      add(StepGroup(subject: .instance(service.instance), steps: [backupStep(place, address)]))
    }
  }

  private func isBackupDue(_ service: ServiceName, _ address: OnionAddress?) -> Bool {
    let recipients = desired.backupRecipients
    guard !recipients.isEmpty, observed.backups.unknownReason == nil else { return false }
    guard let address else { return true }
    let name = KeyBackup.fileName(of: service, address, recipients: recipients)
    return observed.backups.value?.contains(name) != true
  }

  private func backupStep(_ place: KeyPlace, _ address: OnionAddress?) -> Step {
    Step(
      .backUpKey(place, address, recipients: desired.backupRecipients), cause: .change,
      service: place.service,
      deviations: [
        Deviation(
          "backup of the key in \(place)",
          expected: "sealed to \(desired.backupRecipients.count)"
            + " recipients", observed: "none for them")
      ])
  }
}
