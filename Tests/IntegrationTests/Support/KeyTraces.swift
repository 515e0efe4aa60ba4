import Foundation
import OnionModel

/// The forms in which a secret key could have been written somewhere, and where one of them is.
struct KeyTraces {
  private let patterns: [(form: String, bytes: Data)]

  /// - Parameter file: a whole `hs_ed25519_secret_key`; its header is public.
  init(_ file: Data) {
    let key = Data(file.dropFirst(32))
    var patterns: [(form: String, bytes: Data)] = []
    // Any quarter of it is too much.
    for start in stride(from: 0, to: key.count, by: 16) {
      let part = Data(key[(key.startIndex + start)..<(key.startIndex + start + 16)])
      patterns.append(("raw", part))
      let hex = part.map { String(format: "%02x", $0) }.joined()
      patterns.append(("hex", Data(hex.utf8)))
      patterns.append(("HEX", Data(hex.uppercased().utf8)))
      patterns.append(("decimal", Data(part.map { "\($0)" }.joined(separator: ", ").utf8)))
    }
    // A text's encoding depends on where in it the key begins: all places, less what its neighbours decide.
    for shift in 0..<3 {
      let text = (Data(count: shift) + key).base64EncodedString().dropFirst(4).prefix(40)
      patterns.append(("base64", Data(text.utf8)))
      patterns.append(
        (
          "base64url",
          Data(text.replacing("+", with: "-").replacing("/", with: "_").utf8)
        ))
    }
    for shift in 0..<5 {
      let text = String(Base32.encode(Data(count: shift) + key).dropFirst(8).prefix(40))
      patterns.append(("base32", Data(text.utf8)))
      patterns.append(("BASE32", Data(text.uppercased().utf8)))
    }
    self.patterns = patterns
  }

  /// The form that the data holds; `nil` if it holds none.
  func form(in data: Data) -> String? { patterns.first { data.range(of: $0.bytes) != nil }?.form }

  /// Files below a folder that hold a form of it, as `form: path`.
  /// - Parameters:
  ///   - except: folders that are not entered, by their path below it.
  ///   - own: the name of the key's own file.
  func found(below folder: String, except: Set<String>, _ own: String) throws -> [String] {
    var found: [String] = []
    guard let files = FileManager.default.enumerator(atPath: folder) else {
      throw Unfit("\(folder) cannot be listed")
    }
    var count = 0
    for case let name as String in files {
      if except.contains(name) { files.skipDescendants() }
      guard files.fileAttributes?[.type] as? FileAttributeType == .typeRegular,
        !name.hasSuffix("/\(own)")
      else { continue }
      count += 1
      let path = "\(folder)/\(name)"
      if let form = form(in: try Data(contentsOf: URL(fileURLWithPath: path))) {
        found.append("\(form): \(path)")
      }
    }
    guard count > 0 else { throw Unfit("\(folder) holds no file") }
    return found
  }
}
