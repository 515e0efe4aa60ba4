import OnionModel

/// The repository's files that decide: `onionkeeper.yaml`, all of `services/`, and the sealed keys of `secrets/`,
/// listed whole. Whoever makes one vouches for that: a removal is concluded from a file that is not in it.
public struct RepositoryFiles: Hashable, Sendable, Codable {
  public enum Content: Hashable, Sendable {
    case bytes([UInt8])
    /// Over the limit and not loaded: the error of that one file.
    case tooLarge(size: Int)
  }

  public struct File: Hashable, Sendable, Codable {
    /// Relative to the folder of `onionkeeper.yaml`: `services/blog.yaml`.
    public var path: String
    /// Equal means equal bytes: Git's blob id, or a digest.
    public var blob: String
    public var content: Content

    public init(path: String, blob: String, content: Content) {
      self.path = path
      self.blob = blob
      self.content = content
    }

    /// A file outside of Git, told from others by its digest.
    public init(path: String, bytes: [UInt8]) {
      self.init(path: path, blob: sha256(bytes), content: .bytes(bytes))
    }
  }

  /// In order of path.
  public let files: [File]

  public init(_ files: [File]) { self.files = files.sorted { $0.path < $1.path } }

  /// Files outside of Git, by path.
  public init(_ files: [String: [UInt8]]) {
    self.init(files.map { File(path: $0.key, bytes: $0.value) })
  }

  func file(_ path: String) -> File? {
    var range = 0..<files.count
    while !range.isEmpty {
      let middle = range.lowerBound + range.count / 2
      if files[middle].path == path { return files[middle] }
      range =
        files[middle].path < path
        ? (middle + 1)..<range.upperBound : range.lowerBound..<middle
    }
    return nil
  }
}

extension RepositoryFiles.Content: Codable {
  private enum CodingKeys: String, CodingKey {
    case text, bytes, size
  }

  /// UTF-8 as text, a third of the size of a list of numbers.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    switch self {
    case .bytes(let bytes):
      if let text = String(validating: bytes, as: UTF8.self) {
        try container.encode(text, forKey: .text)
      } else {
        try container.encode(bytes, forKey: .bytes)
      }
    case .tooLarge(let size): try container.encode(size, forKey: .size)
    }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    if let text = try container.decodeIfPresent(String.self, forKey: .text) {
      self = .bytes(Array(text.utf8))
    } else if let bytes = try container.decodeIfPresent([UInt8].self, forKey: .bytes) {
      self = .bytes(bytes)
    } else {
      self = .tooLarge(size: try container.decode(Int.self, forKey: .size))
    }
  }
}
