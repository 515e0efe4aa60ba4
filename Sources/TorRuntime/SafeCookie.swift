import Crypto

/// tor's cookie handshake in which neither side shows the cookie (control-spec, AUTHCHALLENGE).
struct SafeCookie {
  /// Bytes of a cookie, of a nonce and of a hash alike.
  static let length = 32
  private static let serverKey = "Tor safe cookie authentication server-to-controller hash"
  private static let clientKey = "Tor safe cookie authentication controller-to-server hash"

  private let cookie: [UInt8]
  let clientNonce: [UInt8]

  init(cookie: [UInt8], clientNonce: [UInt8]) {
    self.cookie = cookie
    self.clientNonce = clientNonce
  }

  /// With a fresh random nonce.
  init(cookie: [UInt8]) {
    var random = SystemRandomNumberGenerator()
    self.init(
      cookie: cookie,
      clientNonce: (0..<Self.length).map { _ in UInt8.random(in: .min ... .max, using: &random) })
  }

  var challenge: String { "AUTHCHALLENGE SAFECOOKIE \(hexadecimal(clientNonce))" }

  /// What to send as AUTHENTICATE, or `nil` if the other end has just shown that it does not know the cookie.
  /// - Throws: `.malformed` if it is no answer to a challenge.
  func answer(to reply: ControlReply) throws(ControlError) -> String? {
    guard reply.status == 250, reply.lines.count == 1,
      let (serverHash, serverNonce) = Self.parse(reply.lines[0].text)
    else {
      throw ControlError(.malformed, "AUTHCHALLENGE", "the answer is not a server hash and nonce")
    }
    let message = cookie + clientNonce + serverNonce
    // Compared in constant time.
    guard
      HMAC<SHA256>.isValidAuthenticationCode(
        serverHash, authenticating: message, using: SymmetricKey(data: Array(Self.serverKey.utf8)))
    else { return nil }
    let code = HMAC<SHA256>.authenticationCode(
      for: message, using: SymmetricKey(data: Array(Self.clientKey.utf8)))
    return "AUTHENTICATE \(hexadecimal(Array(code)))"
  }

  private static func parse(_ text: String) -> (hash: [UInt8], nonce: [UInt8])? {
    let words = text.split(separator: " ")
    guard words.count == 3, words[0] == "AUTHCHALLENGE",
      words[1].hasPrefix("SERVERHASH="), words[2].hasPrefix("SERVERNONCE="),
      let hash = bytes(hexadecimal: words[1].dropFirst(11)), hash.count == length,
      let nonce = bytes(hexadecimal: words[2].dropFirst(12)), nonce.count == length
    else { return nil }
    return (hash, nonce)
  }
}

private func hexadecimal(_ bytes: [UInt8]) -> String {
  let digits = Array("0123456789abcdef".utf8)
  return String(
    decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

private func bytes(hexadecimal text: Substring) -> [UInt8]? {
  let digits = text.utf8.map { byte -> UInt8? in
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
  guard digits.count.isMultiple(of: 2), !digits.contains(nil) else { return nil }
  return stride(from: 0, to: digits.count, by: 2).map {
    (digits[$0] ?? 0) << 4 | (digits[$0 + 1] ?? 0)
  }
}
