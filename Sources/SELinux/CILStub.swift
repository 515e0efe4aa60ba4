extension CILModule {
  /// The least policy that holds what the module requires, for a check of its syntax where there is no policy. A role is
  /// known by its name's ending, a user too; what is filled is an attribute.
  public var stub: String {
    var classes = permissions
    for (name, given) in Self.base { classes[name, default: []].formUnion(given) }
    var lines = [
      "(handleunknown allow)", "(mls true)", "(policycap open_perms)",
    ]
    for name in classes.keys.sorted() where isPolicyName(name) {
      let given = (classes[name] ?? []).filter(isPolicyName).sorted()
      lines.append("(class \(name) (\(given.joined(separator: " "))))")
    }
    lines.append(
      "(classorder (\(classes.keys.filter(isPolicyName).sorted().joined(separator: " "))))")
    lines += Self.frame
    let own = types.union(attributes).union(Self.framed)
    for name in required.union(filled).subtracting(own).sorted() where isPolicyName(name) {
      if name.hasSuffix("_r") {
        lines.append("(role \(name))")
      } else if name.hasSuffix("_u") {
        lines.append("(user \(name))")
      } else {
        lines.append("(\(filled.contains(name) ? "typeattribute" : "type") \(name))")
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static let base: [String: Set<String>] = ["process": ["transition"], "file": ["read"]]

  private static let framed: Set<String> = [
    "system_u", "system_r", "object_r", "kernel_t", "cil_gen_require",
  ]

  /// A module of a later policy requires by an attribute that every policy defines.
  private static let frame = [
    "(sensitivity s0)", "(sensitivityorder (s0))", "(category c0)", "(category c1)",
    "(categoryorder (c0 c1))", "(sensitivitycategory s0 (range c0 c1))", "(level low (s0))",
    "(levelrange lowest (low low))", "(sid kernel)", "(sidorder (kernel))", "(user system_u)",
    "(role system_r)", "(role object_r)", "(type kernel_t)", "(typeattribute cil_gen_require)",
    "(roleattribute cil_gen_require_r)", "(roletype system_r kernel_t)",
    "(userrole system_u system_r)", "(userrole system_u object_r)", "(userlevel system_u low)",
    "(userrange system_u lowest)", "(sidcontext kernel (system_u system_r kernel_t lowest))",
  ]
}
