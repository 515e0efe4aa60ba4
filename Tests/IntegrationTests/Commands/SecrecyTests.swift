import Foundation
import Testing

/// A secret key is in its own file and nowhere else, whatever the agent does with it and however it ends.
@Suite(.serialized) struct SecrecyTests {
  /// The search itself finds what it looks for.
  @Test func tracesAreFound() throws {
    let file = Data((0..<96).map { _ in UInt8.random(in: 0...255) })
    let key = Data(file.dropFirst(32))
    let traces = KeyTraces(file)
    #expect(traces.form(in: Data("header".utf8) + key) == "raw")
    #expect(traces.form(in: Data(key.map { String(format: "%02x", $0) }.joined().utf8)) == "hex")
    for before in 0..<4 {
      let text = (Data(count: before) + key + Data("rest".utf8)).base64EncodedString()
      #expect(traces.form(in: Data("x: \(text)".utf8))?.hasPrefix("base64") == true)
    }
    #expect(traces.form(in: file.prefix(32)) == nil)
  }

  @Test func aKeyIsInItsOwnFileOnly() async throws {
    let services = ["blog": CommandHost.definition(), "wiki": CommandHost.definition()]
    try await withHost("docker", services) { host in
      let hook = "\(host.folder)/hook"
      try host.write("hook.secret", "whsec_" + Data(count: 32).base64EncodedString() + "\n")
      try await must("chmod 600 \(host.folder)/hook.secret")
      let tool = "\(projectFolder)/ops/lib/webhook-receiver"
      let started = try await must(
        "\(tool) start \(hook) --secret-file \(host.folder)/hook.secret")
      let url = try #require(
        started.split(separator: "\n").first { $0.hasPrefix("URL=") }?.dropFirst(4))
      do {
        try host.write(
          "host.yaml",
          host.hostFile + "webhooks:\n  - {url: \(url), secretFile: \(host.folder)/hook.secret}\n")
        try await live(host, hook: hook)
      } catch {
        try await must("\(tool) stop \(hook)")
        throw error
      }
      try await must("\(tool) stop \(hook)")
    }
  }

  private func live(_ host: CommandHost, hook: String) async throws {
    var said = Data()
    func run(_ words: String, code: Int = 0) async throws {
      let ended = try await host.onionkeeper(words)
      #expect(ended.code == code, "\(words): \(ended.errors)")
      said += Data((ended.output + ended.errors).utf8)
    }
    try await host.setUp()
    try await run("plan --json", code: 2)
    try await run("apply")
    let secret = "\(host.keys)/blog/blog/hs_ed25519_secret_key"
    let traces = KeyTraces(try Data(contentsOf: URL(fileURLWithPath: secret)))
    // Every command that has a key in its hands.
    let identity = "\(host.folder)/identity"
    try await must("age-keygen -o \(identity) 2>/dev/null && chmod 600 \(identity)")
    let recipient = try await must("age-keygen -y \(identity)")
      .trimmingCharacters(in: .whitespacesAndNewlines)
    try await run("keys list --json")
    try await run("keys export blog --recipient \(recipient) -o \(host.folder)/blog.age")
    try await run("keys seal blog --recipient \(recipient) -o \(host.folder)/sealed.age")
    try await run("keys import other \(host.folder)/blog.age --identity \(identity)", code: 1)
    try await run("status --json --proof")
    try await run("render blog")
    // Repaired; damaged and held; put away; taken back by a running agent.
    try await must("chown root \(secret) && rm \(host.keys)/blog/blog/hostname")
    try await run("plan", code: 2)
    try await run("apply")
    try await must("cp -p \(secret) \(host.folder)/kept && truncate -s 95 \(secret)")
    _ = try await host.onionkeeper("apply")
    try await run("status --json")
    try await must("cp -p \(host.folder)/kept \(secret) && rm \(host.folder)/kept")
    try await run("apply")
    try await host.undefine("blog")
    try await run("apply")
    #expect(!FileManager.default.fileExists(atPath: secret))
    try await host.define("blog", CommandHost.definition())
    let log = "\(host.folder)/run.log"
    // It lowers the limit of its core dumps itself.
    let pid = try await must(
      "ulimit -c unlimited; \(CommandHost.program) run --config \(host.folder)/host.yaml >\(log) 2>&1 </dev/null & echo $!"
    ).trimmingCharacters(in: .whitespacesAndNewlines)
    try await eventually("blog is back") {
      try await host.containers()["onionkeeper-blog"] == "running"
    }
    #expect(traces.form(in: try Data(contentsOf: URL(fileURLWithPath: secret))) == "raw")
    for file in ["cmdline", "environ", "status", "maps"] {
      let data = try Data(contentsOf: URL(fileURLWithPath: "/proc/\(pid)/\(file)"))
      #expect(!data.isEmpty && traces.form(in: data) == nil, "/proc/PID/\(file)")
    }
    let limits = try String(contentsOfFile: "/proc/\(pid)/limits", encoding: .utf8)
    let core = try #require(limits.split(separator: "\n").first { $0.hasPrefix("Max core file") })
    #expect(core.split(whereSeparator: \.isWhitespace)[4...5] == ["0", "0"], "\(core)")
    // It crashes: no report of its registers and what they point to.
    let crashed = try await bash(
      """
      kill -SEGV \(pid)
      for i in $(seq 600); do kill -0 \(pid) 2>/dev/null || break; sleep 0.1; done
      ! kill -0 \(pid) 2>/dev/null
      """)
    #expect(crashed.code == 0, "\(crashed.errors)")
    let words = try String(contentsOfFile: log, encoding: .utf8)
    #expect(
      words.contains("onionkeeper-blog") && !words.contains("Registers"), "\(words.suffix(500))")
    try await run("apply")
    try await run("history --json")

    #expect(traces.form(in: said) == nil)
    let found = try traces.found(
      below: host.folder, except: ["e", "state/images"], "hs_ed25519_secret_key")
    #expect(found == [])
    let events = try String(contentsOfFile: "\(hook)/events.jsonl", encoding: .utf8)
    for kind in ["key.generated", "drift.repaired", "key.lost", "key.retired", "key.restored"] {
      #expect(events.contains("onionkeeper.\(kind)"), "\(kind) was told")
    }
    let containers = try await host.engine("'http://e/containers/json?all=1'")
    #expect(traces.form(in: Data(containers.utf8)) == nil)
  }
}
