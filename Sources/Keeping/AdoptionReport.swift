public import OnionModel
public import TorRuntime

/// What `adopt` found and did: stable JSON, and the parts of the text.
public struct AdoptionReport: Encodable, Sendable {
  public struct Service: Encodable, Sendable {
    public enum Outcome: String, Encodable, Sendable {
      /// Its definition is written and its key imported; in a dry run: would be.
      case carried
      /// A definition of its address is in the folder already; its key is here.
      case present
      /// Left behind until somebody decides: the findings say what.
      case left
    }

    public var name: ServiceName
    /// As the torrc has it.
    public var directory: String
    /// `FILE:LINE` of its `HiddenServiceDir`.
    public var place: String
    public var outcome: Outcome
    public var address: OnionAddress?
    /// `services/NAME.yaml`
    public var file: String
    /// The definition; of a service that is left behind what it would be as far as is known, `nil` where that is too little.
    public var definition: String?
  }

  public var services: [Service]
  /// Every line that was not carried as it stands, errors first.
  public var findings: [TorrcFinding]
  /// Entries that `allow.targets` of the host file lacks for what was carried.
  public var missingTargets: [String]
  /// `allow.singleHop: true` is lacking, too.
  public var needsSingleHop: Bool
  /// Tors that run now and may hold these keys.
  public var running: [RunningTor]
  /// Paths that were written; in a dry run none.
  public var written: [String]
  public var isDryRun: Bool

  /// A service or a line that matters was left behind.
  public var isIncomplete: Bool { findings.contains { $0.severity == .error } }

  /// The findings, a line each.
  public func lines(errorsOnly: Bool) -> [String] {
    findings.filter { !errorsOnly || $0.severity == .error }.map(\.description)
  }

  /// A line for each tor that runs now.
  public var runningLines: [String] {
    running.map {
      "tor runs (process \($0.pid), user \($0.user)) and may hold these keys: two tors with one key take the visitors"
        + " from each other"
    }
  }
}
