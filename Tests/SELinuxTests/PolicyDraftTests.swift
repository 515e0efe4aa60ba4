import SELinux
import Testing

@Suite struct PolicyDraftTests {
  private func draft(
    _ log: String, domain: String = "tor_t", isExact: Bool = false, allow: [String] = []
  ) -> PolicyDraft {
    PolicyDraft(
      DenialJudge(domain: domain).judge(report(log, file: "audit.log").denials), domain: domain,
      isExact: isExact, allowed: Set(allow.compactMap(PolicyGrant.init)))
  }

  private func record(
    _ permissions: String, _ target: String, _ name: String, _ more: String = "",
    source: String = "tor_t", permissive: Int = 0, serial: Int = 1
  ) -> String {
    let role = target.hasSuffix("!") ? "system_r" : "object_r"
    let type = target.hasSuffix("!") ? String(target.dropLast()) : target
    return
      "type=AVC msg=audit(1.1:\(serial)): avc:  denied  { \(permissions) } for  pid=1 comm=\"tor\" \(more) scontext=system_u:system_r:\(source):s0 tcontext=system_u:\(role):\(type):s0 tclass=\(name) permissive=\(permissive)\n"
  }

  private var classic: String {
    record("dac_read_search", "tor_t!", "capability", "capability=2 ")
      + record("dac_override", "tor_t!", "capability", "capability=1 ")
  }

  /// The lines of a module that a compiler reads.
  private func code(_ draft: PolicyDraft) -> [String] {
    draft.cil.split(separator: "\n").map(String.init).filter { !$0.hasPrefix(";") }
  }

  @Test func theClassicNeedsOneCapability() {
    let found = draft(classic)
    #expect(
      code(found) == [
        "(typeattributeset cil_gen_require tor_t)",
        "(allow tor_t self (capability (dac_read_search)))",
      ])
    #expect(found.left.map(\.why) == [.covered])
    #expect(found.cil.contains(";   audit.log:1: type=AVC"))
  }

  @Test func exactlyAsLogged() {
    #expect(
      code(draft(classic, isExact: true)) == [
        "(typeattributeset cil_gen_require tor_t)",
        "(allow tor_t self (capability (dac_override dac_read_search)))",
      ])
    #expect(
      code(draft(classic, allow: ["capability:dac_override"])).last
        == "(allow tor_t self (capability (dac_override dac_read_search)))")
  }

  @Test(arguments: [false, true])
  func dangerIsNeverGrantedUnread(_ isExact: Bool) {
    let log =
      record("execmem", "tor_t!", "process") + record("sys_admin", "tor_t!", "capability")
      + record("write", "etc_t", "dir", "name=\"etc\"")
      + record("connectto", "unconfined_t!", "unix_stream_socket")
    let found = draft(log, isExact: isExact)
    #expect(
      found.written.isEmpty && found.left.map(\.why) == Array(repeating: .dangerous, count: 4))
    #expect(found.left.flatMap(\.grants).contains("process:execmem"))
    let allowed = draft(log, isExact: isExact, allow: ["process:execmem", "dir:read"])
    #expect(allowed.written.map(\.rule.text) == ["(allow tor_t self (process (execmem)))"])
  }

  /// Of a record that asks for both, only what is harmless becomes a rule.
  @Test func dangerIsTakenOutOfARule() {
    let log = record("read write", "etc_t", "file", "name=\"x\"")
    #expect(draft(log).written.isEmpty)
    #expect(
      draft(log, isExact: true).written.map(\.rule.text) == ["(allow tor_t etc_t (file (read)))"])
  }

  @Test func whatWasLetThroughIsNoCause() {
    let log = record("getattr", "fs_t", "filesystem", "name=\"/\"", permissive: 1)
    #expect(draft(log).left.map(\.why) == [.notBlocked])
    #expect(
      draft(log, isExact: true).written.map(\.rule.text)
        == ["(allow tor_t fs_t (filesystem (getattr)))"])
  }

  @Test func aConstraintIsNoRule() {
    let log =
      #"type=AVC msg=audit(1.1:1): avc:  denied  { read } for pid=1 comm="sh" name="a" dev="d" ino=1 scontext=u:r:container_t:s0:c1,c2 tcontext=u:r:container_file_t:s0:c3,c4 tclass=dir permissive=0"#
    for isExact in [false, true] {
      #expect(draft(log, domain: "container_t", isExact: isExact).left.map(\.why) == [.useless])
    }
  }

  @Test func othersAreCounted() {
    let found = draft(record("read", "x_t", "file", source: "udev_t") + classic)
    #expect(found.foreign == 1 && found.written.count == 1)
  }

  @Test func rulesAreJoinedAndSorted() {
    let found = draft(
      record("map", "tor_var_lib_t", "file", "name=\"b\"")
        + record("watch", "tor_var_lib_t", "file", "name=\"a\"")
        + record("getattr", "fs_t", "filesystem", "name=\"/\""))
    #expect(
      found.written.map(\.rule.text) == [
        "(allow tor_t fs_t (filesystem (getattr)))",
        "(allow tor_t tor_var_lib_t (file (map watch)))",
      ])
  }

  @Test func aHelperNeedsMoreThanExecute() {
    let log = record("execute", "bin_t", "file", "name=\"obfs4proxy\"")
    #expect(draft(log).written.isEmpty)
    #expect(
      draft(log, isExact: true).written.map(\.rule.text) == [
        "(allow tor_t bin_t (file (execute execute_no_trans getattr map open read)))"
      ])
  }

  /// What a program chose cannot leave its comment.
  @Test func namesStayInComments() throws {
    let log = record(
      "dac_read_search", "tor_t!", "capability",
      "name=0A28616C6C6F7720746F725F7420666F6F290A")
    let text = draft(log).cil
    #expect(text.contains("(allow tor_t self (capability (dac_read_search)))"))
    let module = try CILModule(Array(text.utf8))
    #expect(module.rules.count == 1)
    let hostile = record(
      "read", "var_t", "dir", "name=\"\u{85}\u{2028}\r(allow x y (file (read)))\"")
    let exact = try CILModule(Array(draft(hostile, isExact: true).cil.utf8))
    #expect(exact.rules.map(\.text) == ["(allow tor_t var_t (dir (read)))"])
  }

  @Test(arguments: ["capability", "a:b:c", ":x", "x:", "a b:c", "(x):y", ""])
  func noGrants(_ text: String) { #expect(PolicyGrant(text) == nil) }
}

@Suite struct CILModuleTests {
  @Test func whatAModuleAsks() throws {
    let module = try CILModule(
      Array(
        """
        ; (allow tor_t self (process (execmem)))
        (typeattributeset cil_gen_require tor_t)
        (type mine_t)
        (optional o
          (typeattributeset cil_gen_require (etc_t bin_t))
          (booleanif b (true (allow tor_t etc_t (file (read write))))))
        (typeattributeset domain (mine_t))
        (typeattributeset unconfined_domain_type (mine_t))
        (typepermissive tor_t)
        (filecon "/srv/(a|b)" any (system_u object_r mine_t ((s0) (s0))))
        (allow mine_t tor_t (process (all)))
        """.utf8))
    #expect(module.required == ["tor_t", "etc_t", "bin_t"] && module.types == ["mine_t"])
    #expect(module.rules.count == 2)
    #expect(
      module.dangers.map(\.grant) == [
        "file:write", "attribute:unconfined_domain_type", "permissive:tor_t", "process:all",
      ])
    #expect(module.dangers.map(\.line) == [6, 8, 9, 11])
    #expect(module.notes.map(\.grant) == ["attribute:domain"])
  }

  @Test(arguments: ["", "(", ")", "(a", "(a))", "a", "(a \"b)", "(\u{1})", "é"])
  func noCIL(_ text: String) {
    #expect(throws: CILError.self) { try CILModule(Array(text.utf8)) }
  }

  @Test func deepOnesAreRefused() {
    let text = String(repeating: "(", count: 100_000)
    #expect(throws: CILError.self) { try CILModule(Array(text.utf8)) }
  }
}
