import OnionModel

/// Who may use a key that lies in more than one place: two tors with one key take turns being reachable.
extension Planner {
  /// How strong a place's claim to an address is, the strongest first: the pin decides, and between two that are pinned,
  /// which one runs.
  private enum Claim: Int { case pinnedAndServed, pinned, served, none }

  /// Another place with a better claim to the key that was seen at `place`; where neither has any, every other one.
  func rival(
    of address: OnionAddress, at place: KeyPlace, _ service: OnionService, _ sight: Sight
  ) -> KeyPlace? {
    let others = holders(of: address, beside: service, at: place, sight)
    let own = claim(place, to: address, sight)
    if own == .none { return others.first }
    return others.first { other in
      (claim(other, to: address, sight).rawValue, other) < (own.rawValue, place)
    }
  }

  /// Who has a key that is about to be put where none is, or has more reason to get it. In words; `nil`: nobody.
  func holder(
    of address: OnionAddress, wantedAt place: KeyPlace, _ service: OnionService, _ sight: Sight
  ) -> String? {
    if let other = holders(of: address, beside: service, at: place, sight).first {
      return "\(other)"
    }
    func reason(_ other: OnionService) -> (Int, ServiceName) {
      (other.address == address ? 0 : 1, other.name)
    }
    return desired.services.first {
      $0.name != service.name && $0.name != service.formerly
        && ($0.address ?? sight.pins[$0.name]) == address && reason($0) < reason(service)
    }.map { "service \($0.name)" }
  }

  /// Other places that were seen to hold the key, or whose tor has read it, in order.
  private func holders(
    of address: OnionAddress, beside service: OnionService, at place: KeyPlace, _ sight: Sight
  ) -> [KeyPlace] {
    let seen = observed.keys.filter { $0.key != place && $0.value.value?.address == address }.keys
    let served = memory.services.map { KeyPlace(instance: $0.value, service: $0.key) }.filter {
      serves($0, address, sight) && !isSucceeded($0, by: service)
    }
    return Set(seen).union(served).sorted()
  }

  private func claim(_ place: KeyPlace, to address: OnionAddress, _ sight: Sight) -> Claim {
    switch (sight.pins[place.service] == address, serves(place, address, sight)) {
    case (true, true): .pinnedAndServed
    case (true, false): .pinned
    case (false, true): .served
    case (false, false): .none
    }
  }

  /// A tor of ours has read that key there, and its container still stands.
  private func serves(_ place: KeyPlace, _ address: OnionAddress, _ sight: Sight) -> Bool {
    memory.services[place.service] == place.instance
      && memory.instances[place.instance]?.applied?.services[place.service]?.address == address
      && !containers(of: place.instance, in: sight).isEmpty
  }

  /// Its tor forgets it before, or in the same reload in which, the service's own reads the key: the same service in
  /// an older place, and one that is no longer defined in the same tor.
  private func isSucceeded(_ place: KeyPlace, by service: OnionService) -> Bool {
    place.service == service.name || place.service == service.formerly
      || place.instance == service.instance
        && !desired.services.contains { $0.name == place.service }
  }
}
