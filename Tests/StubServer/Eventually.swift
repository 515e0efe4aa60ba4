/// Polls until `condition` holds; `false` if it does not within the deadline, which is far beyond what any machine needs.
public func eventually(
  within deadline: Duration = .seconds(120), _ condition: () async throws -> Bool
) async rethrows -> Bool {
  let end = ContinuousClock.now + deadline
  while ContinuousClock.now < end {
    if try await condition() { return true }
    // A cancelled task polls without pauses, until the same deadline.
    try? await Task.sleep(for: .milliseconds(10))
  }
  return try await condition()
}
