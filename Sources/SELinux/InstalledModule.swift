/// A module of the installed policy, as the module store has it.
public struct InstalledModule: Hashable, Sendable {
  public var name: String
  /// 100 is the distribution's, 400 what `semodule -i` uses: the highest of one name counts.
  public var priority: Int
  /// `semodule -d` leaves a module in the store and out of the policy.
  public var isEnabled: Bool

  public init(name: String, priority: Int, isEnabled: Bool = true) {
    self.name = name
    self.priority = priority
    self.isEnabled = isEnabled
  }
}
