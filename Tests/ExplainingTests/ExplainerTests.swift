import FixtureFiles
import Foundation
import Testing

@testable import Explaining

@Suite("Explainer")
struct ExplainerTests {
  private func explain(_ text: String, host: HostAnswers? = nil) -> Explanation {
    var explainer = Explainer()
    explainer.begin("log")
    explainer.read(Array(text.utf8))
    return explainer.finish(host: host)
  }

  private static let unreadable =
    "Jan 05 10:00:00.199 [warn] Directory /var/lib/tor/blog cannot be read: Permission denied\n"

  private static let capability =
    #"type=AVC msg=audit(1795490942.236:68): avc:  denied  { dac_read_search } for  pid=345 comm="tor" capability=2 scontext=system_u:system_r:tor_t:s0 tcontext=system_u:system_r:tor_t:s0 tclass=capability permissive=0"#
    + "\n"

  @Test("Nothing given, nothing said")
  func empty() {
    let explanation = explain("")
    #expect(explanation.findings == [])
    #expect(explanation.unexplained == [])
    #expect(ExplanationText().lines(explanation).first?.contains("That says nothing") ?? false)
  }

  @Test("The same bytes in chunks of any size say the same", arguments: [1, 7, 64, 4096])
  func chunks(_ size: Int) {
    for fixture in CaseFixture.all.prefix(12) {
      var explainer = Explainer()
      for input in fixture.inputs {
        explainer.begin(input.name)
        var rest = input.bytes[...]
        while !rest.isEmpty {
          explainer.read(rest.prefix(size))
          rest = rest.dropFirst(size)
        }
      }
      #expect(explainer.finish() == CaseTests.explain(fixture.inputs))
    }
  }

  @Test("The last lines of a crash: one sentence of what and one of what to do")
  func crash() {
    let lines = [
      "Jan 05 10:00:00.199 [notice] Read configuration file \"/etc/tor/torrc\".",
      "Jan 05 10:00:00.199 [warn] Permissions on directory /onion/a are too permissive.",
      "Jan 05 10:00:00.200 [err] Reading config failed--see warnings above.",
    ]
    let summary = Explanation.ofLog(lines).summary
    #expect(summary?.hasPrefix("The mode of /onion/a lets others") ?? false)
    #expect(Explanation.ofLog(["[notice] Bootstrapped 100% (done): Done"]).summary == nil)
  }

  @Test("Keys and passwords of the input are in no output")
  func secrets() throws {
    let key = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567ABCDEFGHIJKLMNOPQRST"
    let explanation = explain(
      """
      Jan 05 10:00:00.199 [warn] Client authorization encoded base32 public key length is invalid: \(key)
      Jan 05 10:00:00.199 [warn] Something failed with descriptor:x25519:\(key)
      Jan 05 10:00:00.199 [warn] Cannot fetch https://ops:hunter2@git.example/x
      HashedControlPassword 16:872860B76453A77D60CA2BB8C1A7042072093276A3D701AD684053EC4C
      """)
    let json = String(decoding: try JSONEncoder().encode(explanation), as: UTF8.self)
    let text = ExplanationText().lines(explanation).joined()
    for secret in [key, "hunter2", "872860B76453"] {
      #expect(!json.contains(secret))
      #expect(!text.contains(secret))
    }
  }

  @Test("Control characters of the input never reach the terminal")
  func controls() {
    let explanation = explain("Jan 05 10:00:00.199 [warn] evil \u{1b}[2J failed \u{7} \u{202e} x\n")
    let text = ExplanationText().lines(explanation).joined()
    #expect(!explanation.unexplained.isEmpty)
    #expect(text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x202e })
  }

  @Test("Colour only where it is asked for, and the same words without")
  func colour() {
    let explanation = explain(Self.unreadable)
    let plain = ExplanationText().lines(explanation).joined(separator: "\n")
    let coloured = ExplanationText(isColoured: true).lines(explanation).joined(separator: "\n")
    #expect(!plain.contains("\u{1b}"))
    #expect(coloured.contains("\u{1b}[31m"))
  }

  @Test("The JSON form keeps its keys")
  func json() throws {
    let data = try JSONEncoder().encode(explain(Self.unreadable))
    let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    #expect(Set(object.keys) == ["version", "findings", "unexplained", "notes", "inputs"])
    let finding = try #require((object["findings"] as? [[String: Any]])?.first)
    #expect(
      Set(finding.keys) == [
        "code", "impact", "title", "cause", "confidence", "evidence", "consequences", "fixes",
        "check",
      ])
    let fix = try #require((finding["fixes"] as? [[String: Any]])?.first)
    #expect(Set(fix.keys) == ["level", "action", "commands"])
  }

  // MARK: - The host

  @Test("It asks for the paths, users and rules of what was read")
  func questions() {
    var explainer = Explainer()
    explainer.begin("log")
    explainer.read(Array((Self.unreadable + Self.capability + "User toranon\n").utf8))
    let questions = explainer.questions()
    #expect(questions.paths == ["/var/lib/tor/blog"])
    #expect(questions.users.first == "toranon")
    #expect(questions.rules == ["tor_t tor_t capability dac_read_search"])
    #expect(questions.booleans.contains("tor_can_onion_services"))
    // Asking ends nothing.
    #expect(explainer.finish().findings.map(\.code) == ["selinux.ownership"])
  }

  @Test("What the loaded policy allows by now is no cause any more")
  func allowedNow() {
    let rule = "tor_t tor_t capability dac_read_search"
    let now = explain(
      Self.capability, host: HostAnswers(mode: "enforcing", allowed: [rule: true]))
    #expect(now.findings.first?.impact == .notice)
    let before = explain(
      Self.capability, host: HostAnswers(mode: "enforcing", allowed: [rule: false]))
    #expect(before.findings.first?.impact == .blocks)
  }

  @Test("The boolean is named only where the loaded policy has it", arguments: [true, false])
  func boolean(_ isThere: Bool) {
    let host = HostAnswers(
      mode: "enforcing", booleans: isThere ? ["tor_can_onion_services": false] : [:])
    let fixes = explain(Self.capability, host: host).findings.first?.fixes ?? []
    #expect(fixes.contains { $0.level == .boolean } == isThere)
    #expect(!fixes.isEmpty)
  }

  @Test("The host's unit shows the bounding set, its directories the owner")
  func hostUnitAndOwner() {
    let unit = HostAnswers(
      unit: ["User": "", "CapabilityBoundingSet": "cap_setgid cap_setuid cap_net_bind_service"],
      unitName: "tor@default.service")
    let bounded = explain(Self.unreadable, host: unit).findings
    #expect(bounded.map(\.code) == ["unit.capabilities"])
    #expect(bounded.first?.check.first?.contains("tor@default") ?? false)

    var steps = HostAnswers(unit: ["User": "toranon"], users: ["toranon": 997])
    steps.paths["/var/lib/tor/blog"] = [
      step("/", 0o755, 0), step("/var", 0o755, 0), step("/var/lib", 0o755, 0),
      step("/var/lib/tor", 0o700, 997), step("/var/lib/tor/blog", 0o700, 0),
    ]
    let owned = explain(Self.unreadable, host: steps).findings
    #expect(owned.map(\.code) == ["directory.owner"])
    #expect(owned.first?.fixes.first?.commands.first == "chown -R toranon: /var/lib/tor/blog")
  }

  /// What the host rules out is not said: neither a cause nor its remedy. A host with one of the usual users needs no unit
  /// to tell who tor is.
  @Test("What the host rules out is left out", arguments: ["disabled", "enforcing"])
  func hostRulesOut(mode: String) {
    let top = [step("/", 0o755, 0), step("/var", 0o755, 0), step("/var/lib", 0o755, 0)]
    let right = [step("/var/lib/tor", 0o700, 102), step("/var/lib/tor/blog", 0o700, 102)]
    func finding(_ steps: [HostAnswers.Step]) -> Finding? {
      explain(
        Self.unreadable,
        host: HostAnswers(
          mode: mode, paths: ["/var/lib/tor/blog": steps], users: ["debian-tor": 102])
      ).findings.first
    }
    let open = finding(top + right)
    #expect(open?.code == "directory.unreadable")
    #expect(open?.cause.contains("right all along the path") ?? false)
    #expect(open?.cause.hasPrefix(mode == "disabled" ? "Two causes" : "Three causes") ?? false)
    #expect(open?.fixes.contains { $0.level == .ownership } == false)
    #expect(open?.fixes.contains { $0.level == .policy } == (mode == "enforcing"))

    let missing = finding(top)
    #expect(missing?.cause.contains("not to be seen") ?? false)
    #expect(missing?.cause.hasPrefix(mode == "disabled" ? "Four causes" : "Five causes") ?? false)
    #expect(
      missing?.fixes.first?.commands.first == "chown -R debian-tor: /var/lib/tor/blog")

    #expect(
      finding(top + [right[0], step("/var/lib/tor/blog", 0o700, 0)])?.code == "directory.owner")
  }

  private func step(_ path: String, _ mode: Int, _ uid: Int) -> HostAnswers.Step {
    HostAnswers.Step(
      path: path, isFolder: true, isLink: false, mode: mode, uid: uid, gid: uid, label: nil,
      expected: nil)
  }
}
