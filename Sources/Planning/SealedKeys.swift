import OnionModel

extension Planner {
  /// Another key is there than the definition's new `address:`, whose key is sealed in the revision: it is opened beside
  /// the one that is there, which is served on meanwhile, and the next plan exchanges the two.
  /// - Returns: `nil` where the file, the identity or the pin says that it is not that simple.
  func decideSealedSuccession(
    of address: OnionAddress, by wanted: OnionAddress, _ service: OnionService, _ place: KeyPlace,
    _ sight: Sight
  ) -> KeyDecision? {
    guard case .sealed(let file) = service.key, service.address == wanted,
      sight.pins[service.name] == address, let sealed = desired.sealedKeys[file],
      let identity = desired.ageIdentity, holder(of: wanted, wantedAt: place, service, sight) == nil
    else { return nil }
    if let retry = memory.instances[service.instance]?.keyRetries?[service.name],
      observed.now < retry.at
    {
      return held(
        .keyMismatch, service,
        "\(place) holds the key of \(address), and that of \(wanted) could not be taken from \(file)"
          + " (`onionkeeper history` says why): mend the file or `ageIdentity`; it is tried again by itself"
      )
    }
    return .ready(
      address,
      steps: [
        Step(
          .unsealAside(
            place, sealed, identity: identity, wanted, owner: observed.torOwner), cause: .change,
          service: service.name,
          deviations: [
            Deviation("key in \(place)", expected: wanted.text, observed: address.text)
          ])
      ])
  }

  /// Opens the sealed key of a service whose key directory is not there.
  ///
  /// This makes no new identity, so a lost state folder does not hold it (`approve --new-keys`): the file says which
  /// key it is, and a trusted revision says which file. The pins were read, and a service without one never ran here
  /// under another address: a pin is on the disk before a container is made, and no removal takes it away. Where one
  /// is known, the file must make that address, so what comes back is the pinned key and nothing else (promise 1).
  ///
  /// - Parameter address: what it must make, if that is known.
  func decideSealed(
    _ file: String, making address: OnionAddress?, _ service: OnionService, _ place: KeyPlace,
    _ sight: Sight
  ) -> KeyDecision {
    let kind: Waiting.Kind = sight.pins[service.name] == nil ? .keyMissing : .keyLost
    let whose = address.map { "the key of \($0)" } ?? "its key"
    guard let sealed = desired.sealedKeys[file] else {
      return held(
        kind, service,
        "\(whose) is not on this host, and the revision has no \(file), which its definition names:"
          + " commit the file that `onionkeeper keys seal` writes")
    }
    guard let identity = desired.ageIdentity else {
      return held(
        kind, service,
        "\(whose) is sealed in \(file), and nothing opens it here: set `ageIdentity` in the host file"
      )
    }
    if let retry = memory.instances[service.instance]?.keyRetries?[service.name],
      observed.now < retry.at
    {
      return held(
        kind, service,
        "\(whose) could not be taken from \(file) (`onionkeeper history` says why): mend the file or"
          + " `ageIdentity`; it is tried again by itself")
    }
    let isReturn = address != nil && memory.services[service.name] == service.instance
    let opening = Step(
      .unsealKey(
        place, sealed, identity: identity, address, owner: observed.torOwner, service.companions,
        label(of: service.instance)),
      cause: isReturn ? .drift : .change, service: service.name,
      deviations: [
        Deviation(whose, expected: "in \(place)", observed: "none there, sealed in \(file)")
      ])
    let steps = [opening] + backup(of: place, address)
    guard let address else { return .opening(steps: steps) }
    return .ready(address, steps: steps)
  }
}
