public import Journaling
import OnionModel

/// A receiver of events, as the host file describes it.
public struct WebhookEndpoint: Hashable, Sendable {
  public var name: String
  public var address: WebhookAddress
  /// Holds one `whsec_…` a line; read at each use.
  public var secretFile: String
  public var events: [EventPattern]
  public var via: WebhookProxy?
  /// PEM file of the authorities to trust instead of the system's.
  public var caFile: String?

  /// - Parameter name: unique among the endpoints; by default the host and eight digits of the URL's digest, since the
  ///   path may be a secret.
  public init(
    name: String? = nil, address: WebhookAddress, secretFile: String,
    events: [EventPattern] = [.all], via: WebhookProxy? = nil, caFile: String? = nil
  ) {
    self.name = name ?? "\(address.host)-\(sha256(address.url).prefix(8))"
    self.address = address
    self.secretFile = secretFile
    self.events = events
    self.via = via
    self.caFile = caFile
  }

  /// What the journal knows of it: no URL, no secret.
  public var specification: EndpointSpecification {
    EndpointSpecification(
      name: name,
      digest: sha256([address.url, secretFile, via?.authority ?? ""].joined(separator: "\n")),
      patterns: events)
  }
}
