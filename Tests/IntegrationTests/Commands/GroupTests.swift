import Foundation
import Testing

/// Several services in one tor: who joins, leaves and moves does so by a reload, and the others never notice.
@Suite(.serialized) struct GroupTests {
  private static func member(_ instance: String?, port: Int = 80) -> String {
    CommandHost.definition(
      "access: public\n" + (instance.map { "instance: \($0)\n" } ?? ""), port: port)
  }

  @Test(arguments: CommandTests.engines) func membersComeAndGoByReload(engine: String) async throws
  {
    let services = [
      "a1": Self.member("shared"), "a2": Self.member("shared"), "a3": Self.member("shared"),
    ]
    try await withHost(engine, services) { host in
      try await host.setUp()
      try await host.apply()
      #expect(try await host.containers() == ["onionkeeper-shared": "running"])
      #expect(try members(host, "shared") == ["a1", "a2", "a3"])
      let pid = try await host.pid("shared")
      func expectSameTor(_ what: String) async throws {
        #expect(try await host.pid("shared") == pid, "\(what)")
        let plan = try await host.onionkeeper("plan")
        #expect(plan.code == 0, "\(what): \(plan.output)")
      }

      try await host.define("a4", Self.member("shared"))
      try await host.apply()
      #expect(try members(host, "shared") == ["a1", "a2", "a3", "a4"])
      try await expectSameTor("joined")

      try await host.undefine("a3")
      try await host.apply()
      #expect(try members(host, "shared") == ["a1", "a2", "a4"])
      try await expectSameTor("left")

      // To a tor of its own, and back: the key moves with it.
      let address = try text(host, "shared/a2/hostname")
      try await host.define("a2", Self.member(nil))
      try await host.apply()
      #expect(try members(host, "shared") == ["a1", "a4"])
      #expect(try await host.containers()["onionkeeper-a2"] == "running")
      #expect(try text(host, "a2/a2/hostname") == address)
      try await expectSameTor("moved out")

      try await host.define("a2", Self.member("shared"))
      try await host.apply()
      #expect(try members(host, "shared") == ["a1", "a2", "a4"])
      #expect(try await host.containers() == ["onionkeeper-shared": "running"])
      #expect(try text(host, "shared/a2/hostname") == address)
      try await expectSameTor("moved back")
    }
  }

  private func members(_ host: CommandHost, _ instance: String) throws -> [String] {
    try host.torrc(instance).split(separator: "\n").compactMap {
      $0.hasPrefix("HiddenServiceDir ")
        ? $0.split(separator: "/").last.map(String.init) : nil
    }
  }

  private func text(_ host: CommandHost, _ path: String) throws -> String {
    try String(contentsOfFile: "\(host.keys)/\(path)", encoding: .utf8)
  }
}
