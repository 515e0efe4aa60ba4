import Definitions
import GitSource
import OnionModel

/// The description of the host file: what it is checked against, and what its schema is printed from.
enum HostFields {
  static let path = TextRule(
    noun: "an absolute path",
    allowed: "/… without `.`, `..` or a slash at its end, at most 200 bytes", pattern: "^/"
  ) { text in
    // One spelling a place: whether one lies in another is told from the text.
    text.hasPrefix("/") && !text.hasSuffix("/") && text.utf8.count <= 200 && !text.contains("//")
      && !text.split(separator: "/").contains { $0 == "." || $0 == ".." }
      && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f }
  }
  static let word = TextRule(
    noun: "a text", allowed: "1 to 500 printable characters"
  ) { text in
    (1...500).contains(text.utf8.count)
      && text.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value != 0x7f }
  }
  static let network: TextRule = {
    var rule = TextRule(noun: "a network", allowed: "public, off, or a file's absolute path") {
      text in
      text == "public" || text == "off" || path.problem(text) == nil
    }
    rule.plainWords = ["off"]
    return rule
  }()
  static let host = TextRule(
    noun: "a host name", allowed: "1 to 64 of a–z, 0–9, `-` and `.`"
  ) { HostName($0) != nil }
  static let branch = TextRule(
    noun: "a branch", allowed: "a branch's short name: main"
  ) { text in
    (1...200).contains(text.utf8.count) && !text.hasPrefix("-") && !text.contains("..")
      && text.unicodeScalars.allSatisfy {
        $0.value > 0x20 && $0.value != 0x7f && !"~^:?*[\\".unicodeScalars.contains($0)
      }
  }
  static let prefix = TextRule(
    noun: "an agent's name", allowed: "2 to 32 of a–z, 0–9 and `-`, a letter first"
  ) { text in
    (2...32).contains(text.utf8.count) && (ServiceName(text) != nil) && text.first?.isLetter == true
  }
  static let base = TextRule(
    noun: "a base image", allowed: "bootstrap:SUITE, or a reference with a tag: NAME:TAG"
  ) { baseImage($0) != nil }

  static func baseImage(_ text: String) -> BaseImage? {
    let characters = text.utf8.allSatisfy {
      (0x61...0x7a).contains($0) || (0x2d...0x3a).contains($0) || $0 == UInt8(ascii: "_")
    }
    guard characters, (3...200).contains(text.utf8.count) else { return nil }
    if text.hasPrefix("bootstrap:") {
      let suite = String(text.dropFirst("bootstrap:".count))
      return ServiceName(suite) == nil ? nil : .bootstrap(suite)
    }
    guard let tag = text.split(separator: "/").last?.split(separator: ":"), tag.count == 2 else {
      return nil
    }
    return .reference(text)
  }

  static let repository: [Field] = [
    Field(
      "url", .text(word), isRequired: true,
      summary: "https://, ssh://, USER@HOST:PATH, file:// or a path; http:// with allowPlainHTTP."),
    Field("branch", .text(branch), summary: "The branch to follow; main."),
    Field("path", .text(word), summary: "The folder of onionkeeper.yaml in it; the top."),
    Field(
      "credentials",
      .record([
        Field("tokenFile", .text(path), summary: "A file with the token, readable by root alone."),
        Field("user", .text(word), summary: "The user that goes with the token; git."),
        Field(
          "sshKey", .text(path),
          summary: "An unencrypted ed25519 or ecdsa key, readable by root alone."),
        Field("knownHosts", .text(path), summary: "The file that pins the ssh server's key."),
        Field("caFile", .text(path), summary: "PEM file of the only authorities to trust."),
      ]), summary: "How to prove to the server who we are."),
    Field("caFile", .text(path), summary: "PEM file of the only authorities to trust."),
    Field("allowPlainHTTP", .boolean, summary: "Lets url be http://."),
    Field(
      "trust",
      .record([
        Field(
          "signers", .text(path),
          summary: "ssh-keygen's allowed_signers file: the tip must be signed by one of them."),
        Field("transport", .boolean, summary: "true: whoever may push is trusted."),
        .notYet("chain", summary: "Every commit must be signed."),
        .notYet("since", summary: "A floor for the first run."),
        .notYet("introduction", summary: "Signers in the repository."),
        .notYet("freshness", summary: "How old the newest commit may be."),
      ]), isRequired: true, summary: "Why a commit may act; there is no silent default."),
    .notYet("via", summary: "Fetch over Tor."),
  ]

  static let webhook: [Field] = [
    Field(
      "url", .text(word), isRequired: true,
      summary: "https://…, or http:// to a loopback or private address."),
    Field(
      "secretFile", .text(path), isRequired: true,
      summary: "One whsec_… a line, readable by root alone."),
    Field("name", .text(word), summary: "For status; by default its host and a digest."),
    Field("events", .list(.text(word), count: 1...50), summary: "Kinds, with *: drift.*."),
    Field(
      "format",
      .choice([
        Choice("cloudevents"), Choice("slack", isSupported: false),
        Choice("ntfy", isSupported: false),
      ]),
      summary: "cloudevents."),
    Field("via", .text(word), summary: "socks5h://HOST:PORT"),
    Field("caFile", .text(path), summary: "PEM file of the only authorities to trust."),
  ]

  static let all: [Field] = [
    Field(
      "host", .text(host), isRequired: true,
      summary: "This host's name in definitions; never taken from the system."),
    Field(
      "labels", DefinitionFields.hostLabels,
      summary: "What definitions may select hosts by."),
    Field(
      "repository", .record(repository), isRequired: true, summary: "Where definitions come from."),
    Field("interval", .duration(1...86400), summary: "Between passes, ±10 %; 60s."),
    Field(
      "soak", .duration(0...2_592_000),
      summary: "Act on the newest commit first seen at least this long ago; 0s."),
    Field(
      "engine",
      .record([Field("socket", .text(word), summary: "auto, or the path of the engine's socket.")]),
      summary: "The container engine."),
    Field(
      "directories",
      .record([
        Field("keys", .text(path), summary: "Key directories; /var/lib/onionkeeper/keys."),
        Field(
          "state", .text(path), summary: "Journal, mirror, instances; /var/lib/onionkeeper/state."),
      ]), summary: "Where things are kept."),
    Field(
      "image",
      .record([
        Field(
          "base", .text(base),
          summary: "bootstrap:SUITE (mmdebstrap, no registry) or a reference with a tag."),
        .notYet("check", summary: "How often the base is looked at anew."),
      ]), summary: "What instances are made of."),
    Field(
      "allow",
      .record([
        Field(
          "targets", .list(.text(AllowList.rule), count: 0...1000), isRequired: true,
          summary: "Where services may lead to."),
        Field(
          "services", .integer(1...2000, noun: "a number of services"),
          summary: "At most so many; 500."),
        .notYet("singleHop", summary: "Non-anonymous services."),
        .notYet("customImages", summary: "Images from the repository."),
      ]), isRequired: true, summary: "What the repository may ask of this host."),
    Field("webhooks", .list(.record(webhook), count: 0...20), summary: "Who is told."),
    Field(
      "tor",
      .record([
        Field("network", .text(network), summary: "public, off, or a file of lines for each torrc.")
      ]),
      summary: "Which Tor network."),
    Field(
      "agent",
      .record([Field("name", .text(prefix), summary: "Prefix of names and labels; onionkeeper.")]),
      summary: "This agent among others on one engine."),
    Field("redactAddresses", .boolean, summary: "Shortens onion addresses in events."),
    .notYet("ageIdentity", summary: "Opens sealed keys."),
    .notYet("backup", summary: "Seals new keys to recipients."),
    .notYet("status", summary: "The status page."),
    .notYet("push", summary: "A forge's push hook."),
    .notYet("forge", summary: "Commit statuses."),
  ]
}
