import Descriptors
import Glibc
import OnionModel
import SELinux

/// The policy of a host, as its files tell.
public struct PolicyHost: Sendable {
  /// Where its file system begins; `/` but in tests and for another system's disk.
  public var root: String

  public init(root: String = "/") { self.root = root }

  /// Modules and what they were compiled to, by the kind that `/etc/selinux/config` names.
  struct Store: Hashable, Sendable {
    var kind: String
    /// Absolute, root included.
    var folder: String
  }

  func path(_ path: String) -> String {
    root.hasSuffix("/") ? root + path.dropFirst() : root + path
  }

  /// The store; absent where this host has no policy; unknown where it cannot be looked at.
  func store() -> Observation<Store> {
    let configuration: String
    switch text("/etc/selinux/config") {
    case .present(let text): configuration = text
    case .absent: return .absent
    case .unknown(let reason): return .unknown(reason)
    }
    guard let kind = Self.kind(in: configuration) else { return .absent }
    let folder = path("/var/lib/selinux/\(kind)")
    do throws(FileError) {
      let store = try Descriptor.folder(at: folder)
      _ = try store.folder("active/modules").names(limit: Self.priorityLimit)
      return .present(Store(kind: kind, folder: folder))
    } catch {
      return error.number == ENOENT ? .absent : .unknown("\(error)")
    }
  }

  /// Priorities are 1 to 999, and a few names beside.
  private static let priorityLimit = 2000

  private static func kind(in text: String) -> String? {
    for line in text.split(whereSeparator: \.isNewline) {
      let parts = line.split(separator: "=", maxSplits: 1)
      guard parts.count == 2, parts[0].filter({ !$0.isWhitespace }) == "SELINUXTYPE" else {
        continue
      }
      let value = parts[1].filter { !$0.isWhitespace }
      let isPlain = value.utf8.allSatisfy { byte in
        byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
          || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
      }
      return isPlain && !value.isEmpty ? value : nil
    }
    return nil
  }

  /// Switches of the loaded policy; nothing is known of them where SELinux is off.
  func knowledge() -> PolicyKnowledge {
    do throws(FileError) {
      let folder = try Descriptor.folder(at: path("/sys/fs/selinux/booleans"))
      var booleans: [String: Bool] = [:]
      for name in try folder.names(limit: Self.booleanLimit) {
        guard let text = name.text else { continue }
        // `1 1`: now, and once what is pending is committed.
        booleans[text] = try folder.file(name).read(limit: 16).first == UInt8(ascii: "1")
      }
      return PolicyKnowledge(booleans: booleans)
    } catch {
      return PolicyKnowledge()
    }
  }

  /// Fedora's policy has some 350.
  private static let booleanLimit = 5000

  private func text(_ file: String) -> Observation<String> {
    let whole = path(file)
    guard let slash = whole.lastIndex(of: "/") else { return .absent }
    do throws(FileError) {
      let folder = try Descriptor.folder(
        at: slash == whole.startIndex ? "/" : String(whole[..<slash]))
      let bytes = try folder.regularFile(FileName(String(whole[whole.index(after: slash)...])))
        .read(limit: 64 << 10)
      return .present(String(decoding: bytes, as: UTF8.self))
    } catch {
      return error.number == ENOENT || error.number == ENOTDIR ? .absent : .unknown("\(error)")
    }
  }
}
