import FoundationEssentials
public import Journaling
import OnionModel

/// An event as CloudEvents 1.0 JSON in structured mode, with `epoch` and `sequence` as extension attributes: a receiver
/// that misses a number within an epoch can prove that it lost an event.
public struct CloudEvent: Hashable, Sendable, Encodable {
  public static let contentType = "application/cloudevents+json; charset=utf-8"

  var specversion = "1.0"
  var id: String
  var source: String
  var type: String
  var subject: String
  var time: String
  var epoch: String
  var sequence: Int64
  var datacontenttype = "application/json"
  var data: EventData

  /// - Parameter shortensAddresses: onion addresses become `abcdefgh….onion`, wherever they stand.
  public init(_ recorded: RecordedEvent, shortensAddresses: Bool) {
    let event = recorded.event
    id = recorded.id
    source = "onionkeeper://\(event.data.host)"
    type = "onionkeeper.\(event.kind.rawValue)"
    subject = event.subject
    time = event.time.description
    epoch = recorded.epoch
    sequence = recorded.sequence
    data = Self.bounded(event.data, shortensAddresses)
    self.address = (shortensAddresses ? event.data.address?.shortened : event.data.address?.text)
  }

  /// The address as it is sent: shortened, it is no valid `OnionAddress` any more.
  private var address: String?

  /// The exact bytes to sign and send: sorted keys, so that each try sends the same.
  public func json() throws(ReportingError) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return Array(try encoder.encode(self))
    } catch {
      throw ReportingError(.encoding, "write event \(id)", "it cannot be written as JSON")
    }
  }

  enum CodingKeys: CodingKey {
    case specversion, id, source, type, subject, time, epoch, sequence, datacontenttype, data
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(specversion, forKey: .specversion)
    try container.encode(id, forKey: .id)
    try container.encode(source, forKey: .source)
    try container.encode(type, forKey: .type)
    try container.encode(subject, forKey: .subject)
    try container.encode(time, forKey: .time)
    try container.encode(epoch, forKey: .epoch)
    try container.encode(sequence, forKey: .sequence)
    try container.encode(datacontenttype, forKey: .datacontenttype)
    try container.encode(SentData(data: data, address: address), forKey: .data)
  }

  /// Some receivers take no more than 64 KiB (CloudEvents' safe size); a deviation's text may be long.
  private static func bounded(_ data: EventData, _ shortens: Bool) -> EventData {
    func text(_ text: String, _ limit: Int) -> String {
      let shown = shortens ? shorteningAddresses(in: text) : text
      return shown.count > limit ? shown.prefix(limit) + "…" : shown
    }
    var data = data
    data.error = data.error.map { text($0, textLimit) }
    data.message = data.message.map { text($0, textLimit) }
    data.finding = data.finding.map { text($0, textLimit) }
    data.log = data.log.map { $0.suffix(logLimit).map { text($0, logTextLimit) } }
    data.drift = data.drift.map { drift in
      drift.prefix(deviationLimit).map {
        Deviation(
          text($0.what, deviationTextLimit), expected: text($0.expected, deviationTextLimit),
          observed: text($0.observed, deviationTextLimit))
      }
    }
    return data
  }

  private static let textLimit = 2_000
  /// As many lines as are kept of a tor's log.
  private static let logLimit = 20
  private static let logTextLimit = 500
  private static let deviationLimit = 50
  private static let deviationTextLimit = 300
}

/// `EventData`, with the address as it is sent.
private struct SentData: Encodable {
  var data: EventData
  var address: String?

  enum CodingKeys: CodingKey { case address }

  func encode(to encoder: any Encoder) throws {
    var bare = data
    bare.address = nil
    try bare.encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encodeIfPresent(address, forKey: .address)
  }
}

/// Cuts every run of exactly 56 base32 characters, the form of an onion address, to its first eight.
func shorteningAddresses(in text: String) -> String {
  func isBase32(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
      || (UInt8(ascii: "2")...UInt8(ascii: "7")).contains(byte)
  }
  var result: [UInt8] = []
  var run: [UInt8] = []
  func end() {
    result += run.count == 56 ? run.prefix(8) + Array("…".utf8) : run
    run = []
  }
  for byte in text.utf8 {
    if isBase32(byte) {
      run.append(byte)
    } else {
      end()
      result.append(byte)
    }
  }
  end()
  return String(decoding: result, as: UTF8.self)
}
