import Foundation
import Testing

/// What a newcomer meets first: init, check, schema and render, as the built program.
@Suite(.serialized) struct StartingTests {
  /// A repository's own CI: not root, no network, no engine.
  private static let asNobody =
    "unshare -n setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs"

  @Test func aNewRepositoryPassesItsOwnCI() async throws {
    let folder = "/tmp/okc-\(UUID().uuidString.prefix(6).lowercased())"
    let program = CommandHost.program
    try await must("mkdir -m 755 \(folder)")
    do {
      let made = try await must("cd \(folder) && \(program) init onions")
      #expect(made.contains("wrote \(folder)/onions/onionkeeper.yaml"))
      let checked = try await bash(
        "cd \(folder)/onions && \(Self.asNobody) \(program) check . --host hosts --format github")
      #expect(checked.code == 0, "\(checked.errors)")
      #expect(checked.output.hasPrefix("::warning file=services/example.yaml,line="))
      let again = try await bash("\(program) init \(folder)/onions")
      #expect(again.code == 1)
      #expect(again.errors.contains("nothing was written"))

      let rendered = try await bash(
        "cd \(folder)/onions && \(Self.asNobody) \(program) render example --repository ."
          + " --config hosts/web-1.yaml --engine podman")
      #expect(rendered.code == 0, "\(rendered.errors)")
      for part in [
        "HiddenServicePort 80 <gateway>:8080", "FROM onionkeeper-base:bookworm",
        "### POST /containers/create?name=onionkeeper-example",
        "\"NetworkMode\" : \"onionkeeper-example\"",
      ] { #expect(rendered.output.contains(part)) }
      #expect(rendered.errors.contains("<gateway>: "))

      try await must("echo 'color: red' >>\(folder)/onions/services/example.yaml")
      let wrong = try await bash("\(program) check \(folder)/onions --json")
      #expect(wrong.code == 1)
      #expect(wrong.output.contains("\"path\" : \"color\""))
      for kind in ["", "repository", "host"] {
        let schema = try await must("\(program) schema \(kind) | /usr/bin/python3 -m json.tool")
        #expect(schema.contains("draft/2020-12"))
      }
      #expect(try await bash("\(program) schema nothing").code == 64)
    } catch {
      try await must("rm -rf \(folder)")
      throw error
    }
    try await must("rm -rf \(folder)")
  }

  @Test(arguments: CommandTests.engines)
  func whatIsRenderedIsWhatRuns(engine: String) async throws {
    let clients =
      "access: clients\nclients: [{name: a, key: \"descriptor:x25519:\(Self.point)\"}]\n"
    try await withHost(engine, ["vault": CommandHost.definition(clients)]) { host in
      try await host.setUp()
      let early = try await host.onionkeeper("render vault")
      #expect(early.code == 1)
      #expect(early.errors.contains("no revision is accepted yet"))
      #expect(try await host.onionkeeper("apply --quiet").code == 0)
      let torrc = try String(
        contentsOfFile: "\(host.state)/instances/vault/etc/torrc", encoding: .utf8)
      let asked = try await host.onionkeeper("render vault --ask --only torrc")
      #expect(asked.output == torrc)
      let unasked = try await host.onionkeeper("render vault --only torrc")
      #expect(unasked.code == 0)
      #expect(unasked.output.contains("HiddenServicePort 80 <gateway>:8080"))

      struct Report: Decodable {
        struct Request: Decodable {
          var image: String
          var labels: [String: String]
          enum CodingKeys: String, CodingKey {
            case image = "Image"
            case labels = "Labels"
          }
        }
        struct Service: Decodable { var address: String }
        var request: Request
        var services: [Service]
        var placeholders: [String]
      }
      let json = try await host.onionkeeper("render vault --ask --json")
      let report = try JSONDecoder().decode(Report.self, from: Data(json.output.utf8))
      #expect(report.services.map(\.address) == [try host.address("vault")])
      #expect(report.placeholders.isEmpty)
      let container = try await host.container("vault")
      #expect(container.configuration.image.hasSuffix(report.request.image))
      let labels = try await host.engine("'http://e/containers/onionkeeper-vault/json'")
      for value in report.request.labels.values { #expect(labels.contains(value)) }
    }
  }

  /// A public x25519 point whose other half nobody kept.
  private static let point = "ONAE5NF6THZMVOWVMFVJBOZGSRJOSZVJCVUZLY23RVR6RY3HHZNA"
}
