import Definitions
import Foundation
import OnionModel
import Testing

@testable import Keeping

/// What the description says of defaults and of itself.
@Suite struct ReferenceTests {
  /// `onionkeeper schema --markdown >ops/definitions.md` after any change of a field.
  @Test func theGuideIsTheDescription() throws {
    let file = SchemaTests.root.appendingPathComponent("ops/definitions.md")
    #expect(try String(contentsOf: file, encoding: .utf8) == DocumentSchema.reference)
  }

  @Test func theReadmeLeadsToIt() throws {
    let readme = try String(
      contentsOf: SchemaTests.root.appendingPathComponent("README.md"), encoding: .utf8)
    #expect(readme.contains("ops/definitions.md"))
    // Every word of its sample is a field of today.
    let sample = try #require(
      readme.components(separatedBy: "```yaml\n").dropFirst().first?
        .components(separatedBy: "```").first)
    let reading = readDocument(
      bytes: Array(sample.utf8), file: "README.md", fields: DefinitionFields.definition)
    #expect(reading.unknownKeys.map(\.key).isEmpty)
    #expect(!reading.diagnostics.contains { $0.message.contains("not supported") })
  }

  /// A host file that says every default is the one that says none.
  @Test func hostDefaultsAreWhatCounts() throws {
    let folder = try HostFileTests.Folder()
    func described(_ document: JSONValue) throws -> String {
      try folder.write("host.yaml", document.text, mode: 0o600)
      var configuration = try HostFile(path: "\(folder.path)/host.yaml").read()
      configuration.fingerprint = ""
      return String(describing: configuration)
    }
    let minimal = try document(HostFileTests.minimal)
    let whole = minimal.merged(with: DocumentSchema.host.fields.defaults)
    #expect(whole != minimal)
    #expect(try described(whole) == described(minimal))
  }

  @Test func definitionDefaultsAreWhatCounts() throws {
    let minimal = try document("hosts: [web-1]\nports: [{virtual: 80, target: host:8080}]\n")
    let defaults = DocumentSchema.definition.fields.filter { $0.name != "tor" }.defaults
    #expect(try service(minimal.merged(with: defaults)) == service(minimal))
  }

  /// tor's own numbers count for what is switched on; what is not said is left to tor.
  @Test func torDefaultsAreAccepted() throws {
    let minimal = try document("hosts: [web-1]\nports: [{virtual: 80, target: host:8080}]\n")
    let tor = DocumentSchema.definition.fields.filter { $0.name == "tor" }
    let whole = try service(minimal.merged(with: tor.defaults))
    let switchedOn = try document("tor: {introDoS: {}, proofOfWork: {}}\n")
    let short = try service(minimal.merged(with: switchedOn))
    #expect(whole.tor.introDoS == short.tor.introDoS)
    #expect(whole.tor.proofOfWork == short.tor.proofOfWork)
    #expect(whole.tor.introDoS != nil)
    #expect(whole.tor.introductionPoints == 3)
  }

  private func document(_ text: String) throws -> JSONValue {
    JSONValue(try #require(YAMLDocument.read(bytes: Array(text.utf8), file: "x").root))
  }

  private func service(_ document: JSONValue) throws -> OnionService {
    let files = RepositoryFiles([
      "onionkeeper.yaml": Array("version: 1\n".utf8),
      "services/blog.yaml": Array(document.text.utf8),
    ])
    let reading = readRevision(files)
    #expect(!reading.diagnostics.contains { $0.severity == .error }, "\(reading.diagnostics)")
    let name = try #require(ServiceName("blog"))
    return try #require(reading.services[name]?.definition?.service)
  }
}

extension [Field] {
  /// A document of all defaults, of supported fields that are no items of a list.
  fileprivate var defaults: JSONValue {
    .object(
      compactMap { field in
        guard case .supported = field.support else { return nil }
        if let text = field.defaultText {
          return .init(field.name, field.type.isText ? .string(text) : .number(text))
        }
        guard case .record(let fields) = field.type,
          case .object(let members) = fields.defaults, !members.isEmpty
        else { return nil }
        return .init(field.name, .object(members))
      })
  }
}

extension FieldType {
  fileprivate var isText: Bool {
    switch self {
    case .boolean, .onlyFalse, .integer, .thousandths: false
    default: true
    }
  }
}

extension JSONValue {
  /// This, and what the other says where this says nothing.
  fileprivate func merged(with other: JSONValue) -> JSONValue {
    guard case .object(var members) = self, case .object(let more) = other else { return self }
    for member in more {
      if let index = members.firstIndex(where: { $0.key == member.key }) {
        members[index].value = members[index].value.merged(with: member.value)
      } else {
        members.append(member)
      }
    }
    return .object(members)
  }
}
