/// What an image is made from.
public enum BaseImage: Hashable, Sendable, Codable, CustomStringConvertible {
  /// A reference that the engine pulls: `docker.io/library/alpine:3.22`.
  case reference(String)
  /// A Debian suite, bootstrapped by mmdebstrap on this host without any registry: `bootstrap:bookworm`.
  case bootstrap(String)

  public var description: String {
    switch self {
    case .reference(let reference): reference
    case .bootstrap(let suite): "bootstrap:\(suite)"
    }
  }
}

/// How the image of our instances is built. Two equal recipes make one image; its tag is the recipe's digest.
public struct ImageRecipe: Hashable, Sendable, Codable {
  /// Raised when the Dockerfile changes: the images roll out anew.
  public static let version = 1

  /// `onionkeeper`: prefix of the image's name.
  public var prefix: String
  public var base: BaseImage

  public init(prefix: String, base: BaseImage) {
    self.prefix = prefix
    self.base = base
  }

  /// The local name that a base is imported or pulled under.
  public var baseReference: String {
    switch base {
    case .reference(let reference): reference
    case .bootstrap(let suite): "\(prefix)-base:\(suite)"
    }
  }

  /// A container's image: `onionkeeper-tor:0123456789ab`.
  public var reference: String { "\(prefix)-tor:\(digest.prefix(12))" }

  public var digest: String { sha256("\(Self.version)\n\(base)\n\(dockerfile)") }

  /// Makes the mount points; Debian's base has tor already, Alpine's gets it from its own packages.
  public var dockerfile: String {
    var lines = ["FROM \(baseReference)"]
    if case .reference = base { lines.append("RUN apk add --no-cache tor") }
    lines += [
      "RUN rm -f /etc/tor/torrc && mkdir -p /keys /data /run/tor /etc/onionkeeper",
      "USER \(TorLayout.user):\(TorLayout.user)",
      "ENTRYPOINT [\"/bin/sh\", \"\(TorLayout.guardPath)\"]",
    ]
    return lines.joined(separator: "\n") + "\n"
  }
}

/// An image that is in the engine.
public struct ImageObservation: Hashable, Sendable {
  public var id: String
  public var reference: String

  public init(id: String, reference: String) {
    self.id = id
    self.reference = reference
  }
}
