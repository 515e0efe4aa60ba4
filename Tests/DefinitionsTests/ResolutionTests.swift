import Definitions
import Foundation
import OnionModel
import Testing

/// "What is wrong stays where it is wrong" of product.md §2, sentence by sentence.
@Suite struct ResolutionTests {
  private let blog = Sample.name("blog")
  private let shop = Sample.name("shop")

  private static let ports = "ports: [{virtual: 80, target: host:8080}]\n"
  private static let badPorts = "ports: [{virtual: 0, target: host:8080}]\n"
  private static let head = "hosts: [web-1]\nkey: existing\n"
  private static let open = head + ports

  private static func clients(_ numbers: [UInt8], ports: String = ports) -> String {
    let list = numbers.map { Sample.client("c\($0)", $0) }.joined(separator: ", ")
    return head + "access: clients\nclients: [\(list)]\n" + ports
  }

  private static func text(_ parts: String...) -> String { parts.joined() }

  /// Resolves one revision after another, as a host does; the last result.
  private func pass(
    _ revisions: [[String: String]], host: String = "web-1", allow: [[String]] = [["host"]],
    limit: Int = 500
  ) throws -> HostDefinitions {
    var result = HostDefinitions()
    var cache = DefinitionCache()
    for (index, revision) in revisions.enumerated() {
      var files = ["onionkeeper.yaml": Array("version: 1\n".utf8)]
      for (name, text) in revision { files["services/\(name).yaml"] = Array(text.utf8) }
      let reading = readRevision(RepositoryFiles(files), cache: &cache)
      try #require(!reading.isRefused)
      result = resolve(
        reading, lastGood: result.lastGood,
        host: HostContext(
          name: try #require(HostName(host)), labels: [:],
          allow: try AllowList(allow[min(index, allow.count - 1)]), serviceLimit: limit))
    }
    return result
  }

  private func keys(_ result: HostDefinitions) -> [String] {
    result.services.first { $0.name == blog }?.access.clients.map(\.key) ?? []
  }

  @Test func aBadFileKeepsItsServiceAndTheRestApplies() throws {
    let result = try pass([
      ["blog": Self.open, "shop": Self.open],
      [
        "blog": Self.head + Self.badPorts,
        "shop": Self.head + "ports: [{virtual: 81, target: host:1}]\n",
      ],
    ])
    #expect(result.services.map(\.name) == [blog, shop])
    #expect(result.services[0].ports[0].virtual == 80)
    #expect(result.services[1].ports[0].virtual == 81)
    #expect(result.rejections[blog]?.fallback == .lastGood)
    #expect(result.rejections[shop] == nil)
  }

  @Test func withoutALastGoodItIsNotStarted() throws {
    let result = try pass([["blog": Self.head + Self.badPorts, "shop": Self.open]])
    #expect(result.services.map(\.name) == [shop])
    #expect(result.unsettled == [blog])
    #expect(result.defined == [blog, shop])
    #expect(result.rejections[blog]?.fallback == .notStarted)
  }

  @Test func aBadFileForAnotherHostIsNoConcernOfThisOne() throws {
    let result = try pass([["blog": "hosts: [web-2]\nkey: existing\n" + Self.badPorts]])
    #expect(result.unsettled.isEmpty && result.stopped.isEmpty && result.rejections.isEmpty)
    #expect(result.defined == [blog])
  }

  @Test func aFileWithoutReadableHostsMayBeForThisHost() throws {
    let result = try pass([["blog": "hosts: ["]])
    #expect(result.unsettled == [blog])
  }

  /// What stands between hosts and ports of a rejected file, and whether a last good public service runs on.
  private static let besidePublic: [(text: String, runs: Bool)] = [
    (text(head, badPorts), true),
    (text(head, "access: public\n", badPorts), true),
    (text(head, "prots: []\n"), true),
    (text(head, "access: public\ncolour: blue\n", ports), true),
    (text(head, "access: public\n", ports, "oops\n"), true),
    (text(head, ports, ports), true),
    (text(head, "access: clients\n", ports), false),
    (text(head, "access: client\n", ports), false),
    (text(head, "access: yes\n", ports), false),
    (text(head, "acess: clients\n", ports), false),
    (text(head, "colour: blue\n", ports), false),
    (text(head, "ports: [{virtual: 80, target: host:80, access: clients}]\n"), false),
    (text(head, "clients: []\n", ports), false),
    (text(head, "access: public\nports: [{virtual: 80, target: host:80, clients: []}]\n"), false),
    (text(head, "access: public\naccess: clients\n", ports), false),
    (text(head, "access: public\naccess: public\n", badPorts), false),
    (text(head, "<<: {access: clients}\n", ports), false),
    (text(head, ports, "oops\n"), false),
    (text(head, "access: public\noops\naccess: clients\n", ports), false),
    ("", false), ("\u{7}", false), ("just words", false),
    (clients([1], ports: badPorts), false),
  ]

  /// Last good public: only a file that is provably public keeps it running.
  @Test(arguments: besidePublic)
  func lastGoodPublic(_ rejected: String, runs: Bool) throws {
    let result = try pass([["blog": Self.open], ["blog": rejected]])
    #expect(result.services.map(\.name) == (runs ? [blog] : []))
    #expect((result.stopped[blog] != nil) == !runs)
    #expect(result.rejections[blog]?.fallback == (runs ? .lastGood : .stopped))
  }

  private static let one = Sample.client("c1", 1)
  private static let two = Sample.client("c2", 2)
  private static let shut = "access: clients\n"

  private static let besideClients: [(text: String, left: [UInt8])] = [
    (clients([1, 2], ports: badPorts), [1, 2]),
    (clients([1], ports: badPorts), [1]),
    (clients([1, 3], ports: badPorts), [1]),
    (clients([3], ports: badPorts), []),
    (text(head, shut, "clients: []\n", ports), []),
    (text(head, shut, ports), []),
    (text(head, "access: public\n", badPorts), [1, 2]),
    (text(head, badPorts), [1, 2]),
    // Another key under the old name: the old key is no longer listed.
    (text(head, shut, "clients: [{name: c1, key: oops}, \(two)]\n", ports), [2]),
    // One invalid client of several is an error of the file; the others that stay listed stay.
    (text(head, shut, "clients: [\(Sample.client("BAD", 9)), \(one)]\n", ports), [1]),
    // A misspelt list is still the list.
    (text(head, shut, "client: [\(one)]\n", ports), [1]),
    // Two lists: only who is on both.
    (text(head, shut, "clients: [\(one), \(two)]\nclients: [\(two)]\n", ports), [2]),
    // Nothing of the list could be read, so nothing is known of it.
    ("", [1, 2]), ("hosts: [", [1, 2]), ("\u{7}", [1, 2]),
    (text(head, shut, "clients: [\(one), {name: \"c2"), [1, 2]),
    // The list was whole before the text broke off.
    (text(clients([2]), "oops\n"), [2]),
  ]

  /// Last good for clients 1 and 2: those stay, less what the parsed part no longer lists.
  @Test(arguments: besideClients)
  func lastGoodClients(_ rejected: String, left: [UInt8]) throws {
    let result = try pass([["blog": Self.clients([1, 2])], ["blog": rejected]])
    #expect(keys(result) == left.map(Sample.key))
    #expect((result.stopped[blog] != nil) == left.isEmpty)
    #expect(result.services.allSatisfy { $0.access.asksForClients })
  }

  @Test func aWithdrawnClientStaysOutUntilAValidFile() throws {
    let first = Self.clients([1, 2])
    let without = Self.clients([1], ports: Self.badPorts)
    #expect(keys(try pass([["blog": first], ["blog": without], ["blog": "hosts: ["]])).count == 1)
    let listedAgain = Self.clients([1, 2], ports: Self.badPorts)
    #expect(
      keys(try pass([["blog": first], ["blog": without], ["blog": listedAgain]])).count == 1)
    #expect(keys(try pass([["blog": first], ["blog": without], ["blog": first]])).count == 2)
  }

  @Test func aServiceWithoutClientsLeftStaysStoppedUntilAValidFile() throws {
    let first = Self.clients([1, 2])
    let nobody = Self.clients([3], ports: Self.badPorts)
    let result = try pass([["blog": first], ["blog": nobody], ["blog": "hosts: ["]])
    #expect(result.stopped[blog] != nil && result.services.isEmpty)
    #expect(try pass([["blog": first], ["blog": nobody], ["blog": first]]).stopped.isEmpty)
  }

  @Test func aConflictDoesTheSameToTheServicesInvolvedOnly() throws {
    let address = "address: \(Sample.address(1))\n"
    let result = try pass([
      ["blog": Self.head + address + Self.ports, "other": Self.open],
      [
        "blog": Self.head + address + "ports: [{virtual: 81, target: host:1}]\n",
        "shop": Self.head + address + Self.ports,
        "other": Self.head + "ports: [{virtual: 82, target: host:1}]\n",
      ],
    ])
    #expect(result.services.map { "\($0.name) \($0.ports[0].virtual)" } == ["blog 80", "other 82"])
    #expect(result.unsettled == [shop])
  }

  @Test func aNewServiceDoesNotTakeTheAddressOfALastGoodOne() throws {
    let address = "address: \(Sample.address(1))\n"
    let result = try pass([
      ["blog": Self.head + address + Self.ports],
      ["blog": Self.head + Self.badPorts, "shop": Self.head + address + Self.ports],
    ])
    #expect(result.services.map(\.name) == [blog])
    #expect(result.unsettled == [shop])
    #expect(
      result.diagnostics.map(\.description) == [
        "services/shop.yaml:3:10: address: is still that of blog, which stays at its last good definition"
      ])
  }

  @Test func aMisnamedFileIsNoRemoval() throws {
    let files = RepositoryFiles([
      "onionkeeper.yaml": Array("version: 1\n".utf8), "services/blog.yml": Array(Self.open.utf8),
    ])
    let before = try pass([["blog": Self.open]])
    let host = HostContext(
      name: try #require(HostName("web-1")), labels: [:], allow: try AllowList(["host"]))
    let result = resolve(readRevision(files), lastGood: before.lastGood, host: host)
    #expect(result.services.map(\.name) == [blog])
    #expect(
      result.rejections[blog]?.diagnostics.map(\.description)
        == ["services/blog.yml: is no definition (NAME.yaml)"])
  }

  @Test func aRemovedDefinitionIsForgotten() throws {
    let result = try pass([["blog": Self.open, "shop": Self.open], ["shop": Self.open]])
    #expect(result.defined == [shop])
    #expect(Set(result.lastGood.keys) == [shop])
  }

  @Test func aBadFileOfARenamedServiceKeepsTheFormerOne() throws {
    let address = "address: \(Sample.address(1))\n"
    let renamed = Self.text("formerly: blog\n", Self.head, address)
    let before = ["blog": Self.text(Self.head, address, Self.ports)]
    let result = try pass([before, ["shop": Self.text(renamed, Self.badPorts)]])
    #expect(result.services.map(\.name) == [blog])
    #expect(result.unsettled == [shop] && result.defined == [blog, shop])
    let still = try pass([before, ["shop": renamed + Self.badPorts], ["shop": renamed]])
    #expect(still.services.map(\.name) == [blog])
    let mended = try pass([before, ["shop": renamed], ["shop": renamed + Self.ports]])
    #expect(mended.services.map(\.name) == [shop])
    #expect(mended.defined == [shop] && Set(mended.lastGood.keys) == [shop])
    let shut = try pass([before, ["shop": renamed + "access: clients\n" + Self.ports]])
    #expect(shut.services.isEmpty && shut.stopped[blog] != nil)
  }

  @Test func theLastGoodDefinitionSaysWhichHost() throws {
    let moved = "hosts: [web-2]\nkey: existing\n" + Self.badPorts
    let result = try pass([["blog": Self.open], ["blog": moved]])
    #expect(result.services.map(\.name) == [blog])
    let other = try pass([["blog": Self.open], ["blog": moved]], host: "web-2")
    #expect(other.services.isEmpty && other.unsettled == [blog])
  }

  @Test func whatTheHostDoesNotAllowKeepsAnAllowedLastGood() throws {
    let metadata = Self.head + "ports: [{virtual: 80, target: 169.254.169.254:80}]\n"
    let result = try pass([["blog": Self.open], ["blog": metadata]])
    #expect(result.services.map { $0.ports[0].target.description } == ["host:8080"])
    #expect(result.lastGood[blog]?.service.ports[0].target == .gateway(port: 8080))
    #expect(
      result.rejections[blog]?.diagnostics.map(\.message) == [
        "target 169.254.169.254:80 is not in allow.targets: add \"169.254.169.254/32\" to allow it"
      ])
    let fresh = try pass([["blog": metadata]])
    #expect(fresh.unsettled == [blog] && fresh.lastGood.isEmpty)
  }

  @Test func whatTheHostNoLongerAllowsStops() throws {
    let result = try pass([["blog": Self.open], ["blog": Self.open]], allow: [["host"], []])
    #expect(result.services.isEmpty)
    #expect(
      result.stopped[blog]
        == "target host:8080 is not in allow.targets: add \"host\" to allow it")
    let again = try pass(
      [["blog": Self.open], ["blog": Self.open], ["blog": Self.open]],
      allow: [["host"], [], ["host"]])
    #expect(again.services.map(\.name) == [blog] && again.rejections.isEmpty)
  }

  @Test func refusedByAllowIsNeverMoreOpenEither() throws {
    let shut =
      Self.head + "access: clients\nclients: [\(Sample.client("c1", 1))]\n"
      + "ports: [{virtual: 80, target: 192.0.2.1:80}]\n"
    #expect(try pass([["blog": Self.open], ["blog": shut]]).stopped[blog] != nil)
    #expect(keys(try pass([["blog": Self.clients([1, 2])], ["blog": shut]])) == [Sample.key(1)])
  }

  /// Two last good definitions that were never beside each other before: what asked for anonymity keeps it.
  @Test func singleHopsOfOtherTimesAreStopped() throws {
    let quick = Self.head + Self.ports + "instance: shared\ntor: {singleHop: true}\n"
    let plain = Self.head + Self.ports + "instance: shared\n"
    func lastGood(_ name: String, _ text: String) throws -> Definition {
      let files = RepositoryFiles([
        "onionkeeper.yaml": Array("version: 1\n".utf8), "services/\(name).yaml": Array(text.utf8),
      ])
      return try #require(readRevision(files).services[Sample.name(name)]?.definition)
    }
    let bad = Array((Self.head + Self.badPorts).utf8)
    let reading = readRevision(
      RepositoryFiles([
        "onionkeeper.yaml": Array("version: 1\n".utf8), "services/blog.yaml": bad,
        "services/shop.yaml": bad,
      ]))
    let result = resolve(
      reading, lastGood: [blog: try lastGood("blog", quick), shop: try lastGood("shop", plain)],
      host: HostContext(
        name: try #require(HostName("web-1")), labels: [:], allow: try AllowList(["host"]),
        allowsSingleHop: true))
    #expect(result.services.map(\.name) == [shop])
    #expect(
      result.stopped[blog]
        == "services/blog.yaml says tor.singleHop: true, and services/shop.yaml is in its instance too"
    )
    #expect(result.rejections[blog]?.fallback == .stopped)
    #expect(result.rejections[blog]?.diagnostics.count == 2)
    #expect(result.rejections[shop]?.fallback == .lastGood)
  }

  @Test func noMoreServicesThanTheHostAllows() throws {
    let all = ["a": Self.open, "b": Self.open, "blog": Self.open]
    let result = try pass([["blog": Self.open], all], limit: 2)
    #expect(result.services.map(\.name.text) == ["a", "blog"])
    #expect(result.unsettled.map(\.text) == ["b"])
    #expect(
      result.diagnostics.map(\.description) == [
        "services/b.yaml:1:8: hosts: 3 services name this host, and allow.services is 2:"
          + " this one does not run"
      ])
  }

  @Test func theLastGoodComesBackFromAJournal() throws {
    let withdrawn = try pass([
      ["blog": Self.clients([1, 2])], ["blog": Self.clients([1], ports: Self.badPorts)],
    ])
    let stored = try JSONEncoder().encode(withdrawn.lastGood)
    let read = try JSONDecoder().decode([ServiceName: Definition].self, from: stored)
    #expect(read == withdrawn.lastGood)
    #expect(read[blog]?.effective?.access.clients.map(\.key) == [Sample.key(1)])
    let refused = String(decoding: stored, as: UTF8.self).replacingOccurrences(
      of: "8080", with: "808080")
    #expect(throws: DecodingError.self) {
      try JSONDecoder().decode([ServiceName: Definition].self, from: Data(refused.utf8))
    }
  }
}
