import Foundation
import OnionModel
import Testing
import TorRuntime

/// A file of `Fixtures/torrc/`: notes (`# service: …`) up to the first `=== PATH`, then a small file system.
struct TorrcFixture: Sendable, CustomTestStringConvertible {
  let name: String
  private let notes: [String: [String]]
  /// Path to bytes; a path that ends in `/` is an empty folder, one in `@` a link.
  let files: [String: [UInt8]]

  var testDescription: String { name }

  func notes(_ key: String) -> [String] { notes[key] ?? [] }

  static let all: [TorrcFixture] = {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Fixtures/torrc")
    do {
      return try FileManager.default.contentsOfDirectory(atPath: root.path)
        .filter { !$0.hasPrefix(".") }.sorted()
        .map { name in
          TorrcFixture(
            name: name, bytes: [UInt8](try Data(contentsOf: root.appendingPathComponent(name))))
        }
    } catch {
      preconditionFailure("fixtures cannot be read: \(error)")
    }
  }()

  private init(name: String, bytes: [UInt8]) {
    self.name = name
    var notes: [String: [String]] = [:]
    var files: [String: [UInt8]] = [:]
    var current: String?
    var first = true
    for line in bytes.split(separator: 0x0a, omittingEmptySubsequences: false) {
      if line.starts(with: Array("=== ".utf8)) {
        let path = String(decoding: line.dropFirst(4), as: UTF8.self)
        files[path] = []
        current = path
        first = true
      } else if let path = current {
        files[path, default: []] += (first ? [] : [0x0a]) + line
        first = false
      } else {
        let text = String(decoding: line, as: UTF8.self)
        guard text.hasPrefix("# "), let colon = text.firstIndex(of: ":") else { continue }
        notes[String(text[..<colon].dropFirst(2)), default: []].append(
          String(text[text.index(after: colon)...]).trimmingCharacters(in: .whitespaces))
      }
    }
    self.notes = notes
    self.files = files
  }

  var torrc: String { notes("torrc").first ?? "/etc/tor/torrc" }

  var roots: [String] {
    notes("roots").first?.split(separator: " ").map(String.init) ?? ["/etc/tor"]
  }

  /// What is at a path of the small file system.
  @Sendable func look(_ path: String) -> TorrcFile {
    if let bytes = files[path] { return .file(bytes) }
    if files[path + "@"] != nil {
      return .refused("a symbolic link is there, and links are not followed")
    }
    let inside = path == "/" ? path : path + "/"
    let names = files.keys.filter { $0.hasPrefix(inside) }.compactMap { file in
      file.dropFirst(inside.count).split(separator: "/").first.map {
        String($0.hasSuffix("@") ? $0.dropLast() : $0)
      }
    }
    return names.isEmpty && files[inside] == nil ? .absent : .folder(Array(Set(names)))
  }

  func read() throws(TorrcError) -> TorrcInstance {
    TorrcInstance(
      try TorrcReader.read(torrc, bytes: files[torrc] ?? [], roots: roots, look: look))
  }

  /// What was read, in the words of the notes.
  func outcome() -> [String: [String]] {
    var found: [String: [String]] = [:]
    do throws(TorrcError) {
      let instance = try read()
      for service in instance.services { found["service", default: []].append(service.line) }
      found["expect"] = (instance.findings + instance.services.flatMap(\.findings))
        .map(\.description)
      if instance.isSingleHop { found["mode"] = ["single hop"] }
      if let place = instance.unpublished { found["unpublished"] = ["\(place)"] }
    } catch {
      found["error"] = [error.description]
    }
    return found.filter { !$0.value.isEmpty }
  }

  /// The notes that an outcome is held against.
  var expectation: [String: [String]] {
    notes.filter { ["service", "expect", "error", "mode", "unpublished"].contains($0.key) }
  }
}

extension TorrcService {
  /// `/var/lib/tor/web: 80>127.0.0.1:8080 81>unix:/x | HiddenServiceMaxStreams 25 | …`
  var line: String {
    let ports = ports.map { "\($0.virtual)>\($0.target)" }.joined(separator: " ")
    var parts = ["\(directory): \(ports)"]
    parts += tor.serviceLines.map { String($0.dropFirst("HiddenService".count)) }
    if let onionBalance { parts.append("onionbalance at \(onionBalance.line)") }
    if !authorizedBy.isEmpty {
      parts.append("authorized at \(authorizedBy.map { "\($0.line)" }.joined(separator: ","))")
    }
    if findings.contains(where: { $0.severity == .error }) { parts.append("REFUSED") }
    return parts.joined(separator: " | ")
  }
}
