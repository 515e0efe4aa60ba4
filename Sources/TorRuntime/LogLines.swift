/// tor's log lines for events: addresses shortened, and one sentence on what is wrong.
public enum LogLines {
  /// Lines that go into an event about a tor that ended.
  public static let kept = 20
  /// Characters of one line; tor's longest ordinary lines are about 300.
  public static let lineLimit = 500
  /// Base32 of an x25519 key is 52, an address 56 characters: anything this long is one of them, or might be.
  private static let runLimit = 50
  /// Characters left of one.
  private static let shown = 8
  /// Characters of a line that are looked at.
  private static let searchLimit = 4096

  /// The last lines, each fit to be sent to strangers.
  public static func excerpt(_ lines: [String]) -> [String] { lines.suffix(kept).map(redact) }

  /// One line without control characters, cut, with every onion address and key shortened to its first eight characters.
  public static func redact(_ line: String) -> String {
    var result = ""
    var run = ""
    func flush(atEnd isCut: Bool = false) {
      // What the cut left of a long run is still the better part of an address.
      let isSecret = run.utf8.count >= runLimit || isCut && run.utf8.count > shown
      result += isSecret ? "\(run.prefix(shown))…" : run
      run = ""
    }
    let head = line.prefix(searchLimit)
    for character in head {
      if let byte = character.asciiValue, isBase32(byte) {
        run.append(character)
      } else {
        flush()
        result.append(character)
      }
    }
    flush(atEnd: head.endIndex != line.endIndex)
    return visible(result, limit: lineLimit)
  }

  /// What the lines say is wrong and what to do, from the last line that is known; `nil` if none is
  /// (facts: tor.md §3, engine.md §4: lines of tor 0.4.9.11).
  public static func finding(in lines: [String]) -> String? {
    let last = lines.suffix(searchLines)
    for line in last.reversed() {
      if let entry = known.first(where: { $0.parts.allSatisfy(line.contains) }) {
        return entry.sentence
      }
    }
    // Follows the line that says more, if that one is known.
    return last.contains { $0.contains("Acting on config options left us in a broken state") }
      ? "tor found a service's keys unusable after it had accepted the configuration." : nil
  }

  /// tor writes its reason within the last lines before it ends.
  private static let searchLines = 200

  private static let known: [(parts: [String], sentence: String)] = [
    (
      ["onionkeeper: tor not started:"],
      "The start guard refused: key directory or client files are not those that were approved. "
        + "The next pass repairs what may be repaired; `onionkeeper status` names the rest."
    ),
    (
      ["is not owned by this user"],
      "A directory does not belong to tor's user. Its owner must be the user that tor runs as."
    ),
    (
      ["Directory", "cannot be read: Too many levels of symbolic links"],
      "A directory was replaced by a symbolic link. tor follows none; put the directory back."
    ),
    (
      ["Directory", "cannot be read: Permission denied"],
      "tor may not read a directory: its owner, its mode, a parent directory, or its SELinux label is wrong."
    ),
    (
      ["Permissions on directory", "are too permissive"],
      "A directory can be read by others than tor's user. Its mode must be 0700."
    ),
    (
      ["needs to exist, and to be accessible only by the user account"],
      "The folder of the control socket must belong to tor's user with mode 0700."
    ),
    (
      ["does not match", "hs_ed25519_"],
      "Secret and public key of a service belong to different addresses. Restore both from one backup."
    ),
    (
      ["We needed to load a secret key from"],
      "The secret key of a service is missing or damaged. Restore it from a backup; tor must not make a new one."
    ),
    (
      ["Could not open", "hs_ed25519_secret_key", "Permission denied"],
      "tor may not read a secret key. It must belong to tor's user with mode 0600."
    ),
    (
      ["Unparseable address in hidden service port configuration"],
      "A port's target is a name that could not be resolved. Use an address, or a name that resolves in the container."
    ),
    (
      ["Read-only file system"],
      "A key directory is not complete: tor wanted to write into it and it is mounted read-only."
    ),
    (
      ["No space left on device"], "The disk is full."
    ),
  ]

  private static func isBase32(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
      || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
      || (UInt8(ascii: "2")...UInt8(ascii: "7")).contains(byte)
  }
}
