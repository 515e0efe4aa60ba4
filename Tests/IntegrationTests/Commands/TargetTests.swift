import Foundation
import Testing

/// What a service's connections go to, beside the host: a container that comes, moves and goes, and a socket's folder.
@Suite(.serialized) struct TargetTests {
  private static func definition(_ target: String) -> String {
    "hosts: [web-1]\naccess: public\nports:\n  - virtual: 80\n    target: \(target)\n"
  }

  @Test(arguments: CommandTests.engines) func aContainerIsFollowed(engine: String) async throws {
    try await withHost(engine, ["blog": Self.definition("host:8080")]) { host in
      try host.write(
        "host.yaml",
        host.hostFile.replacingOccurrences(of: "[host]", with: "[host, \"container:web*\"]"))
      try await host.setUp()
      try await host.apply()
      let pid = try await host.pid("blog")
      let image = try await host.container("blog").configuration.image

      // Nobody bears the name yet: the tor that runs goes on as it was.
      try await host.define("blog", Self.definition("container:web:8080"))
      let missing = try await host.onionkeeper("apply")
      #expect(missing.output.contains("container web is not there or does not run"))
      #expect(try host.torrc("blog").contains(":8080"))
      #expect(try await host.pid("blog") == pid)

      // A tor of ours is no backend of another.
      try await host.define("blog", Self.definition("container:onionkeeper-blog:8080"))
      let ours = try await host.onionkeeper("apply")
      #expect(ours.output.contains("container:onionkeeper-blog"))
      try await host.define("blog", Self.definition("container:web:8080"))

      let web = try await Backend.start("web", in: "app", of: host, image: image)
      try await host.apply()
      let first = try await web.address()
      #expect(try host.torrc("blog").contains("HiddenServicePort 80 \(first):8080"))
      #expect(try await host.pid("blog") == pid)
      try await expectJoined(host, pid)
      #expect(try await host.onionkeeper("plan --offline").code == 0)

      try await withAgent(host) { agent in
        // The backend is made anew under another address: an engine event, and the interval is a minute.
        let place = Backend(host: host, name: "holder", network: "app")
        try await web.remove()
        try await place.create(image)
        try await web.create(image)
        let second = try await web.address()
        #expect(second != first)
        try await eventually("tor has the new address", within: 30) {
          try host.torrc("blog").contains("HiddenServicePort 80 \(second):8080")
        }

        // Somebody joins our tor to a network that no target needs: it leaves, and goes on running.
        let extra = try await Backend.start("other", in: "extra", of: host, image: image)
        try await extra.join("onionkeeper-blog")
        try await agent.hangUp()
        try await eventually("the tor leaves a network that nothing needs", within: 30) {
          try await host.container("blog").settings.networks["extra"] == nil
        }
        try await extra.remove()

        try await web.remove()
        try await eventually("the agent says that it is gone", within: 30) {
          try await host.onionkeeper("status blog").output.contains(
            "its last address \(second) stays")
        }
        #expect(try host.torrc("blog").contains("HiddenServicePort 80 \(second):8080"))
        #expect(try await host.pid("blog") == pid)
        #expect(try await host.containers()["onionkeeper-blog"] == "running")
        try await place.remove()
      }

      // A tor that starts while its target's network is lost starts all the same.
      _ = try await host.engine("-X POST 'http://e/containers/onionkeeper-blog/kill'")
      if engine == "docker" { _ = try await host.engine("-X DELETE 'http://e/networks/app'") }
      _ = try await host.onionkeeper("apply")
      #expect(try await host.containers()["onionkeeper-blog"] == "running")
      #expect(try await host.onionkeeper("status blog").output.contains("last address"))
    }
  }

  /// In both networks, and the host is still reached by the gateway of our own.
  private func expectJoined(_ host: CommandHost, _ pid: Int) async throws {
    let networks = try await host.container("blog").settings.networks
    #expect(networks.count == 2)
    #expect(networks["app"] != nil)
    let routes = try String(contentsOfFile: "/proc/\(pid)/net/route", encoding: .utf8)
      .split(separator: "\n").dropFirst().map { $0.split(separator: "\t") }
    // Two links that are reached directly (no gateway), and a way out.
    #expect(routes.filter { $0[1] != "00000000" && $0[2] == "00000000" }.count == 2)
    #expect(routes.contains { $0[1] == "00000000" })
  }

  private func withAgent(
    _ host: CommandHost, _ body: (RunningAgent) async throws -> Void
  ) async throws {
    let agent = try await RunningAgent.start(on: host)
    do {
      try await body(agent)
    } catch {
      let text = try String(contentsOfFile: agent.log, encoding: .utf8)
      try await agent.stop()
      throw Unfit("\(error)\n\(text.suffix(4000))")
    }
    try await agent.stop()
  }

  /// What a backend made stays as it made it: owner, mode, times, label. What is not there is not made.
  @Test func aSocketsFolderIsNeitherMadeNorTouched() async throws {
    try await withHost("docker", [:]) { host in
      let folder = "\(host.folder)/targets/app"
      let label = "user.backend"
      try await must(
        """
        mkdir -p \(folder) && chmod 3751 \(folder) && chown 33:44 \(folder)
        python3 -c 'import os; os.setxattr("\(folder)", "\(label)", b"mine")'
        """)
      func look() async throws -> String {
        try await must(
          """
          stat -c '%u %g %a %i %h %Y %Z' \(folder) \(host.folder)/targets
          ls -A \(folder) \(host.folder)/targets
          python3 -c 'import os; print(sorted((n, os.getxattr("\(folder)", n)) for n in os.listxattr("\(folder)")))'
          """)
      }
      let before = try await look()
      try host.write(
        "host.yaml",
        host.hostFile.replacingOccurrences(
          of: "[host]", with: "[host, \"unix:\(host.folder)/targets/*/*\"]"))
      try await host.define("app", Self.definition("unix:\(folder)/app.sock"))
      try await host.define("gone", Self.definition("unix:\(host.folder)/targets/gone/app.sock"))
      try await must("ln -s app \(host.folder)/targets/link")
      let withLink = try await look()
      try await host.define("link", Self.definition("unix:\(host.folder)/targets/link/app.sock"))
      try await host.setUp()
      let applied = try await host.onionkeeper("apply")
      #expect(applied.output.contains("targets/gone of a unix target is not there"))
      #expect(applied.output.contains("targets/link is no plain directory"))
      #expect(try await host.containers() == ["onionkeeper-app": "running"])
      #expect(try await look() == withLink)
      _ = try await host.engine("-X DELETE 'http://e/containers/onionkeeper-app?force=1'")
      _ = try await host.onionkeeper("apply")
      #expect(try await host.containers() == ["onionkeeper-app": "running"])
      #expect(try await look() == withLink)
      try await must("rm \(host.folder)/targets/link")
      #expect(before.split(separator: "\n").first == withLink.split(separator: "\n").first)
    }
  }
}
