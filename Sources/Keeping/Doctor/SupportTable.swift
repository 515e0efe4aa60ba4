import OnionModel

/// Until when a distribution release gets security fixes.
///
/// Debian from bookworm on: distro-info-data's debian.csv (package of October 2026; `eol` and `eol-lts`). Older Debian
/// releases and Alpine 3.18 and 3.19 were written from memory, the other Alpine rows after third-party pages: not yet held
/// against their projects' own tables.
struct SupportTable {
  struct Release: Hashable {
    /// As people call it: `bookworm`, `3.22`.
    var name: String
    /// Its own maintainers' support ends with this day.
    var end: Date
    /// Long-term support by others ends with this day.
    var longEnd: Date?
  }

  /// A day of the civil calendar, UTC.
  struct Date: Hashable, CustomStringConvertible {
    var year: Int
    var month: Int
    var day: Int

    init(_ year: Int, _ month: Int, _ day: Int) {
      self.year = year
      self.month = month
      self.day = day
    }

    var description: String { "\(year)-\(pad(month))-\(pad(day))" }

    /// The day is over. Both write ISO 8601, whose order is that of time.
    func isPast(_ now: Timestamp) -> Bool { now.description.prefix(10) > description }

    private func pad(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
  }

  static let debian = [
    Release(name: "buster", end: Date(2022, 9, 10), longEnd: Date(2024, 6, 30)),
    Release(name: "bullseye", end: Date(2024, 8, 14), longEnd: Date(2026, 8, 31)),
    Release(name: "bookworm", end: Date(2026, 7, 11), longEnd: Date(2028, 6, 30)),
    Release(name: "trixie", end: Date(2028, 8, 9), longEnd: Date(2030, 6, 30)),
  ]

  static let alpine = [
    Release(name: "3.18", end: Date(2025, 5, 9)), Release(name: "3.19", end: Date(2025, 11, 1)),
    Release(name: "3.20", end: Date(2026, 4, 1)), Release(name: "3.21", end: Date(2026, 11, 1)),
    Release(name: "3.22", end: Date(2027, 5, 1)), Release(name: "3.23", end: Date(2027, 11, 1)),
  ]

  /// What a base image is made of; `nil` if the table does not know it.
  static func release(of base: BaseImage) -> (distribution: String, release: Release)? {
    switch base {
    case .bootstrap(let suite):
      return debian.first { $0.name == suite }.map { ("Debian", $0) }
    case .reference(let reference):
      let last = reference.split(separator: "/").last ?? ""
      let name = last.split(separator: "@").first ?? ""
      let parts = name.split(separator: ":")
      guard parts.count == 2, parts[0] == "alpine" else { return nil }
      let branch = parts[1].split(separator: ".").prefix(2).joined(separator: ".")
      return alpine.first { $0.name == branch }.map { ("Alpine", $0) }
    }
  }

  /// The newest release of the same distribution, to move to.
  static func newest(_ base: BaseImage) -> String? {
    switch base {
    case .bootstrap: return debian.last.map { "bootstrap:\($0.name)" }
    case .reference(let reference):
      // A registry's port comes before the last slash, a tag after it.
      let parts = reference.split(separator: "/", omittingEmptySubsequences: false)
      guard let last = parts.last, let name = last.split(separator: ":").first,
        let newest = alpine.last
      else { return nil }
      return (parts.dropLast() + ["\(name):\(newest.name)"]).joined(separator: "/")
    }
  }
}
