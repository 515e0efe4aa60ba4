public import Definitions
public import GitSource
public import OnionModel
public import Reporting

/// What the machine's owner decides, from the host file; no repository can widen it.
public struct HostConfiguration: Sendable {
  /// Where the engine answers.
  public enum EngineSocket: Hashable, Sendable {
    /// The one of the well-known sockets that is there; two are an error at set-up.
    case automatic
    case path(String)
  }

  /// The host file that it was read from, absolute.
  public var file: String
  /// A digest of the file, and of the network lines and signers that it names: equal means nothing moved.
  public var fingerprint: String
  public var host: HostName
  public var labels: [String: String]
  public var repository: RepositorySource
  public var trust: TrustPolicy
  /// `trust.since`: what the first revision must descend from.
  public var floor: CommitID?
  /// `trust.freshness`: seconds after which the newest accepted commit is old.
  public var freshness: Double?
  /// Seconds between passes, ±10 %.
  public var interval: Double
  /// Act on the newest commit first seen at least this many seconds ago.
  public var soak: Double
  public var engine: EngineSocket
  public var layout: AgentLayout
  public var base: BaseImage
  public var allow: AllowList
  /// `allow.services`
  public var serviceLimit: Int
  public var webhooks: [WebhookEndpoint]
  /// Commit statuses.
  public var forge: ForgeEndpoint?
  /// The push hook.
  var push: PushDoor.Configuration?
  public var network: TorNetwork
  /// What `status` shows where the network is not the public one: `off` or the file's path.
  public var networkNote: String?
  public var redactsAddresses: Bool
  /// The file that opens sealed keys.
  public var ageIdentity: String?
  /// age recipients that each key is sealed to at once.
  public var backupRecipients: [String] = []
  /// `allow.singleHop`
  public var allowsSingleHop = false

  /// All who get events.
  public var receivers: [EventReceiver] {
    webhooks.map(EventReceiver.webhook) + [forge.map(EventReceiver.forge)].compactMap { $0 }
  }

  public var context: HostContext {
    HostContext(
      name: host, labels: labels, allow: allow, serviceLimit: serviceLimit,
      allowsSingleHop: allowsSingleHop)
  }

  public var recipe: ImageRecipe { ImageRecipe(prefix: layout.prefix, base: base) }

  /// A digest of the host's own identity and source: removals after it moved wait for a person.
  public var identity: String {
    let labels = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    return sha256(
      ([host.text, repository.url, repository.branch, repository.path] + labels)
        .joined(separator: "\n"))
  }

  /// What the anchor belongs to: another repository or branch has another history.
  public var sourceDigest: String {
    sha256([repository.url, repository.branch, repository.path].joined(separator: "\n"))
  }
}
