import OnionModel
import Transport

/// What an answer means for a delivery.
enum Verdict: Hashable {
  case delivered
  /// Try again, after so many seconds if the receiver said so.
  case again(String, after: Double?)
  /// Nothing was sent: the secret file is not as it must be. Somebody is mending it on this host.
  case notSent(String)
  /// The receiver will not take this event: few more tries.
  case refused(String)
  /// The receiver wants no events any more.
  case gone

  /// Reasons name status and host; never a body, which may repeat what we sent.
  init(status: Int, headers: HTTPHeaders, now: Timestamp) {
    switch status {
    case 200..<300: self = .delivered
    case 410: self = .gone
    case 300..<400:
      let target = headers["Location"].map(Self.printable) ?? "nowhere"
      self = .again(
        "answered \(status), a redirect to \(target); redirects are not followed: put the final address into the host file",
        after: nil)
    case 400, 413, 415, 422: self = .refused("answered \(status): it does not take this event")
    case 401, 403:
      self = .again("answered \(status): is the secret file the one that it knows?", after: nil)
    default:
      self = .again(
        "answered \(status)", after: headers["Retry-After"].flatMap { retryAfter($0, now: now) })
    }
  }

  /// A redirect's target without user, password, query and fragment.
  private static func printable(_ location: String) -> String {
    var text = location.prefix { !"?#".contains($0) }
    if let mark = text.firstRange(of: "://") {
      let authority = text[mark.upperBound...].prefix { $0 != "/" }
      if let at = authority.lastIndex(of: "@") {
        text = text[..<mark.upperBound] + text[authority.index(after: at)...]
      }
    }
    let clean = text.prefix(200).unicodeScalars.map {
      $0.value > 0x20 && $0.value < 0x7f ? $0 : "?"
    }
    return String(String.UnicodeScalarView(clean))
  }
}

/// Seconds from now: RFC 9110 §10.2.3, delay-seconds or an IMF-fixdate. `nil` for anything else.
func retryAfter(_ value: String, now: Timestamp) -> Double? {
  let text = value.trimmedBlanks
  if let seconds = Int32(text), seconds >= 0 { return Double(seconds) }
  // Sun, 06 Nov 1994 08:49:37 GMT
  let parts = text.split(separator: " ")
  let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]
  guard parts.count == 6, parts[5] == "GMT", let day = Int(parts[1]), let year = Int(parts[3]),
    let month = months.firstIndex(of: String(parts[2])), (1970...9999).contains(year),
    (1...31).contains(day)
  else { return nil }
  let clock = parts[4].split(separator: ":").compactMap { Int($0) }
  guard clock.count == 3, (0..<24).contains(clock[0]), (0..<60).contains(clock[1]),
    (0...60).contains(clock[2])
  else { return nil }
  let seconds =
    daysFromCivil(year, month + 1, day) * 86_400 + clock[0] * 3600 + clock[1] * 60 + clock[2]
  return max(0, Timestamp(seconds: Int64(seconds)).since(now))
}

/// Days since 1970-01-01: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
private func daysFromCivil(_ year: Int, _ month: Int, _ day: Int) -> Int {
  let year = month <= 2 ? year - 1 : year
  let era = year / 400
  let yearOfEra = year - era * 400
  let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
  return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
}

extension String {
  fileprivate var trimmedBlanks: String {
    String(drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
  }
}
