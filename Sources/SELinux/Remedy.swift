/// One way out of a denial.
public struct Remedy: Hashable, Sendable, Codable {
  /// From the least to the most that is given away.
  public enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
    /// Nothing need be done.
    case nothing
    /// A newer package of the distribution has it right.
    case update
    /// Owner or mode.
    case ownership
    /// Another place, which policy already knows as tor's.
    case place
    /// `semanage fcontext` and `restorecon`.
    case label
    /// `semanage port`.
    case port
    /// tor's own configuration.
    case configuration
    /// The systemd unit.
    case unit
    /// How a container mounts it.
    case mount
    /// tor in a container of its own.
    case container
    /// A switch of the loaded policy.
    case boolean
    /// A rule of one's own: the last resort.
    case rule
  }

  public var kind: Kind
  /// A sentence.
  public var text: String
  /// To be typed by root, in order; `PATH` and the like stand for what the log does not say.
  public var commands: [String]

  public init(_ kind: Kind, _ text: String, _ commands: [String] = []) {
    self.kind = kind
    self.text = text
    self.commands = commands
  }

  /// A word for a shell.
  static func quoted(_ word: String) -> String {
    let isPlain =
      !word.isEmpty && word.utf8.allSatisfy { isNameByte($0) || "/.:@%+,".utf8.contains($0) }
    if isPlain { return word }
    return "'"
      + word.split(separator: "'", omittingEmptySubsequences: false)
      .joined(separator: "'\\''") + "'"
  }

  /// A path and all below it, as the regular expression of a file context.
  static func tree(_ path: String) -> String {
    var text = ""
    for character in path {
      if ".^$?*+|[](){}\\".contains(character) { text += "\\" }
      text.append(character)
    }
    return "'"
      + text.split(separator: "'", omittingEmptySubsequences: false)
      .joined(separator: "'\\''") + "(/.*)?'"
  }

  /// Registers a type for a folder and sets it.
  static func relabel(_ path: String, _ type: String) -> [String] {
    [
      "semanage fcontext -a -t \(type) \(tree(path))", "restorecon -Rv \(quoted(path))",
    ]
  }
}
