import Descriptors
public import OnionModel

/// The last accepted revision and where it came from, kept beside the keys so that a lost or restored state folder
/// permits no roll-back (product.md §4).
public struct Anchor: Hashable, Sendable {
  public var commit: CommitID
  /// A digest of url and branch: after a change of either, the anchor is of another history.
  public var source: String

  public init(commit: CommitID, source: String) {
    self.commit = commit
    self.source = source
  }

  fileprivate var text: String { "onionkeeper-anchor 1\ncommit \(commit)\nsource \(source)\n" }

  fileprivate init?(_ text: String) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count == 4, lines[0] == "onionkeeper-anchor 1", lines[1].hasPrefix("commit "),
      lines[2].hasPrefix("source "), lines[3].isEmpty,
      let commit = CommitID(String(lines[1].dropFirst(7)))
    else { return nil }
    self.init(commit: commit, source: String(lines[2].dropFirst(7)))
  }
}

extension KeyRoot {
  private static let anchor: FileName = "anchor"
  /// A commit, a digest, two words.
  private static let anchorLimit = 1024

  /// The anchor. Unknown where its file is damaged, or the folder is not this agent's.
  public func anchor() -> Observation<Anchor> {
    do {
      let root = try open("read the anchor")
      guard try root.own.status(of: Self.anchor) != nil else { return .absent }
      let file = try root.own.file(Self.anchor)
      let text = String(decoding: try file.read(limit: Self.anchorLimit), as: UTF8.self)
      guard let anchor = Anchor(text) else {
        return .unknown(
          "\(file.path) is damaged: compare with `onionkeeper history`, then put the accepted commit there"
        )
      }
      return .present(anchor)
    } catch {
      return .unknown("\(error)")
    }
  }

  /// Replaces the anchor; on the disk when this returns.
  public func writeAnchor(_ anchor: Anchor) throws(KeyStoreError) {
    try changing("write the anchor") { root in
      guard !anchor.source.utf8.contains(UInt8(ascii: "\n")) else {
        throw KeyStoreError(.io, "write the anchor", "a source of several lines")
      }
      try root.own.write(Array(anchor.text.utf8), to: Self.anchor)
    }
  }
}
