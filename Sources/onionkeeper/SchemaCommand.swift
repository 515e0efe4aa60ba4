import ArgumentParser
import Foundation
import Keeping

struct SchemaCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "schema",
    abstract: "Print the JSON Schema of a definition, of onionkeeper.yaml, or of the host file.",
    discussion: """
      For editors, from the description that `check` reads by. With a YAML language server, save it beside the \
      definitions' folder:

        onionkeeper schema >definition.schema.json

      and begin each services/NAME.yaml with

        # yaml-language-server: $schema=../definition.schema.json

      A schema cannot say everything: checksums, doubles, and what a host allows are `check`'s.
      """)

  enum Document: String, ExpressibleByArgument, CaseIterable {
    case definition, repository, host

    var schema: DocumentSchema {
      switch self {
      case .definition: .definition
      case .repository: .repository
      case .host: .host
      }
    }
  }

  @Argument(help: "definition, repository or host.")
  var document = Document.definition

  @Flag(name: .long, help: "Print the reference of all fields instead, in Markdown.")
  var markdown = false

  func run() async throws {
    let text = markdown ? DocumentSchema.reference : document.schema.json
    try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
  }
}
