public import OnionModel

/// A file of `authorized_clients/` as tor 0.4.9 reads it (src/feature/hs/hs_service.c, `load_client_keys`,
/// `parse_authorized_client`): what tor does not take it ignores, and with none left it opens the service to everybody.
public enum ClientFile {
  /// Whether tor looks into a file of this name at all.
  public static func isRead(_ name: String) -> Bool {
    name.hasSuffix(".auth") && name.utf8.count > ".auth".utf8.count
  }

  /// The client's x25519 public key, 52 upper-case base32 characters; `nil` where tor ignores the file.
  public static func key(_ content: [UInt8]) -> String? {
    let fields = content.prefix { $0 != 0 }.filter { $0 != .carriageReturn }
      .split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).map(\.trimmed)
    guard fields.count == 3, fields[0].elementsEqual("descriptor".utf8),
      fields[1].elementsEqual("x25519".utf8), fields[2].count == 52
    else { return nil }
    var text = String(decoding: fields[2], as: UTF8.self).uppercased()
    // 52 characters are 260 bits: the last four are of no key, and tor does not look at them.
    guard let last = text.last, let index = base32.firstIndex(of: last) else { return nil }
    text = text.dropLast() + (index < 16 ? "A" : "Q")
    return Base32.decode(text)?.count == 32 ? text : nil
  }

  private static let base32 = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
}

/// `ob_config` of an Onionbalance instance (src/feature/hs/hs_ob.c): torrc's syntax, `MasterOnionAddress` lines; what
/// else it says tor keeps and does not use.
public enum OnionBalanceFile {
  /// The masters, each once, in their order; `nil` where tor refuses the file.
  public static func masters(_ content: [UInt8]) -> [OnionAddress]? {
    var syntax = TorrcSyntax(content)
    var masters: [OnionAddress] = []
    do throws(TorrcSyntaxError) {
      while let entry = try syntax.next() {
        let name = String(decoding: entry.name, as: UTF8.self).lowercased()
        // tor takes a beginning of the one name, too.
        guard !name.isEmpty, "masteronionaddress".hasPrefix(name), !entry.value.isEmpty else {
          continue
        }
        let text = String(decoding: entry.value, as: UTF8.self)
        guard text.hasSuffix(".onion"), let address = OnionAddress(text) else { return nil }
        if !masters.contains(address) { masters.append(address) }
      }
    } catch {
      return nil
    }
    return masters
  }
}
