/// `(allow SOURCE TARGET (CLASS (PERMISSION …)))`: one allow rule of a policy.
public struct PolicyRule: Hashable, Sendable, Comparable, Codable {
  public var source: String
  /// The same as `source` where a domain acts on itself.
  public var target: String
  public var targetClass: String
  /// Sorted, each once.
  public var permissions: [String]

  public init(
    source: String, target: String, targetClass: String, permissions: some Sequence<String>
  ) {
    self.source = source
    self.target = target
    self.targetClass = targetClass
    self.permissions = Set(permissions).sorted()
  }

  /// In CIL (the common intermediate language, which `semodule` takes as it is).
  public var text: String {
    "(allow \(source) \(target == source ? "self" : target) "
      + "(\(targetClass) (\(permissions.joined(separator: " ")))))"
  }

  public static func < (left: Self, right: Self) -> Bool {
    (left.source, left.target, left.targetClass, left.permissions.joined(separator: " "))
      < (right.source, right.target, right.targetClass, right.permissions.joined(separator: " "))
  }
}
