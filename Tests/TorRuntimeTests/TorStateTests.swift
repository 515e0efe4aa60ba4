import OnionModel
import Testing

@testable import TorRuntime

@Suite struct TorStateTests {
  private let address = OnionAddress(publicKey: Array(repeating: 7, count: 32))

  @Test func introductionsAreCountedByService() {
    let other = OnionAddress(publicKey: Array(repeating: 9, count: 32))
    func circuit(_ id: Int, _ purpose: String, _ state: String, _ service: OnionAddress) -> String {
      "\(id) BUILT $FP~a,$FP~b BUILD_FLAGS=IS_INTERNAL PURPOSE=\(purpose) HS_STATE=\(state) "
        + "REND_QUERY=\(service.identifier) TIME_CREATED=2026-01-01T00:00:00"
    }
    let counts = TorState.introductions(
      [
        circuit(1, "HS_SERVICE_INTRO", "HSSI_ESTABLISHED", address),
        circuit(2, "HS_SERVICE_INTRO", "HSSI_ESTABLISHED", address),
        circuit(3, "HS_SERVICE_INTRO", "HSSI_CONNECTING", address),
        circuit(4, "HS_SERVICE_HSDIR", "HSSI_ESTABLISHED", address),
        circuit(5, "HS_SERVICE_INTRO", "HSSI_ESTABLISHED", other),
        "6 BUILT PURPOSE=HS_SERVICE_INTRO HS_STATE=HSSI_ESTABLISHED REND_QUERY=forged",
        "7 BUILT PURPOSE=GENERAL",
      ].joined(separator: "\n"))
    #expect(counts == [address.identifier: 2, other.identifier: 1])
  }

  @Test func bootstrapPhase() throws {
    let phase =
      "WARN BOOTSTRAP PROGRESS=40 TAG=loading_keys SUMMARY=\"Loading \\\"keys\\\" PROGRESS=99\" "
      + "WARNING=\"Clock skew -172800\" REASON=CLOCK_SKEW COUNT=1"
    let seen = try TorState.observation(
      status: ["version": "0.4.9.11", "status/bootstrap-phase": phase], serviceOptions: [],
      circuits: "")
    #expect(seen.bootstrap == 40)
    #expect(seen.bootstrapSummary == "Loading \"keys\" PROGRESS=99: Clock skew -172800")
  }

  @Test(arguments: [
    [:], ["version": "1"], ["version": "1", "status/bootstrap-phase": "NOTICE BOOTSTRAP"],
    ["version": "1", "status/bootstrap-phase": "X PROGRESS=101 SUMMARY=\"x\""],
    ["version": "1", "status/bootstrap-phase": "X PROGRESS=-1"],
    ["version": "1", "status/bootstrap-phase": "X SUMMARY=\"a PROGRESS=5\""],
  ])
  func incomplete(_ status: [String: String]) {
    let error = #expect(throws: ControlError.self) {
      try TorState.observation(status: status, serviceOptions: [], circuits: "")
    }
    #expect(error?.code == .malformed)
  }

  @Test func whatTorSaysIsCutAndCleaned() throws {
    let seen = try TorState.observation(
      status: [
        "version": "0.4\u{1B}[2J" + String(repeating: "9", count: 1000),
        "status/bootstrap-phase": "NOTICE BOOTSTRAP PROGRESS=1 SUMMARY=\"a\u{202E}b\"",
      ], serviceOptions: [], circuits: "")
    #expect(seen.version.count == 65)
    #expect(!seen.version.contains("\u{1B}"))
    #expect(seen.bootstrapSummary == "a\u{FFFD}b")
  }
}
