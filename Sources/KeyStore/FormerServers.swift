import Descriptors
public import OnionModel

/// A container that somebody else runs, whose tor served a key before it was imported: as long as that one runs, ours is
/// not started.
public struct FormerServer: Hashable, Sendable {
  /// The engine's identifier.
  public var container: String
  /// Absolute paths on this host from which it has the key directory: one that is made anew has them, too.
  public var mounts: [String]

  public init(container: String, mounts: [String]) {
    self.container = container
    self.mounts = mounts
  }

  fileprivate var text: String {
    (["container \(container)"] + mounts.map { "mount \($0)" }).map { "\($0)\n" }.joined()
  }

  fileprivate init?(_ text: String) {
    var container: String?
    var mounts: [String] = []
    guard text.hasSuffix("\n") else { return nil }
    for line in text.split(separator: "\n") {
      if line.hasPrefix("container ") {
        container = String(line.dropFirst(10))
      } else if line.hasPrefix("mount /") {
        mounts.append(String(line.dropFirst(6)))
      } else {
        return nil
      }
    }
    guard let container else { return nil }
    self.init(container: container, mounts: mounts)
  }
}

extension KeyRoot {
  static let former: FileName = "former"
  /// A few paths.
  private static let formerLimit = 64 << 10

  /// Notes who served a key before, durably, beside the keys: a lost state folder must not start a second tor.
  public func note(_ former: FormerServer, of service: ServiceName) throws(KeyStoreError) {
    try changing("adopt") { root in
      guard !former.text.dropLast().contains(where: { $0 == "\r" || $0 == "\0" }),
        FormerServer(former.text) == former, former.text.utf8.count <= Self.formerLimit
      else {
        throw KeyStoreError(
          .io, "adopt",
          "a mount of container \(former.container.prefix(12)) has a name that cannot be noted")
      }
      if try root.own.status(of: Self.former) == nil { try root.own.makeFolder(Self.former) }
      try root.own.folder(Self.former).write(
        Array(former.text.utf8), to: FileName(service.text))
    }
  }

  /// Who served which key before; `nil` where a note is there and cannot be read: it may be anybody.
  public func formerServers() -> Observation<[ServiceName: FormerServer?]> {
    do {
      let root = try open("read who served keys before")
      guard try root.own.status(of: Self.former) != nil else { return .present([:]) }
      let folder = try root.own.folder(Self.former)
      var found: [ServiceName: FormerServer?] = [:]
      for name in try folder.names(limit: Self.placeLimit) {
        guard let service = name.text.flatMap({ ServiceName($0) }) else { continue }
        do {
          let bytes = try folder.regularFile(name).read(limit: Self.formerLimit)
          found.updateValue(
            FormerServer(String(decoding: bytes, as: UTF8.self)), forKey: service)
        } catch {
          found.updateValue(nil, forKey: service)
        }
      }
      return .present(found)
    } catch {
      return .unknown("\(error)")
    }
  }
}
