import Definitions
import OnionModel

/// The description of the host file: what it is checked against, and what its schema is printed from.
enum HostFields {
  private static let path = FieldType.text(HostTexts.path)
  private static let word = FieldType.text(HostTexts.word)
  /// Ten years: more is a slip of the pen.
  private static let period = FieldType.duration(1...315_360_000)

  private static let trust: [Field] = [
    Field(
      "signers", path,
      summary: "ssh-keygen's allowed_signers file: the tip must be signed by one of them."),
    Field("transport", .boolean, summary: "true: whoever may push is trusted."),
    Field(
      "chain", .onlyFalse,
      summary: "Whether every commit since the anchor must be signed, not only the tip; false."),
    .notYet("since", .text(HostTexts.commit), summary: "A floor for the first run."),
    .notYet(
      "introduction",
      .record([
        Field(
          "commit", .text(HostTexts.commit), isRequired: true, summary: "The first trusted commit."),
        Field(
          "signer", .text(HostTexts.keyFingerprint), isRequired: true,
          summary: "The key that signed it."
        ),
      ]), summary: "Signers in the repository."),
    .notYet("freshness", period, summary: "How old the newest commit may be."),
  ]

  private static let credentials: [Field] = [
    Field("tokenFile", path, summary: "A file with the token, readable by root alone."),
    Field("user", word, summary: "The user that goes with the token; git."),
    Field(
      "sshKey", path, summary: "An unencrypted ed25519 or ecdsa key, readable by root alone."),
    Field("knownHosts", path, summary: "The file that pins the ssh server's key."),
    Field("caFile", path, summary: "PEM file of the only authorities to trust."),
  ]

  private static let repository: [Field] = [
    Field(
      "url", word, isRequired: true,
      summary: "https://, ssh://, USER@HOST:PATH, file:// or a path; http:// with allowPlainHTTP."),
    Field("branch", .text(HostTexts.branch), summary: "The branch to follow; main."),
    Field("path", word, summary: "The folder of onionkeeper.yaml in it; the top."),
    Field("credentials", .record(credentials), summary: "How to prove to the server who we are."),
    Field("caFile", path, summary: "PEM file of the only authorities to trust."),
    Field("allowPlainHTTP", .boolean, summary: "Lets url be http://; false."),
    Field(
      "trust", .record(trust), isRequired: true,
      summary: "Why a commit may act; there is no silent default."),
    .notYet("via", .text(HostTexts.proxy), summary: "Fetch over Tor."),
  ]

  private static let webhook: [Field] = [
    Field(
      "url", word, isRequired: true,
      summary: "https://…, or http:// to a loopback or private address."),
    Field(
      "secretFile", path, isRequired: true, summary: "One whsec_… a line, readable by root alone."),
    Field("name", word, summary: "For status; by default its host and a digest."),
    Field(
      "events", .list(.text(HostTexts.eventPattern), count: 1...50),
      summary: "Kinds, with *: drift.*; all."),
    Field(
      "format",
      .choice([
        Choice("cloudevents"), Choice("slack", isSupported: false),
        Choice("ntfy", isSupported: false),
      ]),
      summary: "cloudevents."),
    Field("via", .text(HostTexts.proxy), summary: "socks5h://HOST:PORT"),
    Field("caFile", path, summary: "PEM file of the only authorities to trust."),
  ]

  private static let allow: [Field] = [
    Field(
      "targets", .list(.text(AllowList.rule), count: 0...1000), isRequired: true,
      summary: "Where services may lead to; there is no default."),
    Field(
      "services", .integer(1...2000, noun: "a number of services"), summary: "At most so many; 500."
    ),
    Field("singleHop", .boolean, summary: "Services that are not anonymous; false."),
    Field("customImages", .onlyFalse, summary: "Images from the repository; false."),
  ]

  private static let forge: [Field] = [
    Field(
      "kind", .choice([Choice("forgejo"), Choice("github")]), isRequired: true,
      summary: "Whose interface it speaks."),
    Field("url", word, isRequired: true, summary: "https://…"),
    Field("tokenFile", path, isRequired: true, summary: "Readable by root alone."),
  ]

  private static let push: [Field] = [
    Field("listen", .text(HostTexts.listen), isRequired: true, summary: "Where it listens."),
    Field("secretFile", path, isRequired: true, summary: "Readable by root alone."),
  ]

  static let all: [Field] =
    host + [
      Field(
        "allow", .record(allow), isRequired: true,
        summary: "What the repository may ask of this host."),
      Field(
        "ageIdentity", path,
        summary: "The age or ssh key that opens sealed keys, readable by root alone."),
      Field(
        "backup",
        .record([
          Field(
            "recipients", .list(.text(HostTexts.recipient), count: 1...20), isRequired: true,
            summary: "age1…, or ssh-ed25519 and ssh-rsa public keys.")
        ]), summary: "Seals each key at once to these; none."),
      Field("webhooks", .list(.record(webhook), count: 0...20), summary: "Who is told; nobody."),
      Field(
        "tor",
        .record([
          Field(
            "network", .text(HostTexts.network),
            summary: "public, off, or a file of lines for each torrc; public.")
        ]),
        summary: "Which Tor network."),
      Field(
        "agent",
        .record([
          Field(
            "name", .text(HostTexts.prefix), summary: "Prefix of names and labels; onionkeeper.")
        ]),
        summary: "This agent among others on one engine."),
      Field(
        "redactAddresses", .boolean, summary: "Shortens onion addresses in events; false."),
      Field(
        "status",
        .either(
          [
            .text(HostTexts.statusListen),
            .record([
              Field("listen", .text(HostTexts.statusListen), isRequired: true, summary: "off.")
            ]),
          ], allowed: "off, or {listen: off}"), summary: "The status page; off."),
      .notYet("push", .record(push), summary: "A forge's push hook."),
      .notYet("forge", .record(forge), summary: "Commit statuses."),
    ]

  private static let host: [Field] = [
    Field(
      "host", .text(DefinitionFields.hostName), isRequired: true,
      summary: "This host's name in definitions; never taken from the system."),
    Field(
      "labels", DefinitionFields.hostLabels,
      summary: "What definitions may select hosts by; none."),
    Field(
      "repository", .record(repository), isRequired: true, summary: "Where definitions come from."),
    Field("interval", .duration(1...86400), summary: "Between passes, ±10 %; 60s."),
    Field(
      "soak", .duration(0...2_592_000),
      summary: "Act on the newest commit first seen at least this long ago; 0s."),
    Field(
      "engine",
      .record([
        Field(
          "socket", .text(HostTexts.socket),
          summary: "auto, or the path of the engine's socket; auto.")
      ]),
      summary: "The container engine."),
    Field(
      "directories",
      .record([
        Field("keys", path, summary: "Key directories; /var/lib/onionkeeper/keys."),
        Field("state", path, summary: "Journal, mirror, instances; /var/lib/onionkeeper/state."),
      ]), summary: "Where things are kept."),
    Field(
      "image",
      .record([
        Field(
          "base", .text(HostTexts.base),
          summary:
            "bootstrap:SUITE (mmdebstrap, no registry) or a reference with a tag; docker.io/library/alpine:3.22."
        ),
        .notYet("check", period, summary: "How often the base is looked at anew."),
      ]), summary: "What instances are made of."),
  ]
}
