/// What a CIL module asks for, as far as it can be told without the policy that it goes into.
public struct CILModule: Hashable, Sendable {
  /// Something that is not to be granted unread.
  public struct Concern: Hashable, Sendable, Codable {
    /// From 1.
    public var line: Int
    /// What `--allow` takes: `capability:sys_admin`, `permissive:tor_t`, `attribute:unconfined_domain_type`.
    public var grant: String
    /// The statement, short.
    public var statement: String
    /// The rest of a sentence: `it …`.
    public var reason: String
  }

  public private(set) var rules: [PolicyRule] = []
  /// Refused without `--allow`.
  public private(set) var dangers: [Concern] = []
  /// Said, not refused: what only the policy can tell.
  public private(set) var notes: [Concern] = []
  /// Names that it takes from elsewhere.
  public private(set) var required: Set<String> = []
  /// Names that it defines.
  public private(set) var types: Set<String> = []
  public private(set) var attributes: Set<String> = []
  /// Attributes that it puts types into.
  public private(set) var filled: Set<String> = []
  /// By class, what its rules speak of.
  public private(set) var permissions: [String: Set<String>] = [:]

  /// Statements: more is no module of a person's.
  private static let statementLimit = 200_000
  private static let concernLimit = 200

  public init(_ bytes: [UInt8]) throws(CILError) {
    let nodes = try CILReader.read(bytes)
    guard !nodes.isEmpty else { throw CILError(line: 1, message: "it is empty") }
    var waiting = nodes
    var count = 0
    // The order does not matter; an own stack, since the text may be hostile.
    while let node = waiting.popLast() {
      guard let parts = node.list else { continue }
      count += 1
      guard count <= Self.statementLimit else {
        throw CILError(line: node.line, message: "more than \(Self.statementLimit) statements")
      }
      if takesWhole(parts, node.line) { continue }
      waiting += parts
    }
    // A domain of the module's own needs a way in, and nobody else's is opened by it.
    for door in doors where !types.contains(door.domain) { dangers.append(door.concern) }
    doors = []
    rules.sort()
    dangers.sort { ($0.line, $0.grant) < ($1.line, $1.grant) }
    notes.sort { ($0.line, $0.grant) < ($1.line, $1.grant) }
  }

  /// - Returns: `false` for a block, whose statements are looked at one by one.
  private mutating func takesWhole(_ parts: [CILNode], _ line: Int) -> Bool {
    guard let name = parts.first?.word else { return false }
    switch name {
    case "allow", "allowx": takeRule(parts, line)
    case "dontaudit", "auditallow", "neverallow", "dontauditx", "auditallowx", "neverallowx":
      takeClass(parts.last)
    case "type", "typealias": types.formUnion(parts.dropFirst().prefix(1).flatMap(\.words))
    case "typeattribute": attributes.formUnion(parts.dropFirst().prefix(1).flatMap(\.words))
    case "typeattributeset", "roleattributeset": takeAttribute(parts, line)
    case "typepermissive":
      let type = parts.dropFirst().first?.word ?? "?"
      danger(line, "permissive:\(type)", parts, "switches SELinux off for \(type)")
    case "call":
      note(line, "call", parts, "calls a macro: what that grants, only the policy says")
    case "userrole", "userlevel", "userrange", "selinuxuser", "selinuxuserdefault", "user", "role",
      "roleallow", "roletransition", "userprefix", "roletype":
      if name != "roletype" { note(line, name, parts, "changes users or roles") }
    case "booleanif", "tunableif", "block", "optional", "in", "macro", "true", "false": return false
    default: break
    }
    return true
  }

  /// Ways into a domain, until it is known whose domain it is.
  private var doors: [Door] = []

  private struct Door: Hashable {
    var domain: String
    var concern: Concern
  }

  private mutating func takeRule(_ parts: [CILNode], _ line: Int) {
    guard parts.count == 4, let source = parts[1].word, let target = parts[2].word else {
      note(line, "allow", parts, "has a form that is not looked into")
      return
    }
    guard let access = parts[3].list, let name = access.first?.word, access.count == 2 else {
      note(line, "allow", parts, "names a set of permissions that stands elsewhere")
      return
    }
    takeClass(parts[3])
    let given = access[1].words
    if given.contains("all") || given.contains("not") {
      danger(line, "\(name):all", parts, "grants everything of the class \(name)")
    }
    let rule = PolicyRule(
      source: source, target: target == "self" ? source : target, targetClass: name,
      permissions: given)
    rules.append(rule)
    for permission in rule.permissions {
      if let reason = Danger.of(
        source: source, target: rule.target, targetClass: name, permission: permission)
      {
        guard permission != "entrypoint" || doors.count >= Self.concernLimit else {
          doors.append(
            Door(
              domain: source,
              concern: Concern(
                line: line, grant: "\(name):\(permission)", statement: Self.short(parts),
                reason: reason)))
          continue
        }
        danger(line, "\(name):\(permission)", parts, reason)
      }
    }
  }

  private mutating func takeClass(_ node: CILNode?) {
    guard let access = node?.list, let name = access.first?.word else { return }
    permissions[name, default: []].formUnion(
      access.dropFirst().flatMap(\.words).filter { !Self.operators.contains($0) })
  }

  private static let operators: Set<String> = ["all", "not", "and", "or", "xor", "range"]

  private mutating func takeAttribute(_ parts: [CILNode], _ line: Int) {
    guard parts.count > 2, let name = parts[1].word else { return }
    let members = parts.dropFirst(2).flatMap(\.words).filter { !Self.operators.contains($0) }
    guard name != "cil_gen_require" else {
      required.formUnion(members)
      return
    }
    filled.insert(name)
    guard !attributes.contains(name) else { return }
    if name.contains("unconfined") || name.hasPrefix("can_") || name == "set_curr_context"
      || name.hasPrefix("mcssetcats") || name.hasPrefix("mcs_") && name.hasSuffix("exempt")
      || name == "boolean_type"
    {
      danger(line, "attribute:\(name)", parts, "grants all that \(name) is allowed")
    } else {
      note(line, "attribute:\(name)", parts, "grants all that \(name) is allowed")
    }
  }

  private mutating func danger(_ line: Int, _ grant: String, _ parts: [CILNode], _ reason: String) {
    // Full of them, one more says nothing new; it is refused already.
    guard dangers.count < Self.concernLimit else { return }
    dangers.append(
      Concern(line: line, grant: grant, statement: Self.short(parts), reason: reason))
  }

  private mutating func note(_ line: Int, _ grant: String, _ parts: [CILNode], _ reason: String) {
    guard notes.count < Self.concernLimit else { return }
    notes.append(Concern(line: line, grant: grant, statement: Self.short(parts), reason: reason))
  }

  private static func short(_ parts: [CILNode]) -> String {
    let words = parts.flatMap(\.words).joined(separator: " ")
    return words.utf8.count > 120 ? "\(words.prefix(120))…" : words
  }
}
