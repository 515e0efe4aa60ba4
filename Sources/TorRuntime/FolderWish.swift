import Descriptors
import OnionModel

/// Owner, mode and label of each part of an instance's folders.
struct FolderWish {
  struct Entry {
    var owner: Int
    var mode: Int
    var label: String?
    /// A second name of a file would be a way to change it from elsewhere.
    var hasOneName = false

    func flaws(of entry: borrowing Descriptor, called name: String) throws(FileError) -> [Deviation]
    {
      let status = try entry.status()
      var found: [Deviation] = []
      func check(_ what: String, _ expected: String, _ observed: String) {
        if expected != observed {
          found.append(Deviation("\(what) of \(name)", expected: expected, observed: observed))
        }
      }
      check("owner", "\(owner):\(owner)", "\(status.owner):\(status.group)")
      check("mode", octal(mode), octal(status.mode))
      if hasOneName { check("names", "1", "\(status.links)") }
      if let label { check("label", label, try entry.label() ?? "none") }
      return found
    }
  }

  var owner: Int
  /// Only where SELinux is on.
  var label: ContainerLabel?

  private static let root = 0

  /// No container sees these.
  var `private`: Entry { Entry(owner: Self.root, mode: 0o700) }
  var etc: Entry { Entry(owner: Self.root, mode: 0o755, label: context) }
  var file: Entry { Entry(owner: Self.root, mode: 0o644, label: context, hasOneName: true) }
  var tor: Entry { Entry(owner: owner, mode: 0o700, label: context) }

  /// What `:Z` would write, with the instance's own categories (facts: selinux.md (b)).
  private var context: String? {
    label.map { "system_u:object_r:container_file_t:\($0.level)" }
  }
}

private func octal(_ mode: Int) -> String {
  let digits = String(mode, radix: 8)
  return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
}
