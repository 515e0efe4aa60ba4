import Crypto

/// SHA-256 as 64 lower-case hexadecimal digits: what `sha256sum` prints.
public func sha256(_ bytes: some Sequence<UInt8>) -> String {
  let digits = Array("0123456789abcdef".utf8)
  var text: [UInt8] = []
  for byte in SHA256.hash(data: Array(bytes)) {
    text.append(digits[Int(byte >> 4)])
    text.append(digits[Int(byte & 15)])
  }
  return String(decoding: text, as: UTF8.self)
}

/// SHA-256 of a text's UTF-8.
public func sha256(_ text: String) -> String { sha256(text.utf8) }
