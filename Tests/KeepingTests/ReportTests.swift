import Foundation
import Journaling
import KeyStore
import OnionModel
import Testing

@testable import Keeping

/// What `plan` and `status` say where there is no engine, and before anything was done.
struct ReportTests {
  @Test func planNeedsNoEngineAndWritesNothing() async throws {
    let host = try House()
    try host.setUp()
    let first = try host.commit()
    _ = try await host.pass()
    let second = try host.commit()
    let scratch = "\(host.path)/scratch"
    try FileManager.default.createDirectory(
      atPath: scratch, withIntermediateDirectories: true,
      attributes: [.posixPermissions: 0o700])
    let preview = Preview(try host.configuration())
    let online = try await preview.run(isOffline: false, scratch: scratch)
    #expect(online.revision == second)
    #expect(online.isCandidate)
    #expect(online.isBlind)
    let offline = try await preview.run(isOffline: true, scratch: scratch)
    #expect(offline.revision == first)
    #expect(!offline.isCandidate)
    let accepted = try await host.agent { try await $0.journal.acceptedRevision()?.commit }
    #expect(accepted == first)
    #expect(try await host.anchor() == first)
  }

  /// Not "nothing to do": what is wanted is not known.
  @Test func planWithoutAnyRevisionIsBlind() async throws {
    let host = try House()
    try host.setUp()
    _ = try await host.pass()
    let scratch = "\(host.path)/scratch"
    try FileManager.default.createDirectory(
      atPath: scratch, withIntermediateDirectories: true,
      attributes: [.posixPermissions: 0o700])
    let report = try await Preview(try host.configuration()).run(isOffline: false, scratch: scratch)
    #expect(report.revision == nil)
    #expect(report.sourceTrouble != nil)
    #expect(report.isWithoutRevision && report.isBlind)
  }

  @Test func planRefusesAHostThatIsNotSetUp() async throws {
    let host = try House()
    let error = await #expect(throws: KeepingError.self) {
      try await Preview(try host.configuration()).run(isOffline: true, scratch: host.path)
    }
    #expect(error?.message.contains("not set up") == true)
  }

  @Test func statusShowsWhatIsKnown() async throws {
    let host = try House()
    try host.setUp()
    let early = try await host.agent { _ in try await StatusReport.read(try host.configuration()) }
    #expect(early.revision == nil)
    #expect(early.services.isEmpty)
    #expect(early.isRunning)
    let first = try host.commit()
    _ = try await host.pass()
    let status = try await StatusReport.read(try host.configuration())
    #expect(status.revision == first)
    #expect(!status.isRunning)
    #expect(!status.engine.isReachable)
    #expect(status.engine.message?.contains("\(host.path)/none.sock") == true)
    #expect(status.network == "off")
    #expect(status.services.map(\.name.text) == ["blog"])
    #expect(!status.isReady)
    #expect(status.troubles.contains { $0.key == "wait/host/engineUnreachable" })
  }

  @Test func twoAgentsAreOneTooMany() async throws {
    let host = try House()
    try host.setUp()
    try await host.agent { _ in
      let error = await #expect(throws: KeyStoreError.self) { try await host.open() }
      #expect(error?.code == .rootBusy)
    }
    try await host.agent { _ in }
  }

  @Test func otherDisksAreNotTouched() async throws {
    let host = try House()
    try host.setUp()
    try FileManager.default.removeItem(atPath: "\(host.path)/keys")
    let missing = await #expect(throws: KeepingError.self) { try await host.open() }
    #expect(missing?.message.contains("not mounted") == true)
    let other = try #require(AgentID(String(repeating: "f", count: 32)))
    try KeyRoot.setUp("\(host.path)/keys", id: other)
    let foreign = await #expect(throws: KeepingError.self) { try await host.open() }
    #expect(foreign?.message.contains("another disk") == true)
  }

  /// `auto` is pinned at set-up: an engine that is installed later changes nothing.
  @Test func thePinnedEngineKeepsItsSocket() throws {
    let host = try House()
    var configuration = try host.configuration()
    #expect(try SetUp.socket(configuration, pinned: .docker) == "\(host.path)/none.sock")
    configuration.engine = .automatic
    #expect(try SetUp.socket(configuration, pinned: .docker) == "/run/docker.sock")
    #expect(try SetUp.socket(configuration, pinned: .podman) == "/run/podman/podman.sock")
  }
}
