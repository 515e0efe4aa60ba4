import Descriptors
import OnionModel

/// The forms in which people have secret keys, told apart by their content.
enum KeyForm {
  /// No text or file with one key is longer; mkp224o's YAML of many keys and archives are.
  static let textLimit = 1 << 20

  /// All keys of a content.
  /// - Parameter origin: What it is called in errors.
  /// - Throws: `key.unusable` with the reason. No byte of the content is in it.
  static func read(_ content: Secret, origin: String) throws -> KeyBundle {
    try content.withBytes { try read($0, origin) }
  }

  private static func read(
    _ bytes: UnsafeRawBufferPointer, _ origin: String
  ) throws -> KeyBundle {
    var collector = try KeyCollector()
    if bytes.starts(with: SecretKeyFile.header) {
      _ = try collector.add(bytes, origin: origin)
    } else if TarReader.isArchive(bytes) {
      try TarReader(bytes, origin: origin).read(into: &collector)
    } else if let reason = refusal(bytes) {
      throw unusable(origin, reason)
    } else {
      try KeyText(bytes, origin: origin).read(into: &collector)
    }
    guard !collector.isEmpty else { throw unusable(origin, "holds no secret key") }
    return collector.bundle()
  }

  /// Why what cannot be a key is none.
  private static func refusal(_ bytes: UnsafeRawBufferPointer) -> String? {
    guard !bytes.isEmpty else { return "is empty" }
    if bytes.starts(with: "== ed25519v1-public: type0 ==".utf8) {
      return "is a public key: the secret one is \(KeyFiles.secretKey) beside it"
    }
    if bytes.starts(with: "== ed25519v1-secret:".utf8) {
      return "begins as another kind of tor's secret keys, not as an onion service's"
    }
    if Age.isSealed(bytes) { return "is sealed by age once more: open it by hand first" }
    for (name, start) in compressed where bytes.starts(with: start) {
      return "is compressed by \(name): give it uncompressed, by standard input for example (-)"
    }
    if bytes.starts(with: [0xff, 0xfe] as [UInt8]) || bytes.starts(with: [0xfe, 0xff] as [UInt8]) {
      return "is UTF-16: save it as UTF-8"
    }
    guard bytes.count <= textLimit else { return "is longer than \(textLimit >> 10) KiB" }
    guard bytes.allSatisfy({ $0 >= 0x20 || Base64.isSpace($0) }) else {
      let hint =
        bytes.count == ExpandedKey.count
        ? "; 64 bytes may be many things: write them as ED25519-V3:<base64>" : ""
      return "is neither a text nor begins with tor's header for a version 3 secret key\(hint)"
    }
    return nil
  }

  private static let compressed: [(String, [UInt8])] = [
    ("gzip", [0x1f, 0x8b]), ("zstd", [0x28, 0xb5, 0x2f, 0xfd]), ("xz", [0xfd, 0x37, 0x7a, 0x58]),
    ("bzip2", [0x42, 0x5a, 0x68]), ("zip", [0x50, 0x4b, 0x03, 0x04]),
  ]
}

/// Keys in a text: the control port's `ED25519-V3:`, mkp224o's YAML, plain base64 of the file.
struct KeyText {
  private let bytes: UnsafeRawBufferPointer
  private let origin: String

  /// - Parameter bytes: Valid as long as this is used.
  init(_ bytes: UnsafeRawBufferPointer, origin: String) {
    self.bytes = bytes
    self.origin = origin
  }

  func read(into collector: inout KeyCollector) throws {
    try refuseVersion2()
    let lines = lines
    try readControlForm(lines, into: &collector)
    try readYAML(lines, into: &collector)
    if collector.isEmpty { try readWhole(into: &collector) }
  }

  /// Ranges of lines, without line ends.
  private var lines: [Range<Int>] {
    var lines: [Range<Int>] = []
    var start = bytes.starts(with: [0xef, 0xbb, 0xbf] as [UInt8]) ? 3 : 0
    for index in bytes.indices where bytes[index] == 0x0a || bytes[index] == 0x0d {
      lines.append(start..<index)
      start = index + 1
    }
    lines.append(start..<bytes.count)
    return lines
  }

  private func refuseVersion2() throws {
    for mark in ["RSA PRIVATE KEY", "RSA1024:"]
    where find(mark, in: 0..<bytes.count) != nil {
      throw unusable(origin, "is a key of a version 2 service, which no tor serves any more")
    }
    if find("PRIVATE KEY-----", in: 0..<bytes.count) != nil {
      throw unusable(origin, "is a PEM key of something else, not of an onion service")
    }
  }

  // MARK: - ED25519-V3:

  /// `ED25519-V3:<base64 of the 64 bytes>`, as ADD_ONION takes and gives it (tor's control_cmd.c), whatever is around.
  private func readControlForm(_ lines: [Range<Int>], into collector: inout KeyCollector) throws {
    let mark = "ED25519-V3:"
    for line in lines {
      var rest = line
      while let found = find(mark, in: rest) {
        let value = run(from: found + mark.utf8.count, in: line)
        rest = max(value.upperBound, found + 1)..<line.upperBound
        guard !isPlaceholder(value, found) else { continue }
        let file = try SecretBytes(count: SecretKeyFile.count)
        file.mutableBytes.copyBytes(from: SecretKeyFile.header)
        let expanded = UnsafeMutableRawBufferPointer(
          rebasing: file.mutableBytes[SecretKeyFile.header.count...])
        guard Base64.decode(slice(value), into: expanded) == ExpandedKey.count else {
          throw unusable(origin, "has an ED25519-V3: that is not followed by base64 of 64 bytes")
        }
        _ = try collector.add(file.bytes, origin: origin)
      }
    }
  }

  /// `NEW:ED25519-V3` asks for a key, and `KeyBlob` is the documentation's word.
  private func isPlaceholder(_ value: Range<Int>, _ start: Int) -> Bool {
    value.isEmpty && start >= 4 && slice(start - 4..<start).elementsEqual("NEW:".utf8)
  }

  // MARK: - YAML

  /// mkp224o's records (its yaml.c): `hostname`, `hs_ed25519_public_key`, `hs_ed25519_secret_key`, each on a line, between
  /// lines of `---`. A tag and a block scalar are read too.
  private func readYAML(_ lines: [Range<Int>], into collector: inout KeyCollector) throws {
    var record = Record()
    for (number, line) in lines.enumerated() {
      if slice(line).starts(with: "---".utf8) {
        try finish(record, into: &collector)
        record = Record()
      } else if let value = value(of: "\(KeyFiles.secretKey):", in: line) {
        if record.secret != nil {
          try finish(record, into: &collector)
          record = Record()
        }
        record.secret = try scalar(value, after: number, lines)
      } else if let value = value(of: "\(KeyFiles.publicKey):", in: line) {
        record.publicKey = try scalar(value, after: number, lines)
      } else if let value = value(of: "\(KeyFiles.hostname):", in: line) {
        record.hostname = value
      }
    }
    try finish(record, into: &collector)
  }

  private struct Record {
    var secret: Range<Int>?
    var publicKey: Range<Int>?
    var hostname: Range<Int>?
  }

  private func finish(_ record: Record, into collector: inout KeyCollector) throws {
    guard let secret = record.secret else { return }
    let file = try SecretBytes(count: SecretKeyFile.count)
    guard Base64.decode(slice(secret), into: file.mutableBytes) == SecretKeyFile.count else {
      throw unusable(
        origin, "has a \(KeyFiles.secretKey) that is not base64 of \(SecretKeyFile.count) bytes")
    }
    let address = try collector.add(file.bytes, origin: origin)
    if let hostname = record.hostname {
      let text = String(decoding: slice(hostname), as: UTF8.self)
      if OnionAddress(text) != address {
        collector.warn("its hostname says otherwise than its secret key, which makes \(address)")
      }
    }
    if let publicKey = record.publicKey {
      var key = [UInt8](repeating: 0, count: 64)
      let count = key.withUnsafeMutableBytes { Base64.decode(slice(publicKey), into: $0) }
      if count != 64 || key != KeyFiles.publicKeyBytes(address) {
        collector.warn("its public key is not that of its secret key, which makes \(address)")
      }
    }
  }

  /// What follows a key at the beginning of a line, without spaces, tag and quotes.
  private func value(of key: String, in line: Range<Int>) -> Range<Int>? {
    var rest = trimmed(line)
    guard slice(rest).starts(with: key.utf8) else { return nil }
    rest = trimmed(rest.lowerBound + key.utf8.count..<rest.upperBound)
    if rest.first.map({ bytes[$0] }) == UInt8(ascii: "!") {
      let end = rest.first { Base64.isSpace(bytes[$0]) } ?? rest.upperBound
      rest = trimmed(end..<rest.upperBound)
    }
    for quote in [UInt8(ascii: "\""), UInt8(ascii: "'")]
    where rest.count >= 2 && bytes[rest.lowerBound] == quote && bytes[rest.upperBound - 1] == quote
    {
      rest = rest.lowerBound + 1..<rest.upperBound - 1
    }
    return rest
  }

  /// The value, or the indented lines of a block scalar.
  private func scalar(
    _ value: Range<Int>, after number: Int, _ lines: [Range<Int>]
  ) throws -> Range<Int> {
    guard let first = value.first,
      bytes[first] == UInt8(ascii: "|") || bytes[first] == UInt8(ascii: ">")
    else { return value }
    var end = value.upperBound
    for line in lines[(number + 1)...] {
      guard let start = line.first else { continue }
      guard bytes[start] == UInt8(ascii: " ") || bytes[start] == UInt8(ascii: "\t") else { break }
      end = line.upperBound
    }
    return value.upperBound..<end
  }

  // MARK: - Base64 of the file

  private func readWhole(into collector: inout KeyCollector) throws {
    let start = bytes.starts(with: [0xef, 0xbb, 0xbf] as [UInt8]) ? 3 : 0
    let file = try SecretBytes(count: SecretKeyFile.count)
    let count = Base64.decode(slice(start..<bytes.count), into: file.mutableBytes)
    if count == SecretKeyFile.count, file.bytes.starts(with: SecretKeyFile.header) {
      _ = try collector.add(file.bytes, origin: origin)
      return
    }
    throw unusable(
      origin,
      count == ExpandedKey.count
        ? "may be a key in base64: write ED25519-V3: before it if it is one"
        : "holds no secret key: neither ED25519-V3:…, nor base64 of \(KeyFiles.secretKey), nor mkp224o's YAML"
    )
  }

  // MARK: - Ranges

  private func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: bytes[range])
  }

  private func trimmed(_ range: Range<Int>) -> Range<Int> {
    var (start, end) = (range.lowerBound, range.upperBound)
    while start < end, Base64.isSpace(bytes[start]) { start += 1 }
    while end > start, Base64.isSpace(bytes[end - 1]) { end -= 1 }
    return start..<end
  }

  /// The base64 that begins at a place.
  private func run(from start: Int, in line: Range<Int>) -> Range<Int> {
    var end = start
    while end < line.upperBound, Base64.isDigit(bytes[end]) { end += 1 }
    return start..<end
  }

  private func find(_ mark: String, in range: Range<Int>) -> Int? {
    let mark = Array(mark.utf8)
    guard range.count >= mark.count else { return nil }
    return (range.lowerBound...range.upperBound - mark.count).first {
      bytes[$0] == mark[0] && bytes[$0..<$0 + mark.count].elementsEqual(mark)
    }
  }
}
