public import OnionModel

/// What the readable part of a rejected definition says about being open, and about hosts.
///
/// Everything here errs to the closed side: what is not proven is unknown.
public struct RejectedPart: Hashable, Sendable, Codable {
  public enum Openness: String, Hashable, Sendable, Codable {
    /// Whatever is mended, it says public.
    case provenPublic
    case clients
    case unknown
  }

  public var openness: Openness
  /// Keys of clients that are listed, in upper case; `nil` where the list cannot be known.
  public var listedKeys: Set<String>?
  /// `nil` where they cannot be known.
  public var hosts: HostSelector?
  /// The name that the service bore before, if it could be read.
  public var formerly: ServiceName?

  public init(
    openness: Openness, listedKeys: Set<String>?, hosts: HostSelector?,
    formerly: ServiceName? = nil
  ) {
    self.openness = openness
    self.listedKeys = listedKeys
    self.hosts = hosts
    self.formerly = formerly
  }

  /// Nothing could be read.
  public static let unknown = RejectedPart(openness: .unknown, listedKeys: nil, hosts: nil)

  /// The part of a definition that is valid by itself and rejected for what is around it.
  init(_ definition: Definition) {
    hosts = definition.hosts
    formerly = definition.service.formerly
    openness = definition.service.access.asksForClients ? .clients : .provenPublic
    listedKeys = Set(definition.service.access.clients.map(\.key))
  }

  init(_ reading: DocumentReading, source: [UInt8]) {
    guard let root = reading.document.root, case .mapping = root.content else {
      self = .unknown
      return
    }
    hosts =
      root.pairs.count(where: { $0.key == "hosts" }) == 1 ? HostSelector(whole: reading, root) : nil
    formerly = reading.value?["formerly"]?.text.flatMap { ServiceName($0) }
    openness = provenOpenness(reading, root, source: source)
    listedKeys = listed(root, isWhole: reading.document.isWhole)
  }
}

extension HostSelector {
  fileprivate init?(whole reading: DocumentReading, _ root: YAMLNode) {
    guard let node = root.pairs.first(where: { $0.key == "hosts" })?.value, node.isWhole else {
      return nil
    }
    self.init(reading.value?["hosts"])
  }
}

/// `access` of a rejected document.
///
/// It is proven public if it says `access: public`, once; or if it was read whole, says nothing of access or
/// clients anywhere, and holds no key that could be a misspelling of either. Where reading broke off, the rest of
/// the text must not mention either word: half of a merge conflict may say the other thing.
private func provenOpenness(
  _ reading: DocumentReading, _ root: YAMLNode, source: [UInt8]
) -> RejectedPart.Openness {
  let written = root.pairs.filter { $0.key == "access" }
  if written.contains(where: { $0.value.text == "clients" }) { return .clients }
  let isWhole = reading.document.isWhole
  if written.count == 1, written[0].value.text == "public" {
    if isWhole { return restricts(root, depth: 0) ? .unknown : .provenPublic }
    return mentions(source) == 1 ? .provenPublic : .unknown
  }
  guard written.isEmpty, isWhole, !root.pairs.contains(where: { $0.key == "clients" }),
    !restricts(root, depth: 0), reading.unknownKeys.allSatisfy({ $0.meant != nil }),
    !reading.document.hasRefusedKeys
  else { return .unknown }
  return .provenPublic
}

/// Whether a key that looks like `access` or `clients` stands where it means nothing: misspelt or misplaced.
private func restricts(_ node: YAMLNode, depth: Int) -> Bool {
  switch node.content {
  case .mapping(let pairs):
    pairs.contains { pair in
      let isOurs = depth == 0 && (pair.key == "access" || pair.key == "clients")
      return !isOurs && nearest(to: pair.key, among: ["access", "clients"]) != nil
        || restricts(pair.value, depth: depth + 1)
    }
  case .sequence(let items): items.contains { restricts($0, depth: depth + 1) }
  case .scalar, .unreadable: false
  }
}

/// How often a text speaks of access or clients, in any case.
private func mentions(_ source: [UInt8]) -> Int {
  let lower = source.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }
  return [Array("access".utf8), Array("client".utf8)].reduce(0) { total, word in
    var count = total
    var index = 0
    while index + word.count <= lower.count {
      if lower[index] == word[0], lower[index..<(index + word.count)].elementsEqual(word) {
        count += 1
      }
      index += 1
    }
    return count
  }
}

/// The keys that every list of clients in the document names; a misspelt `clients` counts as one.
private func listed(_ root: YAMLNode, isWhole: Bool) -> Set<String>? {
  let lists = root.pairs.filter {
    $0.key == "clients"
      || nearest(to: $0.key, among: DefinitionFields.definition.map(\.name)) == "clients"
  }
  guard let first = lists.first else { return isWhole ? [] : nil }
  guard lists.allSatisfy({ $0.value.isWhole }) else { return nil }
  return lists.dropFirst().reduce(keys(first.value)) { $0.intersection(keys($1.value)) }
}

private func keys(_ list: YAMLNode) -> Set<String> {
  Set(
    list.items.compactMap { item in
      item.pairs.first { $0.key == "key" }?.value.text.flatMap(ClientKey.read)
    })
}
