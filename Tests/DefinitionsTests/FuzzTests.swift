import Definitions
import FixtureFiles
import OnionModel
import Testing

/// Mutated fixtures: nothing crashes, everything stays inside its bounds, and the promises hold.
@Suite struct FuzzTests {
  private static let corpus = Fixture.all(in: "definitions").map(\.bytes)
  private static let pieces: [[UInt8]] = [
    "[", "{", "]", "}", ": ", "- ", "\n", "\r\n", "\t", "&a ", "*a", "!!str ", "<<: ", "? ", "|\n",
    "'", "\"", "#", "---\n", "...\n", "%TAG ! x\n", "\u{feff}", "\u{0}", "access: clients\n",
    "access: public\n", "clients: []\n", "ports:\n", "hosts: [web-1]\n", "instance: blog\n",
    "key: {sealed: secrets/x.age}\n", "key: {generate: perHost}\n", "container: {image: web}\n",
    "tor: {singleHop: true}\n", "tor: {introDoS: {rate: 1, burst: 0}}\n", "container:web:80",
    "99999999999999999999", "[64:ff9b::1]:80",
  ].map { Array($0.utf8) }

  @Test(arguments: [1, 2, 3, 4])
  func mutatedDefinitions(_ seed: UInt64) throws {
    var mutation = Mutation(seed: seed, corpus: Self.corpus, pieces: Self.pieces)
    let name = try #require(ServiceName("blog"))
    let host = HostContext(
      name: try #require(HostName("web-1")), labels: [:],
      allow: try AllowList(["host", "192.0.2.0/24", "unix:/run/onion-targets/*/*"]))
    let head = "hosts: [web-1]\nkey: existing\nports: [{virtual: 80, target: host:80}]\n"
    let shut = head + "access: clients\nclients: [\(Sample.client("a", 7))]\n"
    let before = resolve(revision(Array(shut.utf8)), lastGood: [:], host: host).lastGood
    #expect(before[name] != nil)
    for _ in 0..<400 {
      let bytes = mutation.next()
      let reading = revision(bytes)
      let service = try #require(reading.services[name])
      // Valid or with an error, never both and never neither; in order; bounded; with places.
      #expect((service.definition == nil) == service.diagnostics.contains { $0.severity == .error })
      #expect(service.diagnostics.count <= 400)
      for diagnostic in service.diagnostics {
        #expect(diagnostic.message.utf8.count < 1000 && !diagnostic.message.contains("\n"))
        #expect((diagnostic.line ?? 1) <= bytes.count + 1)
      }
      let result = resolve(reading, lastGood: before, host: host)
      // In exactly one of the three states at most, and never open unless a valid file says so.
      let states = [
        result.services.contains { $0.name == name }, result.stopped[name] != nil,
        result.unsettled.contains(name),
      ]
      #expect(states.count(where: { $0 }) <= 1)
      if service.definition == nil {
        #expect(result.services.allSatisfy { $0.access.asksForClients })
        #expect(result.lastGood[name] != nil)
      }
    }
  }

  /// One fault anywhere in a file that asks for clients: a last good public service never runs on beside it.
  @Test(arguments: Array(" #:[\"\na".utf8))
  func neverMoreOpen(_ letter: UInt8) throws {
    let name = try #require(ServiceName("blog"))
    let host = HostContext(
      name: try #require(HostName("web-1")), labels: [:], allow: try AllowList(["host"]))
    let open = "hosts: [web-1]\nkey: existing\nports: [{virtual: 80, target: host:80}]\n"
    let before = resolve(revision(Array(open.utf8)), lastGood: [:], host: host).lastGood
    let shut = Array(
      "\(open)access: clients\nclients:\n- name: a\n  key: descriptor:x25519:\(Sample.key(7))\n"
        .utf8)
    for index in shut.indices {
      var replaced = shut
      replaced[index] = letter
      let inserted = Array(shut[..<index]) + [letter] + shut[index...]
      let removed = Array(shut[..<index]) + shut[(index + 1)...]
      let cut = Array(shut[..<index]) + [letter]
      for bytes in [replaced, inserted, removed, cut] {
        let reading = revision(bytes)
        guard reading.services[name]?.definition == nil else { continue }
        let result = resolve(reading, lastGood: before, host: host)
        // A cut that took the whole request away leaves a file that says nothing of it.
        let asks = String(decoding: bytes, as: UTF8.self).contains("cl")
        #expect(result.services.isEmpty || !asks, "\(String(decoding: bytes, as: UTF8.self))")
      }
    }
  }

  private func revision(_ bytes: [UInt8]) -> RevisionReading {
    readRevision(
      RepositoryFiles([
        "onionkeeper.yaml": Array("version: 1\n".utf8), "services/blog.yaml": bytes,
      ]))
  }
}
