import GRDB
public import OnionModel
import Synchronization

extension Journal {
  /// What the planner knows from before, with the approvals that are neither used nor expired at `now`.
  public func memory(agent: AgentID, now: Timestamp) async throws(JournalError) -> Memory {
    try await read("read memory") { database in
      let memory = try self.load(database, agent: agent, now: now)
      self.known.withLock { $0 = memory }
      return memory
    }
  }

  /// Writes what moved. Approvals and pauses are not among it: they are people's and may move during a pass
  /// (`approve`, `useApproval`, `setPaused`).
  public func store(_ memory: Memory, at now: Timestamp) async throws(JournalError) {
    try await write("store memory") { try self.store($0, memory, now) }
  }

  /// True from the day the file was made until `settle`: the caller says whether keys were already there.
  public func isUnsettled() async throws(JournalError) -> Bool {
    try await read("read memory") { try Meta.settled.read($0) == nil }
  }

  /// Says once, durably, whether this new journal came after keys (`Memory.isRebuilt`).
  public func settle(isRebuilt: Bool) async throws(JournalError) {
    try await write("settle") { database in
      try Meta.rebuilt.write(database, isRebuilt ? "true" : nil)
      try Meta.settled.write(database, "true")
      self.known.withLock { $0 = nil }
    }
  }

  /// Pauses or resumes a service by hand. `uid`: who asked.
  /// - Returns: whether that changed anything.
  public func setPaused(
    _ service: ServiceName, _ isPaused: Bool, uid: Int, at time: Timestamp, events: [Event] = []
  ) async throws(JournalError) -> Bool {
    try await write("pause") { database in
      if isPaused {
        try database.execute(
          sql: "INSERT INTO paused VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
          arguments: [service.text, uid, time.milliseconds])
      } else {
        try database.execute(sql: "DELETE FROM paused WHERE name = ?", arguments: [service.text])
      }
      guard database.changesCount > 0 else { return false }
      try self.record(database, events)
      return true
    }
  }

  private func load(_ database: Database, agent: AgentID, now: Timestamp) throws -> Memory {
    var memory = Memory(agent: agent)
    for row in try Row.fetchAll(database, sql: "SELECT name, memory FROM instance") {
      let name: String = row["name"]
      let place = "instance \(name)"
      memory.instances[try parsed(InstanceName(name), place: place)] = try JSON.value(
        row["memory"], place: place)
    }
    for row in try Row.fetchAll(database, sql: "SELECT name, instance FROM service") {
      let name: String = row["name"]
      let place = "service \(name)"
      memory.services[try parsed(ServiceName(name), place: place)] = try parsed(
        InstanceName(row["instance"]), place: place)
    }
    memory.previouslyDefined = try names(database, table: "previously_defined")
    memory.paused = try names(database, table: "paused")
    memory.identity = try Meta.identity.read(database)
    memory.isRebuilt = try Meta.rebuilt.read(database) != nil
    if let engine = try Meta.engine.read(database) {
      memory.engine = try JSON.value(engine, place: "meta engine")
    }
    if let held = try Meta.held.read(database) {
      memory.heldFromPruning = try JSON.value(held, place: "meta held")
    }
    memory.approvals = try RecordedApproval.fetch(database)
      .filter { $0.used == nil && $0.approval.expires > now }.map(\.approval)
    return memory
  }

  private func names(_ database: Database, table: String) throws -> Set<ServiceName> {
    Set(
      try String.fetchAll(database, sql: "SELECT name FROM \(table)")
        .map { try parsed(ServiceName($0), place: table) })
  }

  /// The part of a transaction that stores the memory. Runs on the journal's queue, like all that touches `known`.
  func store(_ database: Database, _ memory: Memory, _ now: Timestamp) throws {
    let before = try known.withLock { $0 } ?? load(database, agent: memory.agent, now: now)
    try storeInstances(database, memory.instances, before.instances)
    try difference(before.services, memory.services) { name, instance in
      if let instance {
        try database.execute(
          sql:
            "INSERT INTO service VALUES (?, ?) ON CONFLICT DO UPDATE SET instance = excluded.instance",
          arguments: [name.text, instance.text])
      } else {
        try database.execute(sql: "DELETE FROM service WHERE name = ?", arguments: [name.text])
      }
    }
    try storeDefined(database, memory.previouslyDefined, before.previouslyDefined)
    if memory.identity != before.identity { try Meta.identity.write(database, memory.identity) }
    if memory.isRebuilt != before.isRebuilt {
      try Meta.rebuilt.write(database, memory.isRebuilt ? "true" : nil)
    }
    if memory.engine != before.engine {
      try Meta.engine.write(database, memory.engine.map { try JSON.text($0) })
    }
    if memory.heldFromPruning != before.heldFromPruning {
      let held = memory.heldFromPruning.sorted()
      try Meta.held.write(database, held.isEmpty ? nil : try JSON.text(held))
    }
    database.afterNextTransaction { _ in self.known.withLock { $0 = memory } }
  }

  private func storeInstances(
    _ database: Database, _ now: [InstanceName: InstanceMemory],
    _ before: [InstanceName: InstanceMemory]
  ) throws {
    try difference(before, now) { name, instance in
      if let instance {
        try database.execute(
          sql:
            "INSERT INTO instance VALUES (?, ?) ON CONFLICT DO UPDATE SET memory = excluded.memory",
          arguments: [name.text, try JSON.text(instance)])
      } else {
        try database.execute(sql: "DELETE FROM instance WHERE name = ?", arguments: [name.text])
      }
    }
  }

  private func storeDefined(
    _ database: Database, _ now: Set<ServiceName>, _ before: Set<ServiceName>
  ) throws {
    guard now != before else { return }
    for name in now.subtracting(before) {
      try database.execute(
        sql: "INSERT INTO previously_defined VALUES (?) ON CONFLICT DO NOTHING",
        arguments: [name.text])
    }
    for name in before.subtracting(now) {
      try database.execute(
        sql: "DELETE FROM previously_defined WHERE name = ?", arguments: [name.text])
    }
  }

  /// Calls `change` for each key whose value moved: with the new value, or `nil` where it is gone.
  private func difference<Key: Hashable, Value: Equatable>(
    _ before: [Key: Value], _ now: [Key: Value], _ change: (Key, Value?) throws -> Void
  ) throws {
    for (key, value) in now where before[key] != value { try change(key, value) }
    for key in before.keys where now[key] == nil { try change(key, nil) }
  }
}
