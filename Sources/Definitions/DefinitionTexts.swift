import OnionModel

/// The texts of definitions that have a form of their own.
enum DefinitionTexts {
  private static let nameForm = "1 to 48 of a–z 0–9 -, not - first"
  private static let namePattern = "^[a-z0-9][a-z0-9-]{0,47}$"

  static let serviceName = TextRule(
    noun: "a service's name", allowed: nameForm, pattern: namePattern
  ) { ServiceName($0) != nil }

  static let instanceName = TextRule(
    noun: "an instance's name", allowed: nameForm, pattern: namePattern
  ) { InstanceName($0) != nil }

  static let imageName = TextRule(
    noun: "an image", allowed: "default, or a name of images/: \(nameForm)", pattern: namePattern
  ) { ServiceName($0) != nil }

  static let clientName = TextRule(
    noun: "a client's name", allowed: nameForm, pattern: namePattern
  ) { text in
    // The file that keeps tor from ever seeing no client at all lies beside the clients' files.
    if text == "0-onionkeeper" { return .because("\(text) is Onionkeeper's own (another name)") }
    return ServiceName(text) == nil ? .notOne : nil
  }

  static let hostPattern = TextRule(
    noun: "a host's name or a glob", allowed: "1 to 64 of a–z 0–9 . - * ?, lower case",
    pattern: "^[a-z0-9.*?-]{1,64}$"
  ) { HostSelector.Pattern($0) != nil }

  static let address = TextRule(
    noun: "an onion address", allowed: "56 base32 characters and .onion, version 3",
    pattern: "^[A-Za-z2-7]{56}\\.[Oo][Nn][Ii][Oo][Nn]$"
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

  /// The only form: it names no other folder, whatever a repository says.
  static let sealedFile = TextRule(
    noun: "a sealed key's file", allowed: "secrets/NAME.age, NAME \(nameForm)",
    pattern: "^secrets/[a-z0-9][a-z0-9-]{0,47}\\.age$"
  ) { text in
    guard text.hasPrefix("secrets/"), text.hasSuffix(".age"), text.utf8.count > 12 else {
      return false
    }
    return ServiceName(String(text.dropFirst(8).dropLast(4))) != nil
  }

  static let labelName = TextRule(
    noun: "a label's name", allowed: "1 to 64 of A–Z a–z 0–9 . _ / -",
    pattern: "^[A-Za-z0-9._/-]{1,64}$", where: isLabel)

  static let labelValue = TextRule(
    noun: "a label's value", allowed: "1 to 64 of A–Z a–z 0–9 . _ / -",
    pattern: "^[A-Za-z0-9._/-]{1,64}$", where: isLabel)

  private static let labelLetters = Set(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-".utf8)

  private static func isLabel(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count) && text.utf8.allSatisfy(labelLetters.contains)
  }
}
