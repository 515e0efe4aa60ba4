/// When a failed delivery is tried again. Short at first, so that a receiver's restart is bridged; then as Standard Webhooks asks.
public struct RetrySchedule: Hashable, Sendable {
  /// Seconds before the second try, the third, …; the last one repeats.
  public var steps: [Double] = [
    1, 5, 30, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000,
  ]
  /// An event that is older than this is given up when a try fails: a dead letter.
  public var lifetime = 3 * 86_400.0
  /// But never before this many tries: a wall clock that jumped must not kill events at their first.
  public var fewestTries = 3
  /// However the last step is spread; stays below `Journal.longestWait`.
  public var longestStep = 86_400.0
  /// With more events behind, they wait too: the first of them is tried at least this often.
  public var longestWhileOthersWait = 1_800.0
  /// A receiver may ask for a pause of at most a day.
  public var longestRetryAfter = 86_400.0
  /// What is wrong on this host (a secret file) is looked at again at least this often.
  public var longestWhileNotSent = 60.0
  /// A receiver that says of an event "never" (400, 413, 415, 422) gets it this often, in case it was being repaired; then
  /// the event is given up, so that one that it cannot read does not hold up all others for three days.
  public var triesIfRefused = 4

  public init() {}

  /// Seconds until the next try.
  /// - Parameters:
  ///   - failures: how many there were in a row, from 1.
  ///   - unit: a random number from 0 to 1; spreads the tries by a fifth to both sides.
  public func delay(
    failures: Int, othersWait: Bool, retryAfter: Double?, unit: Double
  ) -> Double {
    let step = steps.isEmpty ? 0 : steps[min(max(failures, 1), steps.count) - 1]
    let spread = min(step * (0.8 + 0.4 * unit), longestStep)
    let capped = othersWait ? min(spread, longestWhileOthersWait) : spread
    return max(capped, min(retryAfter ?? 0, longestRetryAfter))
  }
}
