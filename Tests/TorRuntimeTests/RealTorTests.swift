import Foundation
import Glibc
import OnionModel
import Testing
import TorRuntime

/// Against the distribution's tor, run as user 7942 with `DisableNetwork 1`.
@Suite struct RealTorTests {
  @Test func observation() async throws {
    let tor = try await RealTor(ports: [80, 443])
    let seen = try await tor.client.observe()
    #expect(seen.version.hasPrefix("0.4."))
    #expect(seen.bootstrap == 0)
    #expect(seen.bootstrapSummary == "Starting")
    #expect(seen.serviceOptions == (try tor.text(["web": [80, 443]]).options))
    #expect(seen.introductions.isEmpty)
  }

  @Test func questions() async throws {
    let tor = try await RealTor()
    let answers = try await tor.client.getInfo(["process/uid", "config-file"])
    #expect(answers == ["process/uid": "7942", "config-file": "\(tor.etc)/torrc"])
    #expect(try await tor.client.getConf("SocksPort") == ["SocksPort 0"])
    for question in ["GETINFO", "GETCONF"] {
      let error = await #expect(throws: ControlError.self) {
        _ =
          question == "GETINFO"
          ? try await tor.client.getInfo(["nonsense"]).count
          : try await tor.client.getConf("Nonsense").count
      }
      #expect(error?.code == .refused)
      #expect(error?.status == 552)
      #expect(error?.operation == question)
    }
    let error = await #expect(throws: ControlError.self) {
      try await tor.client.getInfo(["version\r\nSIGNAL HALT"])
    }
    #expect(error?.code == .invalid)
    #expect(tor.child.status() == nil)
  }

  /// Each option that a definition can have, told back by tor in the words and order of the torrc.
  @Test(arguments: TorOptions.samples) func everyOptionIsToldBackAsWritten(options: TorOptions)
    async throws
  {
    let tor = try await RealTor()
    var configuration = try RealTor.configuration(["web": [80], "shop": [80, 443]])
    for index in configuration.services.indices { configuration.services[index].tor = options }
    for service in ["web", "shop"] { try tor.layDownBalance(service, options.onionBalanceMaster) }
    let text = try tor.text(configuration)
    try await tor.client.reload(torrc: text.torrc, expecting: text.options)
    #expect(try await tor.client.observe().serviceOptions == text.options)
    // A second reload of the same, and back to nothing.
    try await tor.client.reload(torrc: text.torrc, expecting: text.options)
    let plain = try tor.text(["web": [80]])
    try await tor.client.reload(torrc: plain.torrc, expecting: plain.options)
    let verified = try await tor.verify(text.torrc)
    #expect(verified.status == 0, "\(verified.output)")
    #expect(verified.output.contains("Configuration was valid"))
  }

  /// Every target's form beside every option, in the order of the definition.
  @Test func everyTargetIsToldBackAsWritten() async throws {
    let tor = try await RealTor()
    var configuration = try RealTor.configuration(["web": []])
    configuration.services[0].ports = [
      OnionPort(virtual: 443, target: .address("10.0.0.1", port: 8443)),
      OnionPort(virtual: 80, target: .address("fd77::2", port: 80)),
      OnionPort(virtual: 81, target: .gateway(port: 8080)),
      OnionPort(virtual: 82, target: .unixSocket("/run/onion-targets/app/app.sock")),
      OnionPort(virtual: 83, target: .container("web", port: 8080)),
      OnionPort(virtual: 84, target: .container("six", port: 8080)),
    ]
    configuration.containers = ["web": "172.18.0.2", "six": "fd77::3"]
    let text = try tor.text(configuration)
    try await tor.client.reload(torrc: text.torrc, expecting: text.options)
    #expect(try await tor.client.observe().serviceOptions == text.options)
    #expect(text.options.contains("HiddenServicePort 84 [fd77::3]:8080"))
  }

  /// tor changes neither of single hop's options while it runs: such an instance is made anew.
  @Test func singleHopStartsAndIsNeverReloadedInto() async throws {
    var configuration = try RealTor.configuration(["web": [80]])
    configuration.services[0].tor.isSingleHop = true
    let tor = try await RealTor(configuration)
    let seen = try await tor.client.observe()
    let text = try tor.text(configuration)
    #expect(seen.serviceOptions == text.options)
    #expect(
      try await tor.client.getConf("HiddenServiceSingleHopMode") == [
        "HiddenServiceSingleHopMode 1"
      ])
    let verified = try await tor.verify(text.torrc)
    #expect(verified.status == 0, "\(verified.output)")
    let plain = try tor.text(["web": [80]])
    let error = await #expect(throws: ControlError.self) {
      try await tor.client.reload(torrc: plain.torrc, expecting: plain.options)
    }
    #expect(error?.code == .refused)
    #expect(try await tor.client.observe().serviceOptions == text.options)
  }

  @Test func reloadReplacesTheServices() async throws {
    let tor = try await RealTor()
    for services in [["web": [80, 443]], ["web": [443], "shop": [80]], ["web": [80]], [:]] {
      let (torrc, options) = try tor.text(services)
      try await tor.client.reload(torrc: torrc, expecting: options)
      #expect(try await tor.client.observe().serviceOptions == options)
    }
    #expect(tor.child.status() == nil)
  }

  @Test func signalReadsTheFileAndNotWhatWasLoaded() async throws {
    let tor = try await RealTor()
    let loaded = try tor.text(["web": [81]])
    let file = try tor.text(["web": [82]])
    try write(file.torrc, to: "\(tor.etc)/torrc", mode: 0o644)
    try await tor.client.reload(torrc: loaded.torrc, expecting: loaded.options)
    try await tor.client.signal("RELOAD")
    var seen: [String] = []
    for _ in 0..<1000 where seen != file.options {
      seen = try await tor.client.getConf("HiddenServiceOptions")
    }
    #expect(seen == file.options)
  }

  @Test(arguments: [
    ("HiddenServicePort 0", 552), ("NoSuchOption 1", 552),
    ("HiddenServicePort 80 no-such-name.invalid:80", 552), ("DataDirectory /elsewhere", 553),
  ])
  func wrongConfigurationIsRefusedAndTorLives(_ line: String, _ status: Int) async throws {
    let tor = try await RealTor()
    let (torrc, options) = try tor.text(["web": [80]])
    let error = await #expect(throws: ControlError.self) {
      try await tor.client.reload(torrc: torrc + line + "\n", expecting: options)
    }
    #expect(error?.code == .refused)
    #expect(error?.status == status)
    #expect(try await tor.client.observe().serviceOptions == options)
    #expect(tor.child.status() == nil)
  }

  @Test func linesThatBeginWithADotDoNotEndTheText() async throws {
    let tor = try await RealTor()
    let (torrc, options) = try tor.text(["web": [80]])
    let error = await #expect(throws: ControlError.self) {
      try await tor.client.reload(torrc: torrc + ".\nSIGNAL HALT\n", expecting: options)
    }
    #expect(error?.code == .refused)
    #expect(error?.message.contains("'.'") == true)
    #expect(tor.child.status() == nil)
  }

  @Test func reloadThatTookEffectOtherwise() async throws {
    let tor = try await RealTor()
    let error = await #expect(throws: ControlError.self) {
      try await tor.client.reload(
        torrc: try tor.text(["web": [81]]).torrc, expecting: try tor.text(["web": [82]]).options)
    }
    #expect(error?.code == .notApplied)
  }

  @Test func aMissingSecretEndsTorAndIsSaidSo() async throws {
    let tor = try await RealTor()
    let folder = try tor.scratch.folder("keys/shop", owner: RealTor.user)
    try FileManager.default.copyItem(
      atPath: "\(tor.keys)/web/\(KeyFiles.publicKey)", toPath: "\(folder)/\(KeyFiles.publicKey)")
    try check(chown("\(folder)/\(KeyFiles.publicKey)", 7942, 7942), "chown")
    let (torrc, options) = try tor.text(["web": [80], "shop": [80]])
    let error = await #expect(throws: ControlError.self) {
      try await tor.client.reload(torrc: torrc, expecting: options)
    }
    #expect(error?.code == .died)
    #expect(try await tor.child.wait() == 1)
    let lines = try contents(tor.log).split(separator: "\n").map(String.init)
    #expect(LogLines.finding(in: lines)?.contains("secret key") == true)
    let gone = await #expect(throws: ControlError.self) { try await tor.client.observe() }
    #expect(gone?.code == .absent)
  }

  @Test func aStoppedTorTimesOut() async throws {
    let tor = try await RealTor()
    try check(kill(tor.child.pid, SIGSTOP), "kill")
    let client = ControlClient(
      run: tor.run, owner: RealTor.user, observationLimit: .milliseconds(300))
    let error = await #expect(throws: ControlError.self) { try await client.observe() }
    #expect(error?.code == .timedOut)
    try check(kill(tor.child.pid, SIGCONT), "kill")
    #expect(try await tor.client.observe().bootstrap == 0)
  }

  @Test func anotherOwnerIsNotTor() async throws {
    let tor = try await RealTor()
    let error = await #expect(throws: ControlError.self) {
      try await ControlClient(run: tor.run, owner: 7943).observe()
    }
    #expect(error?.code == .untrusted)
  }

  @Test func killedTorLeavesASocketThatNobodyListensOn() async throws {
    let tor = try await RealTor()
    try check(kill(tor.child.pid, SIGKILL), "kill")
    #expect(try await tor.child.wait() == 128 + Int(SIGKILL))
    let error = await #expect(throws: ControlError.self) { try await tor.client.observe() }
    #expect(error?.code == .unreachable)
  }
}
