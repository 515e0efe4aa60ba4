/// What is known of something after a look: it is there, it is not there, or nobody could tell.
/// Unknown is never treated as absent.
public enum Observation<Value: Sendable>: Sendable {
  case present(Value)
  case absent
  /// Why nobody could tell, for people.
  case unknown(String)

  public var value: Value? { if case .present(let value) = self { value } else { nil } }

  public var isAbsent: Bool { if case .absent = self { true } else { false } }

  public var unknownReason: String? { if case .unknown(let reason) = self { reason } else { nil } }

  public func map<Other: Sendable>(_ transform: (Value) -> Other) -> Observation<Other> {
    switch self {
    case .present(let value): .present(transform(value))
    case .absent: .absent
    case .unknown(let reason): .unknown(reason)
    }
  }
}

extension Observation: Equatable where Value: Equatable {}
extension Observation: Hashable where Value: Hashable {}
