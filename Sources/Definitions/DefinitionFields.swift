import OnionModel

/// The fields of the repository's documents: product.md §2.
public enum DefinitionFields {
  /// tor's descriptor holds 50,000 bytes, and each client costs about 95 of them (rend-spec-v3 §2.5.1.2).
  static let clientLimit = 256
  /// More than any real service has; each is a line of torrc.
  static let portLimit = 128
  static let hostLimit = 256

  /// `services/NAME.yaml`.
  public static let definition: [Field] = [
    Field(
      "hosts",
      .either(
        [.list(hostPattern, count: 1...hostLimit), labelSelector],
        allowed: "a list of names and globs, or {labels: {name: value}}"), isRequired: true,
      summary: "Which hosts carry the service: names, globs, or labels that must all be equal."),
    Field("address", .text(address), summary: "The only address that is accepted for it."),
    Field(
      "key", key, summary: "Where its key comes from; generate needs exactly one literal host."),
    Field("formerly", .text(serviceName), summary: "The name that a renamed service bore before."),
    Field(
      "access", .choice([Choice("public"), Choice("clients")]),
      summary: "Who may reach it. No default where clients are listed."),
    Field(
      "clients", .list(.record(client), count: 1...clientLimit),
      summary: "Who may reach a service with access: clients."),
    Field(
      "ports", .list(.record(port), count: 1...portLimit), isRequired: true,
      summary: "What visitors dial, and where it goes."),
    .notYet("instance", summary: "Several services in one tor."),
    .notYet("tor", summary: "Typed options of tor."),
    container, prune, paused,
  ]

  /// `onionkeeper.yaml`.
  public static let repository: [Field] = [
    Field(
      "version", .integer(1...1, noun: "a version that this Onionkeeper reads"), isRequired: true,
      summary: "The form of this repository."),
    Field("defaults", .record(defaults), summary: "What definitions say where they say nothing."),
  ]

  /// `host:` of the host file: what `hosts` of a definition names.
  public static let hostName = TextRule(
    noun: "a host's name", allowed: "1 to 64 of a–z 0–9 . -, a letter or digit first",
    pattern: "^[a-z0-9][a-z0-9.-]{0,63}$"
  ) { HostName($0) != nil }

  /// `labels:` of the host file: what `labels` of a definition compares with.
  public static let hostLabels: FieldType = .map(key: labelName, value: labelValue, count: 0...64)

  private static let defaults: [Field] =
    [
      .notYet("tor", summary: "Typed options of tor."), container, prune, paused,
      .never("access", because: "each definition says itself who may reach it"),
      .never("clients", because: "each definition says itself who may reach it"),
      .never("address", because: "an address is one service's"),
      .never("key", because: "a key is one service's"),
      .never("hosts", because: "each definition names its hosts"),
      .never("ports", because: "each definition has its ports"),
      .never("formerly", because: "a name is one service's"),
      .never("instance", because: "each definition names its instance"),
    ]

  private static let client: [Field] = [
    Field("name", .text(clientName), isRequired: true, summary: "The client, for people."),
    Field("key", .text(ClientKey.rule), isRequired: true, summary: "Its x25519 public key."),
  ]

  private static let port: [Field] = [
    Field(
      "virtual", .integer(1...65535, noun: "a port"), isRequired: true,
      summary: "What visitors dial."
    ),
    Field("target", .text(TargetText.rule), isRequired: true, summary: "Where it goes."),
  ]

  private static let container = Field(
    "container",
    .record([
      Field("image", .text(image), summary: "The image of its container."),
      // tor alone takes about 40 MiB once it has a consensus.
      Field("memory", .size((48 << 20)...(64 << 30)), summary: "What its container may use."),
      Field(
        "cpus", .thousandths(50...128_000, noun: "a number of processors"),
        summary: "Processors, 1.0 is one."),
      // The guard's shell and sha256sum run before tor, which has a thread a processor.
      Field("pids", .integer(16...32768, noun: "a number of processes"), summary: "Processes."),
    ]), summary: "The limits of its container.")

  private static let prune = Field(
    "prune", .choice([Choice("retire"), Choice("hold", isSupported: false)]),
    summary: "What a removal does.")

  private static let paused = Field(
    "paused", .boolean, summary: "Observe and report drift, change nothing.")

  private static let key: FieldType = .either(
    [
      .choice([Choice("generate"), Choice("existing")]),
      .record([
        .notYet("sealed", summary: "A sealed key of the repository."),
        .notYet("generate", summary: "A key for each host."),
      ]),
    ], allowed: "generate|existing")

  private static let labelSelector: FieldType = .record([
    Field(
      "labels", .map(key: labelName, value: labelValue, count: 1...32), isRequired: true,
      summary: "Labels of a host that must all be equal.")
  ])

  private static let hostPattern: FieldType = .either(
    [
      .text(
        TextRule(
          noun: "a host's name or a glob",
          allowed: "1 to 64 of a–z 0–9 . - * ?, lower case", pattern: "^[a-z0-9.*?-]{1,64}$"
        ) { HostSelector.Pattern($0) != nil }),
      labelSelector,
    ], allowed: "a name, a glob, or {labels: {name: value}}")

  private static let nameForm = "1 to 48 of a–z 0–9 -, not - first"
  private static let namePattern = "^[a-z0-9][a-z0-9-]{0,47}$"

  private static let serviceName = TextRule(
    noun: "a service's name", allowed: nameForm, pattern: namePattern
  ) { ServiceName($0) != nil }

  private static let clientName = TextRule(
    noun: "a client's name", allowed: nameForm, pattern: namePattern
  ) { text in
    // The file that keeps tor from ever seeing no client at all lies beside the clients' files.
    if text == "0-onionkeeper" { return .because("\(text) is Onionkeeper's own (another name)") }
    return ServiceName(text) == nil ? .notOne : nil
  }

  private static let address = TextRule(
    noun: "an onion address", allowed: "56 base32 characters and .onion, version 3",
    pattern: "^[A-Za-z2-7]{56}\\.onion$"
  ) { text in
    guard text.lowercased().hasSuffix(".onion") else { return .notOne }
    if OnionAddress(text) != nil { return nil }
    let name = text.dropLast(6)
    if name.utf8.count == 16 {
      return .because("\(excerpt(text)) is a version 2 address, which no tor serves (version 3)")
    }
    guard name.utf8.count == 56, Base32.decode(String(name)) != nil else { return .notOne }
    return .because(
      "\(excerpt(text)) has a wrong checksum: a character is not as it was (version 3)")
  }

  private static let image = TextRule(noun: "an image", allowed: "default", pattern: "^default$") {
    $0 == "default" ? nil : .because("\(excerpt($0)) is not supported yet (default)")
  }

  private static let labelName = TextRule(
    noun: "a label's name", allowed: "1 to 64 of A–Z a–z 0–9 . _ / -",
    pattern: "^[A-Za-z0-9._/-]{1,64}$", where: isLabel)

  private static let labelValue = TextRule(
    noun: "a label's value", allowed: "1 to 64 of A–Z a–z 0–9 . _ / -",
    pattern: "^[A-Za-z0-9._/-]{1,64}$", where: isLabel)

  private static func isLabel(_ text: String) -> Bool {
    let letters = Array(
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-".utf8)
    return (1...64).contains(text.utf8.count) && text.utf8.allSatisfy(letters.contains)
  }
}

/// A client's public key as tor's client files say it: `descriptor:x25519:<52 base32>`.
enum ClientKey {
  private static let prefix = "descriptor:x25519:"

  /// Never shows the text: a client's *private* line in the wrong place is the likely mistake.
  static let rule = TextRule(
    noun: "a client's public key", allowed: "descriptor:x25519: and 52 base32 characters",
    pattern: "^descriptor:x25519:[A-Za-z2-7]{52}$", isShown: false
  ) { text in
    if read(text) != nil { return nil }
    if text.contains(":descriptor:x25519:") {
      return .because("is the client's own, private line: never publish it (its public key)")
    }
    return .notOne
  }

  /// The 52 characters in upper case; `nil` unless they are 32 bytes.
  static func read(_ text: String) -> String? {
    guard text.hasPrefix(prefix) else { return nil }
    let key = text.dropFirst(prefix.count)
    guard key.utf8.count == 52, let bytes = Base32.decode(String(key)), bytes.count == 32 else {
      return nil
    }
    return key.uppercased()
  }
}
