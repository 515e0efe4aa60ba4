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
      "chain", .boolean, default: "false",
      summary: "Whether every commit on the first-parent line since the anchor must be signed, too."
    ),
    Field(
      "since", .text(HostTexts.commit),
      summary: "Before anything was accepted, only this commit or a descendant may act."),
    Field(
      "introduction",
      .record([
        Field(
          "commit", .text(HostTexts.commit), isRequired: true,
          summary: "The first trusted commit; it holds allowed_signers."),
        Field(
          "signer", .text(HostTexts.keyFingerprint), isRequired: true,
          summary: "The key that signed it."
        ),
      ]),
      summary:
        "Who may sign is said in the repository's allowed_signers, by the commit before each."),
    Field(
      "freshness", period,
      summary: "The newest accepted commit older than this is reported (source.stale); never."),
  ]

  private static let credentials: [Field] = [
    Field("tokenFile", path, summary: "A file with the token, readable by root alone."),
    Field("user", word, default: "git", summary: "The user that goes with the token."),
    Field("sshKey", path, summary: "An ed25519 or ecdsa key, readable by root alone."),
    Field(
      "passphraseFile", path,
      summary: "The passphrase of sshKey, if it has one, readable by root alone."),
    Field("knownHosts", path, summary: "The file that pins the ssh server's key."),
    Field("caFile", path, summary: "PEM file of the only authorities to trust."),
  ]

  private static let repository: [Field] = [
    Field(
      "url", word, isRequired: true,
      summary:
        "https://, ssh://, USER@HOST:PATH, git://, file:// or a path; http:// with allowPlainHTTP."),
    Field("branch", .text(HostTexts.branch), default: "main", summary: "The branch to follow."),
    Field("path", word, default: ".", summary: "The folder of onionkeeper.yaml in it."),
    Field("credentials", .record(credentials), summary: "How to prove to the server who we are."),
    Field("caFile", path, summary: "PEM file of the only authorities to trust."),
    Field("allowPlainHTTP", .boolean, default: "false", summary: "Lets url be http://."),
    Field(
      "trust", .record(trust), isRequired: true,
      summary: "Why a commit may act; there is no silent default."),
    Field(
      "via", .text(HostTexts.proxy),
      summary: "Fetch over this SOCKS5 proxy, which resolves the names: Tor's socks5h://HOST:PORT."),
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
      default: "cloudevents", summary: "How it is told."),
    Field("via", .text(HostTexts.proxy), summary: "socks5h://HOST:PORT"),
    Field("caFile", path, summary: "PEM file of the only authorities to trust."),
  ]

  private static let allow: [Field] = [
    Field(
      "targets", .list(.text(AllowList.rule), count: 0...1000), isRequired: true,
      summary: "Where services may lead to; there is no default."),
    Field(
      "services", .integer(1...2000, noun: "a number of services"), default: "500",
      summary: "At most so many."
    ),
    Field("singleHop", .boolean, default: "false", summary: "Services that are not anonymous."),
    Field("customImages", .onlyFalse, default: "false", summary: "Images from the repository."),
  ]

  private static let forge: [Field] = [
    Field(
      "kind", .choice([Choice("forgejo"), Choice("github")]), isRequired: true,
      summary: "Whose interface it speaks."),
    Field(
      "url", word, isRequired: true,
      summary: "The forge itself: https://…, or http:// to a loopback or private address."),
    Field(
      "tokenFile", path, isRequired: true,
      summary: "A token that may set commit statuses, readable by root alone."),
    Field(
      "repository", .text(HostTexts.forgeRepository),
      summary: "OWNER/REPO; by default as repository.url says."),
    Field("caFile", path, summary: "PEM file of the only authorities to trust."),
  ]

  private static let push: [Field] = [
    Field(
      "listen", .text(HostTexts.listen), isRequired: true,
      summary: "Where it listens, for a reverse proxy: 127.0.0.1:7943 or unix:/path."),
    Field(
      "secretFile", path, isRequired: true,
      summary: "The hook's secret (16 to 1024 bytes), or two while rotating, a line each."),
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
            default: "public", summary: "public, off, or a file of lines for each torrc.")
        ]),
        summary: "Which Tor network."),
      Field(
        "agent",
        .record([
          Field(
            "name", .text(HostTexts.prefix), default: "onionkeeper",
            summary: "Prefix of names and labels.")
        ]),
        summary: "This agent among others on one engine."),
      Field(
        "redactAddresses", .boolean, default: "false",
        summary: "Shortens onion addresses in events."),
      Field(
        "status",
        .either(
          [
            .text(HostTexts.statusListen),
            .record([
              Field("listen", .text(HostTexts.statusListen), isRequired: true, summary: "off.")
            ]),
          ], allowed: "off, or {listen: off}"), default: "off", summary: "The status page."),
      Field("push", .record(push), summary: "A forge's push hook, which wakes the agent; none."),
      Field(
        "forge", .record(forge),
        summary: "Where each commit shows how this host does with it; nowhere."),
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
    Field("interval", .duration(1...86400), default: "60s", summary: "Between passes, ±10 %."),
    Field(
      "soak", .duration(0...2_592_000),
      default: "0s", summary: "Act on the newest commit first seen at least this long ago."),
    Field(
      "engine",
      .record([
        Field(
          "socket", .text(HostTexts.socket),
          default: "auto", summary: "auto, or the path of the engine's socket.")
      ]),
      summary: "The container engine."),
    Field(
      "directories",
      .record([
        Field("keys", path, default: "/var/lib/onionkeeper/keys", summary: "Key directories."),
        Field(
          "state", path, default: "/var/lib/onionkeeper/state",
          summary: "Journal, mirror, instances."),
      ]), summary: "Where things are kept."),
    Field(
      "image",
      .record([
        Field(
          "base", .text(HostTexts.base),
          default: "docker.io/library/alpine:3.22",
          summary: "bootstrap:SUITE (mmdebstrap, no registry) or a reference with a tag."
        ),
        .notYet("check", period, summary: "How often the base is looked at anew."),
      ]), summary: "What instances are made of."),
  ]
}
