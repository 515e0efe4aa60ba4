public import OnionModel

/// The world that a plan is made for and carried out in. Two true conformers: the live host (Keeping's `LiveWorld`)
/// and `SimulatedWorld`, in which property tests let everything fail.
///
/// Steps are idempotent or refuse: a step that is performed twice, or after a crash in its midst, either finds its
/// work done, does the rest, or fails without harm. There is no recovery code: observe again, plan again.
public protocol World: Sendable {
  /// One look at everything that the desired state and the memory name. Never throws: what cannot be seen is `.unknown`.
  func observe(_ desired: Desired, _ memory: Memory) async -> Observed

  /// Does exactly what the step says. Throws without having harmed anything.
  func perform(_ step: Step) async throws(StepFailure) -> StepEffect
}
