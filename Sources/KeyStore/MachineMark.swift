import Descriptors
public import OnionModel

/// `.onionkeeper/machine`: on which machine the key folder is in use, as a digest. A copy of the whole disk bears the
/// same agent id, and would publish every key a second time.
extension KeyRoot {
  private static let machine: FileName = "machine"
  /// A digest and its line's end.
  private static let machineLimit = 128

  /// Absent: nobody has marked it yet.
  public func machine() -> Observation<String> {
    do {
      let root = try open("read the machine's mark")
      guard try root.own.status(of: Self.machine) != nil else { return .absent }
      let file = try root.own.regularFile(Self.machine)
      let text = String(decoding: try file.read(limit: Self.machineLimit), as: UTF8.self)
      guard text.hasSuffix("\n"), text.utf8.count > 1 else {
        return .unknown("\(file.path) is damaged: `onionkeeper setup --moved` writes it anew")
      }
      return .present(String(text.dropLast()))
    } catch {
      return .unknown("\(error)")
    }
  }

  /// Replaces the mark; on the disk when this returns.
  public func writeMachine(_ digest: String) throws(KeyStoreError) {
    try changing("mark the machine") { root in
      try root.own.write(Array("\(digest)\n".utf8), to: Self.machine)
    }
  }
}
