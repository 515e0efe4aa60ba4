import Definitions
import Foundation
import OnionModel
import Testing

@testable import Keeping

/// The reader and the printed schema are two views of one description: what one refuses the other refuses, but for what
/// no schema can say. Held against every example, every fixture of DefinitionsTests and of the host file, and mutations.
@Suite struct SchemaTests {
  /// What only the reader sees, by kind: a part of its message. Everything else that it refuses, a schema must refuse.
  static let beyondSchema: [String: [String]] = [
    "a spelling of a number": ["decimal digits only", "up to three decimals", "without quotes"],
    "a spelling of true and false": ["is not true or false"],
    "what YAML reads as something else": ["YAML reads "],
    "a checksum": ["wrong checksum"],
    "another file of the revision": ["is not in the revision"],
    "twice in one document": ["is taken by", "is the same key as"],
    "fields that need or exclude each other": [
      "clients are asked for", "is missing where clients", "exactly one literal host",
      "own name", "says nothing", "contradict each other",
      "there are no signers", "goes with signers", "needs no proxy", "reached over Tor only",
      "no sshKey to go with",
      "lie in each other", "either tokenFile", "at once (one of",
      "cannot stand beside", "is below", "is this service's own", "without ageIdentity",
      "does not tell the forge's",
    ],
    "an address that no backend has": [
      "write host:", "no machine's address", "is not an IPv", "is link-local",
    ],
    "a place that no container gets": ["is never allowed", "write unix:", "bytes long"],
    "a key that is known elsewhere": ["Onionkeeper's own", "private line"],
    "the form of a URL, branch or name": [
      "http", "ssh", "repository URL", "is not a branch name", "another webhook's name",
      "plain relative folder",
    ],
    "a key that cannot be one": ["small order", "is not an age recipient", "age identity"],
    "a network's inner form": ["has bits behind"],
  ]

  struct Case: Sendable {
    var name: String
    var bytes: [UInt8]
  }

  @Test func definitions() throws {
    let fixtures = try Self.files("Tests/DefinitionsTests/Fixtures/definitions")
    let examples = try Self.files("examples/services")
    let cases = try fixtures + examples + Self.sections(of: "services/")
    #expect(cases.count > 100)
    try agree(.definition, cases + Self.mutations(of: examples + fixtures, .definition))
  }

  @Test func repositoryFiles() throws {
    let fixtures = try Self.files("Tests/DefinitionsTests/Fixtures/repository")
    let examples = try Self.files("examples")
    let cases = try fixtures + examples + Self.sections(of: "onionkeeper.yaml")
    #expect(cases.count > 10)
    try agree(.repository, cases + Self.mutations(of: examples + fixtures, .repository))
  }

  @Test func hostFiles() throws {
    let texts =
      HostFileTests.refused.map { old, new, _ in
        HostFileTests.minimal.replacingOccurrences(of: old, with: new)
      } + [HostFileTests.minimal, StarterFile.host]
    let fixtures = try Self.files("Tests/KeepingTests/Fixtures/host").map { item in
      let text = String(decoding: item.bytes, as: UTF8.self)
      return Case(
        name: item.name, bytes: Array(text.replacingOccurrences(of: "FOLDER", with: "/x").utf8))
    }
    let examples = try Self.files("examples/hosts")
    let cases =
      texts.enumerated().map { Case(name: "host \($0.offset)", bytes: Array($0.element.utf8)) }
      + fixtures + examples
    #expect(cases.count > 30)
    try agree(.host, cases + Self.mutations(of: fixtures + examples, .host))
  }

  // MARK: Agreement

  private func agree(_ kind: DocumentSchema, _ cases: [Case]) throws {
    var documents: [String: JSONValue] = [:]
    var errors: [String: [Diagnostic]] = [:]
    let reader = try Reader(kind)
    for item in cases {
      // What is no YAML for us no schema is asked about.
      let document = YAMLDocument.read(bytes: item.bytes, file: item.name)
      guard let root = document.root, !document.diagnostics.contains(where: Self.isError) else {
        continue
      }
      documents[item.name] = JSONValue(root)
      errors[item.name] = try reader.errors(item.bytes)
    }
    #expect(documents.count > cases.count / 3)
    let refusals = try SchemaValidator.refusals(of: documents, schema: kind.json)
    #expect(refusals.count == documents.count)
    for (name, found) in errors.sorted(by: { $0.key < $1.key }) {
      let refused = try #require(refusals[name])
      for error in found where !Self.isBeyondSchema(error) {
        if !refused.contains(where: { Self.isRelated($0, error.path) }) {
          Issue.record("\(name): only the reader refuses: \(error)")
        }
      }
      for path in refused where !found.contains(where: { Self.isRelated(path, $0.path) }) {
        Issue.record(
          "\(name): only the schema refuses \(path): \(documents[name].map(\.text) ?? "")")
      }
    }
  }

  /// The whole reader of a kind of document, with what only a look at several fields tells.
  private struct Reader {
    private let kind: DocumentSchema
    private let folder: HostFileTests.Folder
    /// What looks like an age file.
    private static let sealed = Array("age-encryption.org/v1\n".utf8)

    init(_ kind: DocumentSchema) throws {
      self.kind = kind
      folder = try HostFileTests.Folder()
    }

    func errors(_ bytes: [UInt8]) throws -> [Diagnostic] {
      let found: [Diagnostic]
      switch kind {
      case .definition:
        let files = RepositoryFiles([
          "onionkeeper.yaml": Array("version: 1\n".utf8), "services/blog.yaml": bytes,
          "secrets/blog.age": Self.sealed, "secrets/shop.age": Self.sealed,
        ])
        found = readRevision(files).diagnostics
      case .repository:
        found = readRevision(RepositoryFiles(["onionkeeper.yaml": bytes])).diagnostics
      case .host:
        try folder.write("host.yaml", String(decoding: bytes, as: UTF8.self), mode: 0o600)
        do throws(HostFileError) {
          _ = try HostFile(path: "\(folder.path)/host.yaml", of: .another).read()
          found = []
        } catch { found = error.diagnostics }
      }
      return found.filter(SchemaTests.isError)
    }
  }

  private static func isError(_ diagnostic: Diagnostic) -> Bool { diagnostic.severity == .error }

  private static func isBeyondSchema(_ error: Diagnostic) -> Bool {
    beyondSchema.values.joined().contains { error.message.contains($0) }
  }

  /// One is the other or holds it: a schema's `anyOf` fails where the choice begins.
  private static func isRelated(_ left: String, _ right: String) -> Bool {
    let (short, long) = left.count <= right.count ? (left, right) : (right, left)
    return short.isEmpty || long == short || long.hasPrefix(short + ".")
      || long.hasPrefix(short + "[")
  }

  // MARK: Cases

  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// The YAML files of a folder.
  static func files(_ folder: String) throws -> [Case] {
    let url = root.appendingPathComponent(folder)
    return try FileManager.default.contentsOfDirectory(atPath: url.path).sorted()
      .filter { $0.hasSuffix(".yaml") && $0 != "host.yaml" }
      .map { name in
        Case(
          name: "\(folder)/\(name)",
          bytes: [UInt8](try Data(contentsOf: url.appendingPathComponent(name))))
      }
  }

  /// The files of `=== PATH` fixtures, and of `=== NUMBER PATH` ones, whose path begins so.
  private static func sections(of path: String) throws -> [Case] {
    var cases: [Case] = []
    for folder in ["revisions", "histories"] {
      let url = root.appendingPathComponent("Tests/DefinitionsTests/Fixtures/\(folder)")
      for name in try FileManager.default.contentsOfDirectory(atPath: url.path).sorted() {
        let text = try String(contentsOf: url.appendingPathComponent(name), encoding: .utf8)
        for section in text.components(separatedBy: "\n=== ").dropFirst() {
          guard let end = section.firstIndex(of: "\n"),
            section[..<end].split(separator: " ").last?.hasPrefix(path) == true
          else { continue }
          cases.append(
            Case(
              name: "\(name) \(section[..<end])",
              bytes: Array(section[section.index(after: end)...].utf8)))
        }
      }
    }
    return cases
  }

  /// Each value of each valid document replaced by values of other kinds and sizes, left out, or joined by a stranger;
  /// once for each place in a description. Written as JSON, which is YAML.
  private static func mutations(of cases: [Case], _ kind: DocumentSchema) throws -> [Case] {
    var mutants: [String: Case] = [:]
    let reader = try Reader(kind)
    for item in cases where try reader.errors(item.bytes).isEmpty {
      guard let root = YAMLDocument.read(bytes: item.bytes, file: item.name).root else { continue }
      for mutant in JSONValue(root).mutants where mutants[mutant.name] == nil {
        mutants[mutant.name] = Case(
          name: "\(item.name) with \(mutant.name)", bytes: Array(mutant.document.text.utf8))
      }
    }
    #expect(mutants.count > 200)
    return mutants.values.sorted { $0.name < $1.name }
  }
}

/// A document with one thing changed.
private struct Mutant {
  /// The place in the description, and what is there: `ports[].virtual: 70000`.
  var name: String
  var document: JSONValue

  func inside(_ path: String, _ place: (JSONValue) -> JSONValue) -> Mutant {
    Mutant(name: path + name, document: place(document))
  }
}

extension JSONValue {
  private static let strange: [JSONValue] = [
    .null, .boolean(true), .number("0"), .number("-1"), .number("1"), .number("70000"),
    .number("1.5"), .number("99999999999"), .string(""), .string("x"), .string("no such"),
    .string("1"), .string("/"), .string("/x/../y"), .string("0s"), .string("9MiB"),
    .string("UPPER"), .string(String(repeating: "x", count: 600)), .array([]), .object([]),
    .array([.string("x")]), .object([Member("labels", .object([]))]),
  ]

  /// This value with one thing changed, each in turn.
  fileprivate var mutants: [Mutant] {
    var all = Self.strange.map { Mutant(name: ": \($0.text.prefix(40))", document: $0) }
    switch self {
    case .array(let items):
      for index in items.indices {
        all += items[index].mutants.map { mutant in
          mutant.inside("[]") { document in
            var items = items
            items[index] = document
            return .array(items)
          }
        }
      }
      all.append(Mutant(name: " doubled", document: .array(items + items)))
    case .object(let members):
      for index in members.indices {
        all += members[index].value.mutants.map { mutant in
          mutant.inside(".\(members[index].key)") { document in
            var members = members
            members[index].value = document
            return .object(members)
          }
        }
        var fewer = members
        fewer.remove(at: index)
        all.append(Mutant(name: " without \(members[index].key)", document: .object(fewer)))
      }
      all.append(
        Mutant(name: " and a stranger", document: .object(members + [Member("stranger", .null)])))
    default: break
    }
    return all
  }
}
