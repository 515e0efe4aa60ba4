import OnionModel

/// Reads a `TorObservation` out of three replies. Pure; what tor says is hostile and is checked and cut.
enum TorState {
  static let questions = ["version", "status/bootstrap-phase"]
  static let circuits = "circuit-status"
  static let options = "HiddenServiceOptions"
  /// A version is about 10 characters, with a commit 30.
  private static let versionLimit = 64
  private static let summaryLimit = 200

  static func observation(
    status: [String: String], serviceOptions: [String], circuits: String?
  ) throws(ControlError) -> TorObservation {
    guard let version = status["version"], let phase = status["status/bootstrap-phase"],
      let circuits
    else {
      throw ControlError(
        .malformed, "GETINFO", "version, bootstrap phase or circuits are missing in the answer")
    }
    guard let progress = parameter("PROGRESS", in: phase).flatMap({ Int($0) }),
      (0...100).contains(progress)
    else { throw ControlError(.malformed, "GETINFO", "the bootstrap phase has no progress") }
    return TorObservation(
      version: visible(version, limit: versionLimit), bootstrap: progress,
      bootstrapSummary: summary(phase), serviceOptions: serviceOptions,
      introductions: introductions(circuits))
  }

  /// `GETCONF` answers as torrc lines; a name alone means that nothing is set.
  static func lines(_ reply: ControlReply) -> [String] {
    reply.values.map { "\($0.name) \($0.value)" }
  }

  /// Established introduction circuits by the service's address without `.onion`
  /// (control-spec, circuit-status: PURPOSE, HS_STATE, REND_QUERY).
  static func introductions(_ circuits: String) -> [String: Int] {
    var counts: [String: Int] = [:]
    for line in circuits.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.contains("PURPOSE=HS_SERVICE_INTRO"), words.contains("HS_STATE=HSSI_ESTABLISHED"),
        let query = words.first(where: { $0.hasPrefix("REND_QUERY=") })?.dropFirst(11),
        let address = OnionAddress(String(query))
      else { continue }
      counts[address.identifier, default: 0] += 1
    }
    return counts
  }

  private static func summary(_ phase: String) -> String {
    let parts = ["SUMMARY", "WARNING"].compactMap { parameter($0, in: phase) }
    return visible(parts.joined(separator: ": "), limit: summaryLimit)
  }

  /// The value of ` NAME=value` or ` NAME="value"`; not one inside another's quotes.
  static func parameter(_ name: String, in text: String) -> String? {
    var words: [String] = []
    var word = ""
    var isQuoted = false
    var isEscaped = false
    for character in text {
      if isEscaped {
        isEscaped = false
      } else if character == "\\", isQuoted {
        isEscaped = true
      } else if character == "\"" {
        isQuoted.toggle()
      } else if character == " ", !isQuoted {
        words.append(word)
        word = ""
        continue
      }
      word.append(character)
    }
    words.append(word)
    return words.first { $0.hasPrefix(name + "=") }
      .map { unquoted(String($0.dropFirst(name.count + 1))) }
  }
}
