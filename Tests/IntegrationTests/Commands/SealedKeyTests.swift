import Foundation
import Testing

/// Keys that come sealed with the repository, backups that leave with the keys, and the host file that says so.
@Suite(.serialized) struct SealedKeyTests {
  private static func sealed(_ more: String = "") -> String {
    "hosts: [web-1]\nkey: {sealed: secrets/vault.age}\naccess: public\n\(more)ports:\n"
      + "  - virtual: 80\n    target: host:8080\n"
  }

  @Test func sealedKeysAreOpenedAndNewOnesBackedUp() async throws {
    try await withHost("docker", ["blog": CommandHost.definition("access: public\n")]) { host in
      let recipient = try await must(
        "age-keygen -o \(host.folder)/identity 2>/dev/null && age-keygen -y \(host.folder)/identity"
      ).trimmingCharacters(in: .whitespacesAndNewlines)
      try await must("chmod 600 \(host.folder)/identity")
      let file =
        host.hostFile
        + "ageIdentity: \(host.folder)/identity\nbackup: {recipients: [\(recipient)]}\n"
      try host.write("host.yaml", file)
      let address = try await makeKey(host)
      try await must(
        "mkdir \(host.repository)/secrets && age -r \(recipient) -o \(host.repository)/secrets/vault.age \(host.folder)/hs/hs_ed25519_secret_key"
      )
      let other = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"
      try await host.define("vault", Self.sealed("address: \(other)\n"))
      try await host.setUp()

      // Another key than the definition pins: nothing is written, and the other service starts.
      let refused = try await host.onionkeeper("apply")
      #expect(refused.code == 1)
      #expect(refused.errors.contains("key.mismatch: unseal: secrets/vault.age makes \(address)"))
      #expect(try await host.containers() == ["onionkeeper-blog": "running"])
      #expect(!FileManager.default.fileExists(atPath: "\(host.keys)/vault/vault"))

      try await host.define("vault", Self.sealed("address: \(address)\n"))
      var last = ""
      try await eventually("the retry is due, and the right key is opened", saying: { last }) {
        let ended = try await host.onionkeeper("apply")
        last = ended.output + ended.errors
        return FileManager.default.fileExists(atPath: "\(host.keys)/vault/vault/hostname")
      }
      try await host.apply()
      #expect(try host.address("vault") == address)
      #expect(try await host.containers()["onionkeeper-vault"] == "running")

      // Each key is sealed to the recipients, and opens to just that key.
      for name in ["blog", "vault"] {
        let short = String(try host.address(name).prefix(56))
        let backups = try FileManager.default.contentsOfDirectory(
          atPath: "\(host.keys)/.onionkeeper/backup"
        ).filter { $0.hasPrefix("\(name)-\(short)-") }
        #expect(backups.count == 1)
        try await must(
          "age -d -i \(host.folder)/identity \(host.keys)/.onionkeeper/backup/\(backups[0]) | cmp - \(host.keys)/\(name)/\(name)/hs_ed25519_secret_key"
        )
      }
      #expect(try await host.onionkeeper("plan").code == 0)
      try await expectNoPlainKey(host)
      try await expectLastGoodHostFile(host, file)
    }
  }

  /// A key that tor itself made.
  private func makeKey(_ host: CommandHost) async throws -> String {
    try host.write(
      "torrc",
      "DataDirectory \(host.folder)/d\nHiddenServiceDir \(host.folder)/hs\nHiddenServicePort 80\nDisableNetwork 1\nSocksPort 0\n"
    )
    return try await must(
      """
      mkdir -m 700 \(host.folder)/d \(host.folder)/hs
      tor --hush -f \(host.folder)/torrc --defaults-torrc /dev/null & pid=$!
      for i in $(seq 600); do [ -s \(host.folder)/hs/hostname ] && break; sleep 0.1; done
      kill $pid; wait $pid
      cat \(host.folder)/hs/hostname
      """
    ).trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// Nothing of a secret key lies in the state folder: not in the journal, not in a log, not in a temporary file.
  private func expectNoPlainKey(_ host: CommandHost) async throws {
    try await must(
      """
      python3 - \(host.folder) \(host.keys)/vault/vault/hs_ed25519_secret_key <<'END'
      import os, sys
      secret = open(sys.argv[2], 'rb').read()[32:]
      mine = {sys.argv[2], sys.argv[1] + '/hs/hs_ed25519_secret_key'}
      for folder, _, names in os.walk(sys.argv[1]):
          for name in names:
              path = os.path.join(folder, name)
              if path in mine or not os.path.isfile(path) or path.startswith(sys.argv[1] + '/e/'): continue
              assert secret not in open(path, 'rb').read(), path
      END
      """)
  }

  /// A host file that becomes invalid while the agent runs changes nothing, and is told once.
  private func expectLastGoodHostFile(_ host: CommandHost, _ file: String) async throws {
    let agent = try await RunningAgent.start(on: host)
    let words = "the host file is invalid, the last good one stays in force"
    do {
      for round in 1...2 {
        try host.write("host.yaml", file + "nonsense: 1\n")
        try await host.define("blog", CommandHost.definition("access: public\n", port: 80 + round))
        try await agent.hangUp()
        try await eventually("the commit acts under the last good host file", within: 30) {
          try host.torrc("blog").contains("HiddenServicePort \(80 + round) ")
        }
        try await host.commit("nothing")
        try await agent.hangUp()
        try host.write("host.yaml", file)
        try await host.define("blog", CommandHost.definition("access: public\n", port: 90 + round))
        try await agent.hangUp()
        try await eventually("the commit acts under the mended one", within: 30) {
          try host.torrc("blog").contains("HiddenServicePort \(90 + round) ")
        }
        #expect(try agent.said(words) == round)
      }
    } catch {
      let text = try String(contentsOfFile: agent.log, encoding: .utf8)
      try await agent.stop()
      throw Unfit("\(error)\n\(text.suffix(4000))")
    }
    try await agent.stop()
  }

  /// Another engine at the same socket is not ours: nothing is made there, and nothing is taken for lost.
  @Test func theEngineOfSetUpIsPinned() async throws {
    try await withHost("docker", ["blog": CommandHost.definition("access: public\n")]) { host in
      try await host.setUp()
      try await host.apply()
      let started = try await host.container("blog").state.startedAt
      try await withHost("podman", [:]) { other in
        let file = host.hostFile
        try host.write("host.yaml", file.replacingOccurrences(of: host.socket, with: other.socket))
        let held = try await host.onionkeeper("apply")
        #expect(held.code == 1 || held.output.contains("engine"))
        #expect(held.output.contains("--engine"), "\(held.output)\(held.errors)")
        #expect(try await other.containers().isEmpty)
        try host.write("host.yaml", file)
      }
      try await host.apply()
      #expect(try await host.container("blog").state.startedAt == started)
    }
  }
}
