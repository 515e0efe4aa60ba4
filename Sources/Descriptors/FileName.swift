import Glibc

/// One name in a folder, or several joined by `/` where a function opens something: the bytes as the kernel has
/// them, which need not be UTF-8.
public struct FileName: Hashable, Sendable, Comparable, ExpressibleByStringLiteral,
  CustomStringConvertible
{
  /// Without an ending NUL.
  public let bytes: [UInt8]

  public init(bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

  public init(_ text: String) { bytes = Array(text.utf8) }

  public init(stringLiteral text: String) { bytes = Array(text.utf8) }

  /// `nil` where the bytes are not UTF-8.
  public var text: String? { String(validating: bytes, as: UTF8.self) }

  /// Printable: everything but graphic ASCII is written as `\xNN`.
  public var description: String {
    var text = ""
    for byte in bytes {
      if byte == UInt8(ascii: "\\") {
        text += "\\\\"
      } else if (0x20..<0x7f).contains(byte) {
        text.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        text += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
    }
    return text
  }

  public static func < (left: Self, right: Self) -> Bool {
    left.bytes.lexicographicallyPrecedes(right.bytes)
  }

  /// For the kernel: one name, or a path below a folder.
  var isPath: Bool { !bytes.isEmpty && !bytes.contains(0) }

  /// One entry of a folder and not the folder itself.
  var isEntry: Bool {
    isPath && !bytes.contains(UInt8(ascii: "/")) && bytes != [UInt8(ascii: ".")]
      && bytes != [UInt8(ascii: "."), UInt8(ascii: ".")]
  }

  func withPointer<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    var terminated = bytes.map { CChar(bitPattern: $0) }
    terminated.append(0)
    return body(terminated)
  }
}
