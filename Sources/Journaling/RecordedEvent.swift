import GRDB
public import OnionModel

/// An event with its place in the journal.
public struct RecordedEvent: Hashable, Sendable {
  /// Its place among all events of this file, over epochs: what `events(after:)` continues from.
  public var position: Int64
  public var epoch: String
  /// From 1, without gaps within its epoch.
  public var sequence: Int64
  public var event: Event

  public init(position: Int64, epoch: String, sequence: Int64, event: Event) {
    self.position = position
    self.epoch = epoch
    self.sequence = sequence
    self.event = event
  }

  /// Unique for ever and the same over all retries: the receiver's idempotency key. Has no dot, as Standard Webhooks asks.
  public var id: String { "\(epoch)-\(sequence)" }
}

extension RecordedEvent {
  init(row: Row) throws {
    let position: Int64 = row["position"]
    let place = "event \(position)"
    self.init(
      position: position, epoch: row["epoch"], sequence: row["sequence"],
      event: Event(
        kind: try parsed(EventKind(rawValue: row["kind"]), place: place), subject: row["subject"],
        time: Timestamp(milliseconds: row["time"]), data: try JSON.value(row["data"], place: place))
    )
  }
}

extension Event {
  /// What makes two events the same news: every typed field; not the sentence, the pass, the duration, the count.
  var fingerprint: String {
    get throws {
      var bare = data
      bare.message = nil
      bare.duration = nil
      bare.pass = nil
      bare.count = nil
      return sha256("\(kind.rawValue)\n\(subject)\n\(try JSON.text(bare))")
    }
  }

  /// Events that speak of the same fact, one after another: `engine.unreachable` and `engine.reachable`. An equal event
  /// is only counted while no other of its family came between, else the last word that a receiver has would be wrong.
  var family: String {
    let group = kind.rawValue.prefix { $0 != "." }
    var parts = [String(group), subject, data.service?.text ?? "", data.instance?.text ?? ""]
    if group == "action" { parts.append(data.action ?? "") }
    parts.append((data.drift ?? []).map(\.what).sorted().joined(separator: ","))
    return parts.joined(separator: "\n")
  }
}
