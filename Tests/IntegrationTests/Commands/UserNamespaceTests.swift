import Foundation
import Testing

/// Engines that map the users of their containers to others of the host.
@Suite(.serialized) struct UserNamespaceTests {
  /// Nobody's range, far from those that packages give out; tor's user is 7942 above its beginning.
  static let base = 2_100_000
  static let remapped = "ENGINE_ARGS=--userns-remap=nobody:nogroup"

  /// Runs a body while a user has a range of subordinate numbers, and takes away just that line again.
  private func withRange(_ user: String, _ body: () async throws -> Void) async throws {
    let line = "\(user):\(Self.base):65536"
    try await must("for f in /etc/subuid /etc/subgid; do echo '\(line)' >>$f; done")
    func remove() async throws {
      try await must("sed -i '0,/^\(line)$/{//d}' /etc/subuid /etc/subgid")
    }
    do {
      try await body()
    } catch {
      try await remove()
      throw error
    }
    try await remove()
  }

  private func owner(_ path: String) async throws -> Int {
    let text = try await must("stat -c '%u:%g' \(path)")
    let numbers = text.split { !$0.isNumber }.compactMap { Int($0) }
    guard numbers.count == 2, numbers[0] == numbers[1] else { throw Unfit("\(path): \(text)") }
    return numbers[0]
  }

  @Test func dockerRemapsUsers() async throws {
    try await withRange("nobody") {
      let services = ["blog": CommandHost.definition(), "wiki": CommandHost.definition()]
      try await withHost("docker", services, environment: Self.remapped) { host in
        try await host.setUp()
        let applied = try await host.onionkeeper("apply")
        #expect(applied.code == 0, "\(applied.errors)")
        #expect(try await host.containers()["onionkeeper-blog"] == "running")
        let tor = Self.base + 7942
        let blog = "\(host.keys)/blog/blog"
        for path in [
          "\(host.keys)/blog", blog, "\(blog)/hs_ed25519_secret_key", "\(blog)/authorized_clients",
          "\(host.state)/instances/blog/data", "\(host.state)/instances/blog/run",
        ] { #expect(try await owner(path) == tor, "\(path)") }
        let proof = try await host.onionkeeper("status --proof")
        #expect(proof.output.contains("uid \(tor) \(tor) \(tor) \(tor)"), "\(proof.output)")
        let pid = try await must(
          "curl -sS --unix-socket \(host.socket) http://e/containers/onionkeeper-blog/json | grep -o '\"Pid\":[0-9]*' | head -1 | tr -dc 0-9"
        )
        let map = try String(contentsOfFile: "/proc/\(pid)/uid_map", encoding: .utf8)
        #expect(map.split(whereSeparator: \.isWhitespace).prefix(2) == ["0", "\(Self.base)"])

        // The unmapped number is a stranger's here; retired and taken back, all is tor's again.
        let address = try host.address("blog")
        try await must("chown -R 7942:7942 \(host.keys)/blog")
        #expect(try await host.onionkeeper("plan").output.contains("[drift]"))
        #expect(try await host.onionkeeper("apply --quiet").code == 0)
        #expect(try await owner("\(blog)/hostname") == tor)
        try await host.undefine("blog")
        #expect(try await host.onionkeeper("apply --quiet").code == 0)
        try await host.define("blog", CommandHost.definition())
        #expect(try await host.onionkeeper("apply --quiet").code == 0)
        #expect(try await owner("\(host.keys)/blog") == tor)
        #expect(try await owner(blog) == tor)
        #expect(try host.address("blog") == address)
        #expect(try await host.onionkeeper("plan").code == 0)
      }
    }
  }

  /// A host whose engine begins to map its users, and ceases to: keys, and what tor remembers, follow.
  @Test func aHostMovesBetweenMappedAndUnmappedUsers() async throws {
    try await withRange("nobody") {
      let services = ["blog": CommandHost.definition(), "wiki": CommandHost.definition()]
      try await withHost("docker", services) { host in
        try await host.setUp()
        try await host.apply()
        let address = try host.address("blog")
        let state = "\(host.state)/instances/blog/data/state"
        try await eventually("tor has written its state") {
          FileManager.default.fileExists(atPath: state)
        }
        #expect(try await owner(state) == 7942)
        for (environment, user) in [(Self.remapped, Self.base + 7942), ("", 7942)] {
          try await host.engineTool("restart", environment: environment)
          #expect(try await host.onionkeeper("apply").output.contains("--engine"))
          let revision = try await must("git -C \(host.repository) rev-parse HEAD")
            .trimmingCharacters(in: .whitespacesAndNewlines)
          _ = try await host.onionkeeper("approve \(revision) --engine")
          // The engine may be about to start a container of before, whose tor cannot read what is there: what fails
          // meanwhile is tried again.
          var last = ""
          try await eventually("all is as defined again", within: 90, saying: { last }) {
            let ended = try await host.onionkeeper("apply")
            last = ended.output + ended.errors
            return try await host.containers()["onionkeeper-blog"] == "running" && ended.code == 0
              && !ended.output.contains("next try")
          }
          #expect(try await host.containers()["onionkeeper-blog"] == "running")
          #expect(try host.address("blog") == address)
          for path in [state, "\(host.keys)/blog/blog/hs_ed25519_secret_key"] {
            #expect(try await owner(path) == user, "\(path)")
          }
          #expect(try await host.onionkeeper("plan").code == 0)
          // What is imported by hand is that user's at once.
          let wiki = try host.address("wiki")
          let copy = "\(host.folder)/copy-\(user)"
          try await must("cp -a \(host.keys)/wiki/wiki \(copy)")
          try await host.undefine("wiki")
          try await host.apply()
          let id = String(
            try await host.onionkeeper("keys list --retired").output.prefix { $0 != " " })
          #expect(try await host.onionkeeper("keys purge \(id) --yes-delete \(wiki)").code == 0)
          #expect(try await host.onionkeeper("keys import wiki \(copy)").code == 0)
          for path in ["wiki", "wiki/wiki", "wiki/wiki/hs_ed25519_secret_key"] {
            #expect(try await owner("\(host.keys)/\(path)") == user, "\(path)")
          }
          try await host.define("wiki", CommandHost.definition("key: existing\n"))
          try await host.apply()
          #expect(try host.address("wiki") == wiki)
        }
      }
    }
  }

  /// `userns = "auto"`: another map for each container. Refused by name, and nothing is left of the try.
  @Test func podmanWithUsersOfEachContainersOwnIsRefused() async throws {
    try await withRange("containers") {
      try await withHost(
        "podman", ["blog": CommandHost.definition()],
        environment: "ENGINE_CONTAINERS='userns=\"auto\"'"
      ) { host in
        try await host.setUp()
        let applied = try await host.onionkeeper("apply")
        #expect(applied.code == 1)
        let told = applied.output + applied.errors
        #expect(told.contains("userns auto") && told.contains("userns = \"host\""), "\(told)")
        #expect(try await host.containers().isEmpty)
      }
    }
  }
}
