import Definitions

/// The three kinds of documents that people write, each with the schema that its reader's own description gives.
public enum DocumentSchema: String, CaseIterable, Sendable {
  /// `services/NAME.yaml`
  case definition
  /// `onionkeeper.yaml`
  case repository
  /// `host.yaml`
  case host

  var fields: [Field] {
    switch self {
    case .definition: DefinitionFields.definition
    case .repository: DefinitionFields.repository
    case .host: HostFields.all
    }
  }

  private var file: String {
    switch self {
    case .definition: "services/NAME.yaml"
    case .repository: "onionkeeper.yaml"
    case .host: "/etc/onionkeeper/host.yaml"
    }
  }

  private var title: String {
    switch self {
    case .definition: "Onionkeeper: an onion service"
    case .repository: "Onionkeeper: a repository of onion services"
    case .host: "Onionkeeper: a host file"
    }
  }

  /// JSON Schema, ending in a line feed.
  public var json: String {
    jsonSchema(of: fields, title: "\(title) (\(file))").text + "\n"
  }

  /// The reference of all fields in Markdown: `ops/definitions.md`.
  public static var reference: String {
    """
    # Definitions and host files

    Every field, as the reader checks it. This text is printed by `onionkeeper schema --markdown` from the same
    description, and a test holds it to that. `examples/` shows them at work; `onionkeeper check` names each error.

    A text may stand in quotes; numbers and true or false must not. Durations are an integer and s, m, h or d, sizes an
    integer and KiB, MiB or GiB. `[]` stands for each item of a list. No anchors, aliases, tags, tabs, or keys twice.


    """
      + allCases.map { "## \($0.file)\n\n\(fieldTable(of: $0.fields))" }.joined(separator: "\n")
  }
}
