import Journaling
public import OnionModel
public import Transport

/// One signed POST of one event.
public struct WebhookRequest: Sendable {
  /// Name resolution, connection and TLS: a host that is down is known soon.
  static let connectLimit = Duration.seconds(10)
  /// Standard Webhooks asks for 15 to 30 s.
  public static let totalLimit = Duration.seconds(20)
  /// Of the answer; what is longer is not read, its status counts all the same.
  static let answerLimit = 64 << 10

  var request: HTTPRequest

  /// - Throws: `.secret`, `.encoding`.
  init(
    _ event: RecordedEvent, to endpoint: WebhookEndpoint, shortensAddresses: Bool,
    at now: Timestamp,
    timeout: Duration = totalLimit
  ) async throws(ReportingError) {
    let secret = try await Secret.read(endpoint.secretFile)
    let body = try CloudEvent(event, shortensAddresses: shortensAddresses).json()
    let signature = secret.signature(id: event.id, timestamp: now.seconds, body: body)
    request = HTTPRequest(
      "POST", endpoint.address.url,
      headers: [
        "Content-Type": CloudEvent.contentType,
        "User-Agent": "onionkeeper",
        "webhook-id": event.id,
        "webhook-timestamp": String(now.seconds),
        "webhook-signature": signature,
      ],
      body: .bytes(body),
      route: endpoint.via.map { .socks($0.authority, user: endpoint.name) } ?? .direct,
      limits: HTTPLimits(connect: Self.connectLimit, total: timeout, answer: nil),
      authorities: endpoint.caFile)
  }
}

/// Sends a signed sample to an endpoint, once, without any journal: `webhook test`.
/// - Returns: `nil` if it was taken, else why not.
public func sendSample(
  to endpoint: WebhookEndpoint, host: HostName, id: String, by client: HTTPClient, at now: Timestamp
) async throws(ReportingError) -> String? {
  let sample = RecordedEvent(
    position: 0, epoch: "sample-\(id)", sequence: 1,
    event: Event(
      kind: .agentHeartbeat, subject: "host", time: now,
      data: EventData(host: host, message: "A sample, sent by `onionkeeper webhook test`.")))
  let request = try await WebhookRequest(sample, to: endpoint, shortensAddresses: false, at: now)
  do {
    switch try await request.request.send(
      by: client, judge: { Verdict(status: $0, headers: $1, now: now) })
    {
    case .delivered: return nil
    case .again(let reason, _), .refused(let reason), .notSent(let reason): return reason
    case .gone: return "answered 410: it wants no events"
    }
  } catch {
    return "\(error)"
  }
}
