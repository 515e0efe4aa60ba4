import Definitions
import Foundation
import Journaling
import OnionModel
import Planning
import Testing

@testable import Keeping

/// `examples/`: right as they are, and what each of their hosts would do first is held by `Snapshots/`.
///
/// A plan that moves on purpose: `UPDATE_SNAPSHOTS=1 ops/test unit --filter ExampleTests` writes them anew (and fails,
/// so that nobody does it without looking); `git diff` shows what moved.
struct ExampleTests {
  private static let hosts = ["web-1", "web-2", "web-3"]

  private static let examples = SchemaTests.root.appendingPathComponent("examples").path

  @Test func theyAreRight() throws {
    let found = RepositoryCheck(
      folder: Self.examples, hostFiles: ["\(Self.examples)/hosts"], current: "/"
    ).run()
    #expect(!found.contains { $0.severity == .error }, "\(found)")
    // Addresses to pin, once they are made.
    let warned = found.map { "\($0.file) \($0.path)" }
    #expect(
      warned
        == ["blog", "forum", "git", "metrics", "status", "vault"].map { name in
          "services/\(name).yaml address"
        })
    let reading = readRevision(try DefinitionFolder(Self.examples).read())
    #expect(reading.services.count == 10)
    #expect(reading.sealedKeys.count == 1)
  }

  @Test(arguments: hosts) func firstPlan(_ host: String) throws {
    let configuration = try configuration(host)
    let desired = try desired(configuration)
    let memory = Memory(agent: try House.agent(), engine: Self.engine)
    let observed = observed(desired)
    let plan = Planning.plan(desired, from: observed, knowing: memory)
    #expect(audit(plan, desired: desired, observed: observed, memory: memory).isEmpty)
    var lines = ["What \(host) would do first. See ExampleTests."]
    for group in plan.groups {
      lines += ["", "\(group.subject):"]
      lines += group.steps.map { "  \($0.action.summary)" }
    }
    lines += [""] + plan.waiting.map { "waiting \($0.service?.text ?? ""): \($0.message)" }
    for (instance, members) in Dictionary(grouping: desired.services, by: \.instance)
      .sorted(by: { $0.key < $1.key })
    {
      let found = try #require(
        rendering(
          of: members[0].name, in: desired, from: observed, knowing: memory, engine: Self.engine))
      lines += ["", "torrc of \(instance):", found.torrc, found.specification.canonicalText]
    }
    try expect(lines.joined(separator: "\n"), snapshot: "\(host).txt")
  }

  private static let engine = EngineIdentity(kind: .podman, version: "4.3.1", id: "ENGINE")

  private func configuration(_ host: String) throws -> HostConfiguration {
    try HostFile(path: "\(Self.examples)/hosts/\(host).yaml", of: .another).read()
  }

  private func desired(_ configuration: HostConfiguration) throws -> Desired {
    let revision = AcceptedRevision(
      commit: try #require(CommitID(String(repeating: "1", count: 40))), previous: nil,
      acceptedAt: Timestamp(seconds: 0), removalsAnnounced: false, identity: configuration.identity)
    var reader = RevisionReader()
    return reader.read(
      revision, try DefinitionFolder(Self.examples).read(), lastGood: [:], configuration
    ).desired
  }

  /// A host that was set up and has nothing yet; its backends are there.
  private func observed(_ desired: Desired) -> Observed {
    var observed = Observed(
      now: Timestamp(seconds: 1_800_000_000), keyRoot: .present(Self.agent),
      stateRoot: .present(Self.agent), engine: .present(Self.engine), containers: .present([]),
      image: .absent, pins: .present([:]), retired: .present([]))
    for service in desired.services {
      observed.keys[KeyPlace(instance: service.instance, service: service.name)] = .absent
      observed.folders[service.instance] = .absent
      observed.networks[desired.layout.containerName(service.instance)] = .absent
      for target in service.ports.map(\.target) {
        if let directory = target.socket?.directory {
          observed.socketDirectories[directory] = .present(true)
        }
        if let name = target.containerName {
          observed.targetContainers[name] = .present(
            TargetContainer(address: "10.88.0.7", network: "shop"))
        }
      }
    }
    return observed
  }

  private static let agent: AgentID = {
    guard let agent = AgentID("0123456789abcdef0123456789abcdef") else {
      preconditionFailure("a test's own id is not valid")
    }
    return agent
  }()

  private func expect(_ text: String, snapshot name: String) throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Snapshots/\(name)")
    if ProcessInfo.processInfo.environment["UPDATE_SNAPSHOTS"] != nil {
      try Data(text.utf8).write(to: file)
      Issue.record("\(name) was written anew: look at it, and run again without UPDATE_SNAPSHOTS")
      return
    }
    let expected = try String(contentsOf: file, encoding: .utf8)
    guard text != expected else { return }
    // The first line that differs; the whole is in `git diff` after an update.
    let pairs = zip(
      text.split(separator: "\n", omittingEmptySubsequences: false),
      expected.split(separator: "\n", omittingEmptySubsequences: false))
    let first = pairs.first { $0 != $1 }
    Issue.record(
      "the plan moved: \"\(first?.0 ?? "more or fewer lines")\", snapshot \"\(first?.1 ?? "")\"")
  }
}
