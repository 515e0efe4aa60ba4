/// Options and the tor that first knew them, to tell an old tor from a slip of the pen (tor's ChangeLog).
enum TorOptionHistory {
  static let since: [String: String] = [
    "HiddenServiceEnableIntroDoSDefense": "0.4.2", "HiddenServiceEnableIntroDoSRatePerSec": "0.4.2",
    "HiddenServiceEnableIntroDoSBurstPerSec": "0.4.2", "HiddenServiceOnionBalanceInstance": "0.4.3",
    "MetricsPort": "0.4.5", "MetricsPortPolicy": "0.4.5", "VanguardsLiteEnabled": "0.4.7",
    "HiddenServicePoWDefensesEnabled": "0.4.8", "HiddenServicePoWQueueRate": "0.4.8",
    "HiddenServicePoWQueueBurst": "0.4.8", "CompiledProofOfWorkHash": "0.4.8",
    "ConfluxEnabled": "0.4.8", "ClientOnionAuthDir": "0.3.5", "HiddenServiceVersion": "0.3.2",
    "HiddenServiceSingleHopMode": "0.2.9", "HiddenServiceNonAnonymousMode": "0.2.9",
    "HiddenServiceMaxStreams": "0.2.7", "HiddenServiceNumIntroductionPoints": "0.2.7",
    "DormantCanceledByStartup": "0.4.0",
  ]

  /// Others that tor knows: for the nearest name to a misspelled one.
  static let others = [
    "HiddenServiceDir", "HiddenServicePort", "HiddenServiceDirGroupReadable",
    "HiddenServiceExportCircuitID", "HiddenServiceAllowUnknownPorts",
    "HiddenServiceMaxStreamsCloseCircuit", "SocksPort",
    "ControlPort", "ControlSocket", "CookieAuthentication", "DataDirectory", "User", "Sandbox",
    "DisableNetwork", "Log", "RunAsDaemon", "ExitPolicy", "Address", "Nickname", "ContactInfo",
  ]

  /// Options of services, in lower case.
  private static let ofServices = Set(
    (Array(since.keys) + others).map { $0.lowercased() }.filter { $0.hasPrefix("hiddenservice") }
      // Never written, or skipped with a warning.
      + ["hiddenserviceoptions", "hiddenservicenodes", "hiddenserviceexcludenodes"])

  /// - Parameter name: of a service's option, in lower case.
  static func isKnown(_ name: String) -> Bool { ofServices.contains(name) }

  /// `left` is an older version than `right`; by numbers, as far as both go.
  static func isOlder(_ left: String, than right: String) -> Bool {
    let numbers = { (text: String) in
      text.split { $0 == "." || $0 == "-" }.prefix(4).map { Int($0) ?? 0 }
    }
    for (one, other) in zip(numbers(left), numbers(right)) where one != other { return one < other }
    return false
  }

  /// A name at most three changes away.
  static func nearest(_ name: String) -> String? {
    guard name.utf8.count < 80 else { return nil }
    return (Array(since.keys) + others).map { ($0, distance(name.lowercased(), $0.lowercased())) }
      .filter { $0.1 > 0 && $0.1 <= 3 }.min { ($0.1, $0.0) < ($1.1, $1.0) }?.0
  }

  private static func distance(_ left: String, _ right: String) -> Int {
    let right = Array(right.utf8)
    var row = Array(0...right.count)
    for (index, byte) in left.utf8.enumerated() {
      var corner = row[0]
      row[0] = index + 1
      for place in right.indices {
        let above = row[place + 1]
        row[place + 1] = min(above + 1, row[place] + 1, corner + (byte == right[place] ? 0 : 1))
        corner = above
      }
    }
    return row[right.count]
  }
}
