import Glibc
import Journaling
import OnionModel

/// Whether the wall clock can be believed: signatures, soak times and deadlines are judged by it (product.md §4).
struct WallClock: Sendable {
  /// Clocks are set back by seconds; an hour is a lost battery or a wrong zone.
  static let tolerance = 3600.0

  /// No later than this was the program put on the disk; `nil` if that cannot be seen.
  let built: Timestamp?

  init(built: Timestamp? = WallClock.programTime()) { self.built = built }

  /// What is wrong with `now`, for people; `nil` if nothing is.
  /// - Parameter latest: when the journal was last written to, as it says.
  func complaint(_ now: Timestamp, latest: Timestamp?) -> String? {
    let marks = [(built, "this program was built"), (latest, "the journal was last written")]
    for (mark, what) in marks {
      guard let mark, mark.since(now) > Self.tolerance else { continue }
      return
        "the clock says \(now), but \(what) at \(mark): set it right (until then no revision is accepted)"
    }
    return nil
  }

  private static func programTime() -> Timestamp? {
    var status = stat()
    guard stat("/proc/self/exe", &status) == 0 else { return nil }
    return Timestamp(seconds: Int64(status.st_mtim.tv_sec))
  }
}
