import Definitions
import Foundation
import Spawning
import Testing

/// The schema as another program reads it.
enum SchemaValidator {
  private struct Failed: Error {
    var code: Int
    var output: String
  }

  /// Holds documents against a schema.
  /// - Returns: for each, the paths of what the schema refuses: `ports[0].virtual`.
  /// - Throws: where python3-jsonschema (ops/lib/packages) is not installed or refuses the schema itself.
  static func refusals(
    of documents: [String: JSONValue], schema: String
  ) throws -> [String: [String]] {
    let members = documents.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key, $0.value) }
    let task = "{\"schema\": \(schema), \"documents\": \(JSONValue.object(members).text)}"
    let file = NSTemporaryDirectory() + "oks-\(UUID().uuidString.prefix(8)).json"
    try Data(task.utf8).write(to: URL(fileURLWithPath: file))
    defer {
      do { try FileManager.default.removeItem(atPath: file) } catch {
        Issue.record("\(file) stays: \(error)")
      }
    }
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("validate.py").path
    let (code, output) = try spawn(["/usr/bin/python3", script, file])
    guard code == 0 else {
      throw Failed(code: code, output: String(decoding: output, as: UTF8.self))
    }
    return try JSONDecoder().decode([String: [String]].self, from: Data(output))
  }
}

extension JSONValue {
  /// A document as an editor's language server reads it: YAML 1.2.2 §10.3, core schema.
  init(_ node: YAMLNode) {
    switch node.content {
    case .scalar(let text, let isPlain): self = isPlain ? Self.core(text) : .string(text)
    case .sequence(let items): self = .array(items.map { JSONValue($0) })
    case .mapping(let pairs): self = .object(pairs.map { Member($0.key, JSONValue($0.value)) })
    case .unreadable: self = .null
    }
  }

  private static func core(_ text: String) -> JSONValue {
    switch text {
    case "", "~", "null", "Null", "NULL": return .null
    case "true", "True", "TRUE": return .boolean(true)
    case "false", "False", "FALSE": return .boolean(false)
    default: break
    }
    if text.wholeMatch(of: /[-+]?[0-9]+/) != nil, let value = Double(text) {
      return .number(String(format: "%.0f", value))
    }
    if text.hasPrefix("0o"), let value = Int(text.dropFirst(2), radix: 8) {
      return .number("\(value)")
    }
    if text.hasPrefix("0x"), let value = Int(text.dropFirst(2), radix: 16) {
      return .number("\(value)")
    }
    if text.wholeMatch(of: /[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?/) != nil,
      let value = Double(text), value.isFinite
    {
      return .number("\(value)")
    }
    return .string(text)
  }
}
