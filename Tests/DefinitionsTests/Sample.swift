import OnionModel

/// An address and client keys for tests: of keys that nobody has.
enum Sample {
  static func name(_ text: String) -> ServiceName {
    guard let name = ServiceName(text) else { preconditionFailure("\(text) is no name") }
    return name
  }

  static func address(_ number: UInt8) -> String {
    OnionAddress(publicKey: Array(repeating: number, count: 32)).text
  }

  static func key(_ number: UInt8) -> String {
    Base32.encode(Array(repeating: number, count: 32)).uppercased()
  }

  static func client(_ name: String, _ number: UInt8) -> String {
    "{name: \(name), key: \"descriptor:x25519:\(key(number))\"}"
  }
}
