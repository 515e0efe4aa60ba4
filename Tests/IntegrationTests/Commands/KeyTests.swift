import Foundation
import Testing

/// A service's key is its address: what becomes of it when people and disks do what they do.
@Suite(.serialized) struct KeyTests {
  @Test func aRenamedServiceKeepsItsAddress() async throws {
    try await withHost(
      "docker", ["blog": CommandHost.definition(), "forum": CommandHost.definition()]
    ) { host in
      try await host.setUp()
      #expect(try await host.onionkeeper("apply --quiet").code == 0)
      let address = try host.address("blog")

      // Without a word it is probably a rename: nothing is removed, and no new key is made.
      try await must(
        "mv \(host.repository)/services/blog.yaml \(host.repository)/services/journal.yaml")
      try await host.commit("rename")
      let held = try await host.onionkeeper("apply")
      #expect(held.output.contains("probably a rename"))
      #expect(try host.address("blog") == address)
      #expect(
        try await host.containers().keys.sorted() == ["onionkeeper-blog", "onionkeeper-forum"])

      try await host.define("journal", CommandHost.definition("formerly: blog\n"))
      #expect(try await host.onionkeeper("apply --quiet").code == 0)
      #expect(try host.address("journal") == address)
      #expect(
        try await host.containers() == [
          "onionkeeper-forum": "running", "onionkeeper-journal": "running",
        ])
      #expect(try await host.onionkeeper("plan").code == 0)
    }
  }

  @Test func lostAndSwappedKeysAreHeld() async throws {
    try await withHost(
      "docker", ["a1": CommandHost.definition(), "a2": CommandHost.definition()]
    ) { host in
      try await host.setUp()
      #expect(try await host.onionkeeper("apply --quiet").code == 0)
      let addresses = [try host.address("a1"), try host.address("a2")]
      let started = try await host.container("a1").state.startedAt

      // The secret is gone: what runs is left alone, nothing is made anew, and the other service goes on.
      let secret = "\(host.keys)/a1/a1/hs_ed25519_secret_key"
      try await must("mv \(secret) \(host.folder)/kept")
      try await host.define("a1", CommandHost.definition(port: 81))
      let lost = try await host.onionkeeper("apply")
      #expect(lost.output.contains("is gone"))
      #expect(try await host.container("a1").state.startedAt == started)
      #expect(!FileManager.default.fileExists(atPath: secret))
      let torrc = try String(
        contentsOfFile: "\(host.state)/instances/a1/etc/torrc", encoding: .utf8)
      #expect(torrc.contains("HiddenServicePort 80 "))
      try await must("mv \(host.folder)/kept \(secret)")
      #expect(try await host.onionkeeper("apply --quiet").code == 0)
      #expect(try await host.container("a1").state.startedAt == started)

      // Two directories swapped: neither is started under the other's address.
      try await must("cd \(host.keys) && mv a1/a1 x && mv a2/a2 a1/a1 && mv x a2/a2")
      _ = try await host.engine("-X POST 'http://e/containers/onionkeeper-a1/kill'")
      let swapped = try await host.onionkeeper("apply")
      #expect(swapped.output.contains("pinned to"))
      #expect(try await host.containers()["onionkeeper-a1"] == "exited")
      #expect(try host.address("a1") == addresses[1])
      try await must("cd \(host.keys) && mv a1/a1 x && mv a2/a2 a1/a1 && mv x a2/a2")
      #expect(try await host.onionkeeper("apply --quiet").code == 0)
      #expect(try await host.containers()["onionkeeper-a1"] == "running")
      #expect([try host.address("a1"), try host.address("a2")] == addresses)
    }
  }

  @Test func existingKeysAreWaitedForAndPausedServicesLeftAlone() async throws {
    try await withHost("docker", ["old": CommandHost.definition("key: existing\n")]) { host in
      try await host.setUp()
      let waiting = try await host.onionkeeper("apply")
      #expect(waiting.output.contains("no key in old/old yet"))
      #expect(try await host.containers().isEmpty)

      // A key that tor itself made, put there by hand as root.
      try host.write(
        "torrc",
        "DataDirectory \(host.folder)/d\nHiddenServiceDir \(host.folder)/hs\nHiddenServicePort 80\nDisableNetwork 1\nSocksPort 0\n"
      )
      try await must(
        """
        mkdir -m 700 \(host.folder)/d \(host.folder)/hs
        tor --hush -f \(host.folder)/torrc --defaults-torrc /dev/null & pid=$!
        for i in $(seq 600); do [ -s \(host.folder)/hs/hostname ] && break; sleep 0.1; done
        kill $pid; wait $pid
        mkdir -p \(host.keys)/old && mv \(host.folder)/hs \(host.keys)/old/old
        """)
      let address = try host.address("old")
      #expect(try await host.onionkeeper("apply --quiet").code == 0)
      #expect(try host.address("old") == address)
      #expect(try await host.containers()["onionkeeper-old"] == "running")
      #expect(try await host.onionkeeper("status --pins").output.contains(address))

      try await host.define("old", CommandHost.definition("key: existing\npaused: true\n"))
      _ = try await host.engine("-X POST 'http://e/containers/onionkeeper-old/kill'")
      let paused = try await host.onionkeeper("apply")
      #expect(paused.output.contains("paused: "))
      #expect(try await host.containers()["onionkeeper-old"] == "exited")
      try await host.define("old", CommandHost.definition("key: existing\n"))
      #expect(try await host.onionkeeper("apply --quiet").code == 0)
      #expect(try await host.containers()["onionkeeper-old"] == "running")

      // An address that is not the one of the key there.
      let other = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"
      try await host.define("old", CommandHost.definition("key: existing\naddress: \(other)\n"))
      let mismatch = try await host.onionkeeper("apply")
      #expect(mismatch.output.contains("the definition wants \(other)"))
      #expect(try await host.containers()["onionkeeper-old"] == "running")
      #expect(try host.address("old") == address)
    }
  }
}
