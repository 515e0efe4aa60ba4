import Definitions
import Glibc
import Journaling
import OnionModel
import Reporting

/// The texts of the host file that have a form of their own.
enum HostTexts {
  /// No part is empty, `.` or `..`.
  private static let pathForm =
    "(?=.{2,200}$)(?:/(?!\\.{1,2}(?:/|$))[^/\\u0000-\\u001f\\u007f]+)+"

  static let path = TextRule(
    noun: "an absolute path",
    allowed: "/… without `.`, `..` or a slash at its end, at most 200 bytes",
    pattern: "^\(pathForm)$"
  ) { text in
    // One spelling a place: whether one lies in another is told from the text.
    text.hasPrefix("/") && !text.hasSuffix("/") && text.utf8.count <= 200 && !text.contains("//")
      && !text.split(separator: "/").contains { $0 == "." || $0 == ".." }
      && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f }
  }

  static let word = TextRule(
    noun: "a text", allowed: "1 to 500 printable characters",
    pattern: "^[^\\u0000-\\u0020\\u007f]{1,500}$"
  ) { text in
    (1...500).contains(text.utf8.count)
      && text.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value != 0x7f }
  }

  static let socket = TextRule(
    noun: "a socket", allowed: "auto, or its absolute path", pattern: "^(?:auto|\(pathForm))$"
  ) { $0 == "auto" || path.problem($0) == nil }

  static let network: TextRule = {
    var rule = TextRule(
      noun: "a network", allowed: "public, off, or a file's absolute path",
      pattern: "^(?:public|off|\(pathForm))$"
    ) { $0 == "public" || $0 == "off" || path.problem($0) == nil }
    rule.plainWords = ["off"]
    return rule
  }()

  static let branch = TextRule(
    noun: "a branch", allowed: "a branch's short name: main",
    pattern: "^(?!-)(?!.*\\.\\.)[^\\u0000-\\u0020\\u007f~^:?*\\[\\\\]{1,200}$"
  ) { text in
    (1...200).contains(text.utf8.count) && !text.hasPrefix("-") && !text.contains("..")
      && text.unicodeScalars.allSatisfy {
        $0.value > 0x20 && $0.value != 0x7f && !"~^:?*[\\".unicodeScalars.contains($0)
      }
  }

  static let prefix = TextRule(
    noun: "an agent's name", allowed: "2 to 32 of a–z, 0–9 and `-`, a letter first",
    pattern: "^[a-z][a-z0-9-]{1,31}$"
  ) { text in
    (2...32).contains(text.utf8.count) && ServiceName(text) != nil && text.first?.isLetter == true
  }

  static let base = TextRule(
    noun: "a base image", allowed: "bootstrap:SUITE, or a reference with a tag: NAME:TAG",
    pattern: "^(?=[a-z0-9_./:-]{3,200}$)"
      + "(?:bootstrap:[a-z0-9][a-z0-9-]{0,47}|(?!bootstrap:).*[^/:]:+[^/:]+[/:]*)$"
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

  static let commit = TextRule(
    noun: "a commit's full id", allowed: "40 of 0–9 a–f", pattern: "^[0-9a-f]{40}$"
  ) { CommitID($0) != nil }

  static let keyFingerprint = TextRule(
    noun: "a key's fingerprint", allowed: "SHA256: and 43 base64 characters, as ssh-keygen -l says",
    pattern: "^SHA256:[A-Za-z0-9+/]{43}$"
  ) { text in
    text.hasPrefix("SHA256:") && text.utf8.count == 50
      && text.utf8.dropFirst(7).allSatisfy {
        (0x61...0x7a).contains($0) || (0x41...0x5a).contains($0) || (0x2f...0x39).contains($0)
          || $0 == UInt8(ascii: "+")
      }
  }

  static let proxy = TextRule(
    noun: "a proxy", allowed: "socks5h://HOST:PORT", pattern: "^socks5h?://[!-.0-?A-~]+:[0-9]+$"
  ) { text in
    do throws(ReportingError) {
      _ = try WebhookProxy(text)
      return true
    } catch { return false }
  }

  private static let eventForm: String = {
    let kinds = EventKind.allCases.map(\.rawValue)
    let families = Set(kinds.compactMap { $0.split(separator: ".").first.map { "\($0).*" } })
    let all = (["*"] + families.sorted() + kinds).map { text in
      text.replacing(".", with: "\\.").replacing("*", with: "\\*")
    }
    return "^(?:" + all.joined(separator: "|") + ")$"
  }()

  static let eventPattern = TextRule(
    noun: "a kind of event", allowed: "*, drift.*, key.lost, …", pattern: eventForm
  ) { EventPattern($0) != nil }

  /// Never shown: the secret half in the wrong place is the likely mistake.
  static let recipient = TextRule(
    noun: "an age recipient", allowed: "age1…, or an ssh-ed25519 or ssh-rsa public key",
    pattern: "^(age1[a-z0-9]+|ssh-(ed25519|rsa) .+)$", isShown: false
  ) { text in
    if AgeRecipient.isIdentity(text) {
      return .because("is an age identity, a secret: replace it (its recipient: age1…)")
    }
    return AgeRecipient.isValid(text) ? nil : .notOne
  }

  static let listen = TextRule(
    noun: "a place to listen", allowed: "unix:/path, or ADDRESS:PORT",
    pattern: "^(?:unix:/.+|[0-9.]+:[0-9]+|\\[[0-9A-Fa-f:.]+\\]:[0-9]+)$",
    where: isListen)

  static let forgeRepository = TextRule(
    noun: "a repository of a forge", allowed: "OWNER/REPO",
    pattern: "^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$"
  ) { text in
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    return parts.count == 2 && parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
      && text.utf8.allSatisfy {
        (48...57).contains($0) || (97...122).contains($0 | 0x20)
          || [0x2d, 0x2e, 0x2f, 0x5f].contains($0)
      } ? nil : .notOne
  }

  static let statusListen: TextRule = {
    var rule = TextRule(
      noun: "a place to listen", allowed: "off, unix:/path, or ADDRESS:PORT", pattern: "^off$"
    ) { text in
      if text == "off" { return nil }
      return isListen(text) ? .because("\(text) is not supported yet (off)") : .notOne
    }
    rule.plainWords = ["off"]
    return rule
  }()

  private static func isListen(_ text: String) -> Bool {
    if text.hasPrefix("unix:") { return path.problem(String(text.dropFirst(5))) == nil }
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
      (1...65535).contains(port)
    else { return false }
    let address = String(text[..<colon])
    var bytes = in6_addr()
    if address.hasPrefix("["), address.hasSuffix("]") {
      return inet_pton(AF_INET6, String(address.dropFirst().dropLast()), &bytes) == 1
    }
    return inet_pton(AF_INET, address, &bytes) == 1
  }
}
