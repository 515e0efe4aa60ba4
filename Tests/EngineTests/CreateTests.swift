import Engine
import OnionModel
import StubServer
import Testing

@Suite struct CreateTests {
  /// What hardening is promised in: any change of it must be meant.
  private static let golden = #"""
    {"Cmd":[],"Entrypoint":["/bin/sh","/etc/onionkeeper/start"],"Env":["HOME=/data","LC_ALL=C","PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],"Healthcheck":{"Test":["NONE"]},"HostConfig":{"Binds":["/var/lib/onionkeeper/keys/blog:/keys:ro","/var/lib/onionkeeper/state/blog/run:/run/tor:rw"],"CapDrop":["ALL"],"IpcMode":"private","LogConfig":{"Config":{"max-file":"2","max-size":"1m"},"Type":"json-file"},"Memory":268435456,"MemorySwap":268435456,"NanoCpus":1000000000,"NetworkMode":"onionkeeper","PidsLimit":64,"Privileged":false,"ReadonlyRootfs":true,"RestartPolicy":{"Name":"always"},"SecurityOpt":["no-new-privileges"],"Tmpfs":{"/tmp":"rw,noexec,nosuid,nodev,size=16m,mode=1777"},"Ulimits":[{"Hard":4096,"Name":"nofile","Soft":4096},{"Hard":4096,"Name":"nproc","Soft":4096}]},"Image":"onionkeeper-tor:0123456789ab","Labels":{"a":"b"},"StopSignal":"SIGTERM","StopTimeout":33,"User":"7942:7942","WorkingDir":"/"}
    """#

  @Test(arguments: kinds) func theRequestIsTheSameForBoth(kind: EngineIdentity.Kind) async throws {
    let id = String(repeating: "ab", count: 32)
    let engine = try await StubEngine(kind) { _ in
      stubAnswer(201, #"{"Id":"\#(id)","Warnings":[]}"#)
    }
    let made = try await engine.client.create(specification(), labels: ["a": "b"])
    #expect(made == id)
    let asked = try #require(engine.asked.first)
    #expect(asked.target == "/v1.41/containers/create?name=onionkeeper-blog")
    #expect(asked.headers["content-type"] == "application/json")
    #expect(String(decoding: asked.body, as: UTF8.self) == Self.golden)
    #expect(try EngineClient.createRequest(specification(), labels: ["a": "b"]) == asked.body)
  }

  @Test func labelsOfSELinuxAreAskedFor() throws {
    let label = ContainerLabel(type: "container_t", level: "s0:c1,c2")
    let bytes = try EngineClient.createRequest(specification(label: label), labels: [:])
    #expect(
      String(decoding: bytes, as: UTF8.self).contains(
        #""SecurityOpt":["no-new-privileges","label=type:container_t","label=level:s0:c1,c2"]"#))
  }

  @Test(arguments: ["relative", "/a:b", "/a\nb", ""])
  func mountsThatCannotBeSaid(path: String) throws {
    for mount in [
      Mount(source: path, destination: "/keys", isReadOnly: true),
      Mount(source: "/keys", destination: path, isReadOnly: true),
    ] {
      let error = #expect(throws: EngineError.self) {
        try EngineClient.createRequest(specification(mounts: [mount]), labels: [:])
      }
      #expect(error?.code == .invalid)
    }
  }

  /// Podman's `userns auto`: refused by name, and what was made is gone.
  @Test func usersOfAContainersOwn() async throws {
    let id = String(repeating: "ab", count: 32)
    let engine = try await StubEngine(.podman) { request in
      switch request.method {
      case "POST": stubAnswer(201, #"{"Id":"\#(id)","Warnings":[]}"#)
      case "GET": stubAnswer(200, #"{"HostConfig":{"IDMappings":{"UidMap":["0:3000000:1024"]}}}"#)
      default: stubAnswer(204, "")
      }
    }
    let error = await #expect(throws: EngineError.self) {
      try await engine.client.create(specification(), labels: [:])
    }
    #expect(error?.code == .unsupported && error?.message.contains("userns auto") == true)
    #expect(engine.asked.map(\.method) == ["POST", "GET", "POST", "DELETE"])
    #expect(engine.asked.last?.target.contains(id) == true)
  }

  @Test(arguments: ["{}", #"{"Id":""}"#, #"{"Id":"short"}"#, "null", ""])
  func answersWithoutAnIdentifier(text: String) async throws {
    let engine = try await StubEngine { _ in stubAnswer(201, text) }
    let error = await #expect(throws: EngineError.self) {
      try await engine.client.create(specification(), labels: [:])
    }
    #expect(error?.code == .malformed)
  }
}
