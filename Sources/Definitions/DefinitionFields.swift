import OnionModel

/// The fields of the repository's documents.
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
    Field(
      "address", .text(DefinitionTexts.address),
      summary: "The only address that is accepted for it."),
    Field(
      "key", key,
      default: "generate",
      summary: "Where its key comes from; generate and sealed need exactly one literal host."),
    Field(
      "formerly", .text(DefinitionTexts.serviceName),
      summary: "The name that a renamed service bore before."),
    Field(
      "access", .choice([Choice("public"), Choice("clients")]),
      default: "public", summary: "Who may reach it. No default where clients are listed."),
    Field(
      "clients", .list(.record(client), count: 1...clientLimit),
      summary: "Who may reach a service with access: clients."),
    Field(
      "ports", .list(.record(port), count: 1...portLimit), isRequired: true,
      summary: "What visitors dial, and where it goes."),
    Field(
      "instance", .text(DefinitionTexts.instanceName),
      summary: "Services that name the same one share a tor; the service's own name."),
    tor, container, prune, paused,
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
  public static let hostLabels: FieldType = .map(
    key: DefinitionTexts.labelName, value: DefinitionTexts.labelValue, count: 0...64)

  private static let defaults: [Field] =
    [
      tor, container, prune, paused,
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
    Field(
      "name", .text(DefinitionTexts.clientName), isRequired: true,
      summary: "The client, for people."
    ),
    Field("key", .text(ClientKey.rule), isRequired: true, summary: "Its x25519 public key."),
  ]

  private static let port: [Field] = [
    Field(
      "virtual", .integer(1...65535, noun: "a port"), isRequired: true,
      summary: "What visitors dial."
    ),
    Field("target", .text(TargetText.rule), isRequired: true, summary: "Where it goes."),
  ]

  private static let tor = Field(
    "tor", .record(TorSettings.fields), summary: "Options of tor; tor's own defaults.")

  private static let container = Field(
    "container",
    .record([
      Field(
        "image", .text(DefinitionTexts.imageName),
        default: "default",
        summary: "default, or an image of the repository where the host allows custom images."),
      // tor alone takes about 40 MiB once it has a consensus.
      Field(
        "memory", .size((48 << 20)...(64 << 30)), default: "256MiB",
        summary: "What its container may use."),
      Field(
        "cpus", .thousandths(50...128_000, noun: "a number of processors"),
        default: "1.0", summary: "Processors."),
      // The guard's shell and sha256sum run before tor, which has a thread a processor.
      Field(
        "pids", .integer(16...32768, noun: "a number of processes"),
        default: "64", summary: "Processes and threads."),
    ]), summary: "Image and limits of its container; an instance gets the largest of its members'.")

  private static let prune = Field(
    "prune", .choice([Choice("retire"), Choice("hold")]),
    default: "retire",
    summary: "What a removal does: retire puts the key away, hold waits for a person."
  )

  private static let paused = Field(
    "paused", .boolean, default: "false", summary: "Observe and report drift, change nothing.")

  private static let key: FieldType = .either(
    [
      .choice([Choice("generate"), Choice("existing")]),
      .record([
        Field(
          "generate", .choice([Choice("perHost")]),
          summary: "perHost: a key and an address of its own on each host."),
        Field(
          "sealed", .text(DefinitionTexts.sealedFile),
          summary: "An age file of the repository that holds the key."),
      ]),
    ], allowed: "generate|existing|{generate: perHost}|{sealed: secrets/NAME.age}")

  private static let labelSelector: FieldType = .record([
    Field(
      "labels",
      .map(key: DefinitionTexts.labelName, value: DefinitionTexts.labelValue, count: 1...32),
      isRequired: true, summary: "Labels of a host that must all be equal.")
  ])

  private static let hostPattern: FieldType = .either(
    [.text(DefinitionTexts.hostPattern), labelSelector],
    allowed: "a name, a glob, or {labels: {name: value}}")
}
