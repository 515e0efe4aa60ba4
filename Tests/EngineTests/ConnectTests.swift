import Engine
import OnionModel
import StubServer
import Testing
import Transport

@Suite struct ConnectTests {
  @Test(arguments: kinds) func recordedEnginesAreKnown(kind: EngineIdentity.Kind) async throws {
    let engine = try await StubEngine(kind) { _ in stubAnswer(200, "") }
    let description = engine.client.description
    #expect(description.identity.kind == kind)
    #expect(description.identity.version == (kind == .docker ? "20.10.24+dfsg1" : "4.3.1"))
    #expect(description.apiVersion == APIVersion(1, 41))
    #expect(description.refusals.isEmpty)
    #expect(!description.hasSELinux)
    #expect(description.torOwner == 7942)
    // Podman's own identifier is new at each call.
    #expect(description.identity.id.hasPrefix("podman:/") == (kind == .podman))
    #expect(!description.identity.id.isEmpty)
  }

  @Test(arguments: kinds) func recordedEnginesTellOfTheirHost(
    kind: EngineIdentity.Kind
  ) async throws {
    let text = try Fixture.text("\(kind.rawValue)-info.json")
      .replacing("\"PidsLimit\":true", with: "\"PidsLimit\":false")
    let engine = try await StubEngine(kind) { request in
      request.target == "/v1.41/info" ? stubAnswer(200, text) : stubAnswer(404, "")
    }
    let host = try await engine.client.host()
    #expect(host.storageDriver == (kind == .docker ? "overlay2" : "overlay"))
    #expect(host.backingFilesystem == "extfs")
    #expect(host.cgroupVersion == 1)
    #expect(host.cgroupDriver == "cgroupfs")
    #expect(host.missingLimits == ["pids"])
    #expect(host.warnings.isEmpty)
  }

  private func connect(
    version: String, info: String? = nil, ping: [String: String] = [:]
  ) async throws -> EngineDescription {
    let folder = try TemporaryPath()
    defer { folder.remove() }
    let info = try info ?? Fixture.text("docker-info.json")
    let server = try StubServer(.unix(folder.appending("s"))) { request in
      switch request.target {
      case "/_ping": stubAnswer(200, "OK", headers: ping)
      case "/version": stubAnswer(200, version)
      default: stubAnswer(200, info)
      }
    }
    defer { server.stop() }
    return try await EngineClient.connect(socket: folder.appending("s"), http: HTTPClient())
      .description
  }

  @Test(arguments: [
    ("1.12", "1.41", "1.41"), ("1.12", "1.40", "1.40"), ("1.24", "1.52", "1.41"),
    ("1.44", "1.52", "1.44"), ("1.42", "1.43", "1.42"), ("1.12", "1.39", nil),
    ("1.45", "1.60", nil),
    ("1.50", "1.40", nil),
  ])
  func versionsAreAgreedOn(lowest: String, highest: String, agreed: String?) async throws {
    let version = #"{"Version":"1","ApiVersion":"\#(highest)","MinAPIVersion":"\#(lowest)"}"#
    if let agreed {
      #expect(try await connect(version: version).apiVersion.description == agreed)
    } else {
      let error = await #expect(throws: EngineError.self) { try await connect(version: version) }
      #expect(error?.code == .unsupported)
    }
  }

  @Test(arguments: [
    ("4.2.1", false), ("4.3.1", true), ("5.0.0-rc1", true), ("3.9", false), ("x", false),
  ])
  func oldPodmansAreRefused(version: String, isTaken: Bool) async throws {
    let text = #"{"Version":"\#(version)","ApiVersion":"1.41","MinAPIVersion":"1.24"}"#
    let ping = ["Libpod-Api-Version": version]
    if isTaken {
      #expect(try await connect(version: text, ping: ping).identity.kind == .podman)
    } else {
      let error = await #expect(throws: EngineError.self) {
        try await connect(version: text, ping: ping)
      }
      #expect(error?.code == .unsupported)
    }
  }

  @Test func whatWeDoNotWorkWithIsNamed() async throws {
    let version = #"{"Version":"1","ApiVersion":"1.41"}"#
    let info =
      #"{"ID":"a","DockerRootDir":"/d/100000.100000","SecurityOptions":["name=seccomp,profile=unconfined","name=rootless","name=userns","name=selinux"]}"#
    let description = try await connect(version: version, info: info)
    #expect(description.refusals == ["a rootless engine", "an engine without seccomp"])
    #expect(description.remapsUsers && description.isRootless && description.hasSELinux)
    let podman =
      #"{"ID":"a","DockerRootDir":"/d","SecurityOptions":["name=seccomp,profile=default"],"Rootless":true}"#
    #expect(try await connect(version: version, info: podman).refusals == ["a rootless engine"])
  }

  /// Podman says it elsewhere than Docker; its `SecurityOptions` never do.
  @Test(arguments: [true, false]) func podmanTellsOfSELinuxInItsOwnAnswer(isOn: Bool) async throws {
    let folder = try TemporaryPath()
    defer { folder.remove() }
    let info = try Fixture.text("podman-info.json")
    let version = try Fixture.text("podman-version.json")
    let server = try StubServer(.unix(folder.appending("s"))) { request in
      switch request.target {
      case "/_ping": stubAnswer(200, "OK", headers: ["Libpod-Api-Version": "4.3.1"])
      case "/version": stubAnswer(200, version)
      case "/v4.0.0/libpod/info":
        stubAnswer(200, #"{"host":{"security":{"selinuxEnabled":\#(isOn)}}}"#)
      default: stubAnswer(200, info)
      }
    }
    defer { server.stop() }
    let client = try await EngineClient.connect(
      socket: folder.appending("s"), http: try HTTPClient())
    #expect(client.description.hasSELinux == isOn)
  }

  /// Docker's map of users, by the end of its data's path.
  @Test(
    arguments: [
      ("/d/100000.100000", 107_942), ("/var/lib/docker/2100000.2100000", 2_107_942),
      ("/d/100000.200000", nil), ("/d", nil), ("/d/x.y", nil), ("/d/1.1.1", nil), ("/d/0.0", nil),
      ("/d/-5.-5", nil), ("/d/9223372036854775807.9223372036854775807", nil),
    ] as [(String, Int?)])
  func remappedUsers(root: String, owner: Int?) async throws {
    let info =
      #"{"ID":"a","DockerRootDir":"\#(root)","SecurityOptions":["name=seccomp,profile=default","name=userns"]}"#
    let version = #"{"Version":"1","ApiVersion":"1.41"}"#
    let description = try await connect(version: version, info: info)
    #expect(description.torOwner == owner)
    #expect(description.refusals.count == (owner == nil ? 1 : 0))
  }

  @Test(arguments: [
    "", "null", "[]", "<html>", #"{"Version":"1"}"#, #"{"Version":"1","ApiVersion":"new"}"#,
  ])
  func strangeIntroductionsAreMalformed(version: String) async throws {
    let error = await #expect(throws: EngineError.self) { try await connect(version: version) }
    #expect(error?.code == .malformed)
    #expect(error?.operation == "GET /version")
  }

  @Test func nobodyThere() async throws {
    let error = await #expect(throws: EngineError.self) {
      try await EngineClient.connect(socket: "/tmp/ok-no-such-engine", http: HTTPClient())
    }
    #expect(error?.code == .unreachable)
    #expect(error?.description.contains("No such file") == true)
  }
}
