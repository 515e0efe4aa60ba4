import Journaling
import KeyStore
public import OnionModel

/// `keys import` and `keys unseal`: puts keys from elsewhere into the key folder, beside a running agent, which sees them
/// at its next pass.
public struct KeyImporter: Sendable {
  /// One key that is here.
  public struct Report: Encodable, Sendable {
    public var service: ServiceName
    public var instance: InstanceName
    public var address: OnionAddress
    /// It was here before, at its place.
    public var wasThere: Bool
    /// Another key is at its place, which the definition wants no more: it lies in `retired/` under this name until the
    /// next pass exchanges the two.
    public var aside: String?
    public var warnings: [String]
    /// What the service's owner has to do next, a line each.
    public var next: [String]
  }

  private let configuration: HostConfiguration
  private let uid: Int

  /// - Parameter uid: who asks for it.
  public init(_ configuration: HostConfiguration, uid: Int) {
    self.configuration = configuration
    self.uid = uid
  }

  /// Imports the key of one service, to the instance that its accepted definition names, else its own name.
  /// - Parameters:
  ///   - source: a path, or `-` for standard input.
  ///   - instance: for a service that is not defined yet.
  ///   - address: what the key must make; chooses one of several.
  ///   - identity: opens a sealed source; else the host file's `ageIdentity`.
  /// - Throws: what keeps it from being imported; nothing was written then.
  public func one(
    _ service: ServiceName, from source: String, instance: InstanceName? = nil,
    address: OnionAddress? = nil, identity: String? = nil
  ) async throws -> Report {
    let work = try await KeyWork(configuration, uid: uid)
    let definitions = try await work.definitions()
    let definition = definitions[service]
    if let instance, let definition, definition.instance != instance {
      throw KeepingError(
        "services/\(service).yaml puts \(service) into instance \(definition.instance), not \(instance)"
      )
    }
    let expected = try expected(address, definition)
    let keys = try await reader(identity).read(try input(source), choosing: expected)
    let place = KeyPlace(
      instance: definition?.instance ?? instance ?? InstanceName(service), service: service)
    let owner = try await work.owner()
    let report = try await put(keys, 0, at: place, expected, definition, owner: owner, work)
    try await work.journal.close()
    return report
  }

  /// Imports all keys of an export of another host, each to its place there or to the instance that an accepted
  /// definition names. What is already here is left as it is, so it may be done again.
  /// - Throws: what keeps any of them from being imported. Those before it in order are here then.
  public func all(from source: String, identity: String? = nil) async throws -> [Report] {
    let work = try await KeyWork(configuration, uid: uid)
    let definitions = try await work.definitions()
    let keys = try await reader(identity).readAll(try input(source))
    let (directories, pins) = try await work.look()
    let owner = try await work.owner()
    var reports: [Report] = []
    for (index, entry) in keys.entries.enumerated() {
      guard var place = entry.place else { continue }
      let definition = definitions[place.service]
      if let definition { place.instance = definition.instance }
      if directories[place]?.address == entry.address, pins[place.service] == entry.address {
        reports.append(
          Report(
            service: place.service, instance: place.instance, address: entry.address,
            wasThere: true, warnings: [], next: []))
        continue
      }
      let expected = try expected(nil, definition)
      reports.append(
        try await put(keys, index, at: place, expected, definition, owner: owner, work))
    }
    try await work.journal.close()
    return reports
  }

  private func expected(
    _ address: OnionAddress?, _ definition: OnionService?
  ) throws(KeepingError) -> OnionAddress? {
    guard let wanted = definition?.address else { return address }
    guard address == nil || address == wanted else {
      throw KeepingError(
        "the accepted definition of \(definition?.name.text ?? "") says address: \(wanted)")
    }
    return wanted
  }

  private func reader(_ identity: String?) throws(KeepingError) -> KeyReader {
    KeyReader(identity: try identity.map(absolute) ?? configuration.ageIdentity)
  }

  private func input(_ source: String) throws(KeepingError) -> KeyInput {
    source == "-" ? .standardInput : .path(try absolute(source))
  }

  private func put(
    _ keys: KeyBundle, _ index: Int, at place: KeyPlace, _ expected: OnionAddress?,
    _ definition: OnionService?, owner: Int, _ work: KeyWork
  ) async throws -> Report {
    let key = keys.entries[index].address
    var aside: String?
    var address = key
    if definition?.address == key, try await isTaken(place, by: key, work) {
      let successor = try await work.keys.setAside(
        keys, index, for: place, owner: owner, now: wallTime())
      aside = successor.id
    } else {
      address = try await work.keys.importKey(
        keys, index, to: place, expecting: expected, owner: owner,
        definition?.companions ?? CompanionFiles(access: .open))
    }
    var warnings = keys.entries[index].warnings
    do {
      try await work.record(
        .keyRestored, "importKey", place, address,
        "imported the key of \(place.service)" + (aside.map { ", put aside as \($0)" } ?? ""))
    } catch {
      // The key is here all the same.
      warnings.append("the journal could not be told: \(error)")
    }
    return Report(
      service: place.service, instance: place.instance, address: address, wasThere: false,
      aside: aside, warnings: warnings, next: next(place, address, definition))
  }

  /// Another whole key is there, or another address is pinned, though the accepted definition says this one.
  private func isTaken(
    _ place: KeyPlace, by address: OnionAddress, _ work: KeyWork
  ) async throws -> Bool {
    let (directories, pins) = try await work.look()
    if let other = directories[place]?.address { return other != address }
    guard directories[place] == nil, let pin = pins[place.service] else { return false }
    return pin != address
  }

  private func next(
    _ place: KeyPlace, _ address: OnionAddress, _ definition: OnionService?
  ) -> [String] {
    let file = "services/\(place.service).yaml"
    guard let definition else {
      var lines = ["\(file): address: \(address)", "\(file): key: existing"]
      if place.instance != InstanceName(place.service) {
        lines.append("\(file): instance: \(place.instance)")
      }
      return lines
    }
    guard definition.address == nil else { return [] }
    return ["\(file): address: \(address)"]
      + (definition.key.isGenerated ? ["\(file): key: existing"] : [])
  }
}
