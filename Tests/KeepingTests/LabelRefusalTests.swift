import Engine
import SELinux
import StubServer
import Testing
import Transport

@testable import Keeping

/// An engine that does not label its containers, by the mode of the host's SELinux.
@Suite struct LabelRefusalTests {
  private static let version =
    #"{"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12"}"#

  private func connect(
    _ options: String, podman: Bool = false, _ mode: SELinuxMode
  ) async throws -> EngineClient {
    let folder = try TemporaryPath()
    defer { folder.remove() }
    let server = try StubServer(.unix(folder.appending("s"))) { request in
      switch request.target {
      case "/_ping": stubAnswer(200, "OK", headers: podman ? ["Libpod-Api-Version": "4.3.1"] : [:])
      case "/version":
        stubAnswer(
          200, podman ? Self.version.replacing("20.10.24", with: "4.3.1") : Self.version)
      default:
        stubAnswer(200, #"{"ID":"x","DockerRootDir":"/d","SecurityOptions":[\#(options)]}"#)
      }
    }
    defer { server.stop() }
    return try await LiveWorld.connect(
      socket: folder.appending("s"), http: try HTTPClient(), selinux: mode)
  }

  @Test(arguments: [(false, "selinux-enabled"), (true, "label = true")])
  func isRefusedWithTheSettingWhereSELinuxIsOn(podman: Bool, setting: String) async throws {
    let plain = #""name=seccomp,profile=default""#
    for mode in [SELinuxMode.enforcing, .permissive] {
      let error = await #expect(throws: EngineError.self) {
        try await connect(plain, podman: podman, mode)
      }
      #expect(error?.code == .unsupported)
      #expect(error?.message.contains(setting) == true)
      _ = try await connect("\(plain),\"name=selinux\"", podman: podman, mode)
    }
    _ = try await connect(plain, podman: podman, .disabled)
  }
}
