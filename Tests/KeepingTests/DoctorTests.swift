import Descriptors
import Engine
import Foundation
import KeyStore
import OnionModel
import SELinux
import StubServer
import Testing

@testable import Keeping

/// What each check makes of what it is told, and the whole of it on hosts that are not what they should be.
@Suite struct DoctorTests {
  typealias Weight = DoctorFinding.Weight

  @Test func whatMattersMostComesFirst() {
    let report = DoctorReport([
      DoctorFinding(.engine, .ok, "a"), DoctorFinding(.keys, .note, "b"),
      DoctorFinding(.tor, .risk, "c", mend: ["do it"]), DoctorFinding(.agent, .broken, "d"),
      DoctorFinding(.hostFile, .risk, "e"), DoctorFinding(.disk, .unknown, "f"),
    ])
    #expect(report.findings.map(\.message) == ["d", "e", "c", "f", "b", "a"])
    #expect(!report.isWell)
    #expect(report.lines().contains { $0.hasSuffix("-> do it") })
    #expect(report.lines().last == "3 to mend, 1 could not be looked at")
    #expect(report.lines(isQuiet: true).count == 4)
    #expect(DoctorReport([DoctorFinding(.disk, .unknown, "f")]).isWell)
  }

  // MARK: SELinux

  private static func selinux(
    _ mode: SELinuxMode, next: SELinuxMode? = nil, modules: [String]? = ["tor"],
    labels: Bool? = true, knows: Observation<Bool> = .present(true)
  ) throws -> [DoctorFinding] {
    SELinuxCheck(
      policy: HostPolicy(
        mode: .present(mode), configuredMode: next.map { .present($0) } ?? .absent,
        name: next == nil ? .absent : .present("targeted"),
        modules: modules.map { .present($0.map { InstalledModule(name: $0, priority: 400) }) }
          ?? .unknown("run it as root")),
      engine: try labels.map { try description(hasSELinux: $0) }, knowsContainers: knows
    ).findings
  }

  @Test func selinuxByMode() throws {
    #expect(try Self.selinux(.disabled).map(\.weight) == [.note])
    #expect(try Self.selinux(.disabled, next: .disabled).map(\.weight) == [.risk])
    let permissive = try Self.selinux(.permissive, next: .permissive)
    #expect(permissive.first?.weight == .risk)
    #expect(permissive.first?.mend.count == 2)
    #expect(try Self.selinux(.enforcing, next: .enforcing).first?.weight == .ok)
    #expect(try Self.selinux(.enforcing, next: .permissive).first?.weight == .risk)
    #expect(try Self.selinux(.enforcing, modules: nil).contains { $0.weight == .unknown })
  }

  @Test func anEngineThatDoesNotLabelIsTheWorstWhereSELinuxEnforces() throws {
    let enforcing = try Self.selinux(.enforcing, labels: false)
    let refusal = try #require(enforcing.first { $0.weight == .broken })
    #expect(refusal.mend[0].contains("\"selinux-enabled\": true"))
    #expect(try Self.selinux(.permissive, labels: false).filter { $0.weight == .risk }.count == 2)
    #expect(try Self.selinux(.disabled, labels: false).map(\.weight) == [.note])
    #expect(
      try Self.selinux(.enforcing, knows: .present(false)).contains {
        $0.weight == .broken && $0.message.contains("container_t")
      })
  }

  static func description(
    _ kind: EngineIdentity.Kind = .docker, hasSELinux: Bool = false, isRootless: Bool = false
  ) throws -> EngineDescription {
    EngineDescription(
      identity: EngineIdentity(kind: kind, version: "20.10", id: "x"),
      apiVersion: try #require(APIVersion("1.41")),
      highestVersion: try #require(APIVersion("1.41")), isRootless: isRootless,
      remapsUsers: false, hasSELinux: hasSELinux, hasSeccomp: true, dataRoot: "/var/lib/docker")
  }

  // MARK: Engine

  private static func engine(
    _ engines: [EngineFacts], controllers: Observation<String> = .present("cpu memory pids\n"),
    isRoot: Bool = true
  ) -> [DoctorFinding] {
    EngineCheck(
      engines: engines, sockets: SetUp.sockets, file: "/etc/onionkeeper/host.yaml", isRoot: isRoot,
      controllers: controllers
    ).findings
  }

  private static func facts(
    _ host: EngineHost = EngineHost(storageDriver: "overlay2", dataRoot: "/var/lib/docker"),
    isRootless: Bool = false
  ) throws -> EngineFacts {
    EngineFacts(
      socket: "/run/docker.sock", description: .present(try description(isRootless: isRootless)),
      host: .present(host))
  }

  @Test func engines() throws {
    let good = try Self.facts()
    #expect(Self.engine([good]).allSatisfy { $0.weight == .ok })
    #expect(Self.engine([]).map(\.weight) == [.broken])
    #expect(Self.engine([good, good]).first?.mend[0].contains("engine: {socket:") == true)
    let silent = EngineFacts(
      socket: "/run/podman/podman.sock", description: .unknown("refused"), host: .absent)
    #expect(Self.engine([silent]).first?.mend == ["systemctl restart podman.socket"])
    #expect(Self.engine([silent], isRoot: false).map(\.weight) == [.unknown])
    #expect(
      Self.engine([try Self.facts(isRootless: true)]).contains {
        $0.weight == .broken && $0.message.contains("rootless")
      })
    let poor = try Self.facts(
      EngineHost(
        storageDriver: "vfs", dataRoot: "/v", missingLimits: ["memory"], warnings: ["be warned"]))
    let found = Self.engine([poor], controllers: .present("cpu pids"))
    #expect(
      found.filter { $0.weight.isWrong }.map(\.area).sorted { $0.rawValue < $1.rawValue } == [
        .cgroups, .cgroups, .storage,
      ])
    #expect(found.contains { $0.weight == .note && $0.message.contains("be warned") })
  }

  // MARK: Folders and disks

  private static let mountinfo = """
    21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
    22 21 0:5 / /var/lib\\040x rw shared:2 master:3 - tmpfs tmpfs rw
    23 21 8:2 / /srv ro - nfs4 server:/export rw
    24 21 8:3 / /srv rw - xfs /dev/sdb1 rw
    """

  @Test func mounts() {
    let table = MountTable(
      mounted: .present(MountTable.mountinfo(Self.mountinfo)),
      wanted: .present(
        MountTable.fstab(
          "# comment\n/dev/sda1 / ext4 defaults 0 1\nLABEL=k /srv/keys xfs noauto 0 2\nUUID=1 /data ext4\n"
        )))
    #expect(table.holder(of: "/srv/keys")?.type == "xfs")
    #expect(table.holder(of: "/var/lib x/keys")?.type == "tmpfs")
    #expect(table.holder(of: "/srvother")?.point == "/")
    #expect(table.missing(above: "/data/keys")?.source == "UUID=1")
    #expect(table.missing(above: "/database") == nil)
    #expect(table.missing(above: "/srv/keys") == nil)
  }

  @Test(arguments: [("/srv/keys", 0), ("/var/lib x/keys", 1), ("/data/keys", 1)])
  func whatKeysLieOn(path: String, wrong: Int) {
    let check = FolderCheck(
      layout: AgentLayout(prefix: "onionkeeper", keys: path, state: "/nowhere/state"),
      file: "host.yaml",
      mounts: MountTable(
        mounted: .present(MountTable.mountinfo(Self.mountinfo)),
        wanted: .present(MountTable.fstab("UUID=1 /data ext4 defaults"))), isRoot: true)
    let markers = check.findings.filter { $0.message.contains("has no .onionkeeper/id") }
    #expect(markers.count == 2)
    #expect(check.findings.filter { $0.weight == .broken }.count - markers.count == wrong)
    #expect(markers.contains { $0.mend == ["mount /data"] } == path.hasPrefix("/data"))
  }

  @Test func rooms() {
    func weight(free: UInt64, of size: UInt64, files: UInt64 = 1000) -> Weight? {
      DiskCheck(places: [
        DiskCheck.Place(
          path: "/x",
          room: .present(
            DiskCheck.Room(
              free: free << 20, size: size << 20, freeFiles: files, files: 1000, system: 1)),
          least: DiskCheck.forState)
      ]).findings.first?.weight
    }
    #expect(weight(free: 500, of: 1000) == .ok)
    #expect(weight(free: 40, of: 1000) == .broken)
    #expect(weight(free: 400, of: 10_000) == .risk)
    #expect(weight(free: 500, of: 1000, files: 5) == .broken)
    let real = DiskCheck(places: [
      DiskCheck.place("/", least: 0), DiskCheck.place("/", least: 1),
      DiskCheck.place("/none", least: 1),
    ])
    #expect(real.findings.count == 1)
  }

  // MARK: Image

  @Test(arguments: [
    ("alpine:3.22", "3.22"), ("docker.io/library/alpine:3.22.1", "3.22"),
    ("host:5000/alpine:3.20@sha256:0", "3.20"), ("alpine:latest", nil), ("alpine", nil),
    ("debian:12", nil),
  ])
  func releases(reference: String, name: String?) {
    #expect(SupportTable.release(of: .reference(reference))?.release.name == name)
  }

  @Test func support() throws {
    let then = Timestamp(seconds: 1_795_651_200)  // 2026-11-26
    #expect(then.description.hasPrefix("2026-11-26"))
    func found(_ base: BaseImage, days: Double = 1) -> [DoctorFinding] {
      ImageCheck(
        recipe: ImageRecipe(prefix: "o", base: base), kind: .podman,
        built: .present(then.adding(seconds: -days * 86400)), now: then, file: "host.yaml",
        state: "/s", versions: [:]
      ).findings
    }
    #expect(found(.bootstrap("trixie")).map(\.weight) == [.ok, .ok])
    #expect(found(.bootstrap("bookworm")).map(\.weight) == [.ok, .note])
    #expect(found(.bootstrap("bullseye")).map(\.weight) == [.ok, .risk])
    #expect(found(.bootstrap("sid")).map(\.weight) == [.ok, .note])
    let old = found(.reference("host:5000/x/alpine:3.20"), days: 100)
    #expect(old.map(\.weight) == [.risk, .risk])
    #expect(
      old[0].mend.contains(
        "podman image rm \(ImageRecipe(prefix: "o", base: .reference("host:5000/x/alpine:3.20")).reference) host:5000/x/alpine:3.20"
      ))
    #expect(old[1].mend == ["image: {base: \"host:5000/x/alpine:3.23\"} in host.yaml"])
  }

  @Test func torVersions() throws {
    func weights(_ versions: [String]) throws -> [Weight] {
      let named = try versions.enumerated().map {
        (try #require(InstanceName("i\($0.offset)")), $0.element)
      }
      return ImageCheck(
        recipe: ImageRecipe(prefix: "o", base: .bootstrap("trixie")), kind: .docker,
        built: .absent, now: wallTime(), file: "f", state: "/s",
        versions: Dictionary(uniqueKeysWithValues: named)
      ).findings.filter { $0.area == .tor }.map(\.weight)
    }
    #expect(try weights(["0.4.9.11", "0.4.9.11"]) == [.ok])
    #expect(try weights(["0.4.7.16", "0.4.8.1-alpha"]) == [.risk, .ok])
    #expect(try weights(["0.10.0.1"]) == [.ok])
    #expect(try weights(["what"]) == [.unknown])
  }

  // MARK: Keys

  @Test func keysAndBackups() throws {
    let blog = try #require(ServiceName("blog"))
    let address = OnionAddress(publicKey: [UInt8](repeating: 1, count: 32))
    let other = OnionAddress(publicKey: [UInt8](repeating: 2, count: 32))
    let place = KeyPlace(instance: InstanceName(blog), service: blog)
    func found(
      _ seen: Observation<KeyDirectory>, pin: OnionAddress? = nil, recipients: [String] = ["age1x"],
      backups: Set<String> = [], isKept: Bool = true
    ) -> [DoctorFinding] {
      KeyCheck(
        services: [OnionService(name: blog, access: .open, ports: [])], keys: [place: seen],
        pins: .present(pin.map { [blog: $0] } ?? [:]), damagedPins: [:],
        backups: .present(backups), recipients: recipients, file: "host.yaml", isKept: isKept
      ).findings
    }
    let whole = Observation.present(KeyDirectory(secret: .whole(address)))
    let name = KeyBackup.fileName(of: blog, address, recipients: ["age1x"])
    #expect(found(whole, pin: address, backups: [name]).map(\.weight) == [.ok, .ok])
    #expect(found(whole, pin: address).map(\.weight) == [.ok, .risk])
    #expect(found(whole, pin: address, recipients: []).map(\.weight) == [.ok, .risk])
    #expect(found(whole, pin: other, backups: [name]).map(\.weight) == [.broken, .ok])
    #expect(found(.absent).map(\.weight) == [.note])
    #expect(found(.absent, pin: address).map(\.weight) == [.broken])
    #expect(found(.present(KeyDirectory(secret: .missing))).map(\.weight) == [.broken])
    #expect(found(.unknown("away")).map(\.weight) == [.unknown])
    let flawed = Observation.present(
      KeyDirectory(
        secret: .whole(address), flaws: [Deviation("mode", expected: "0700", observed: "0755")]))
    #expect(found(flawed, backups: [name]).first?.weight == .note)
    #expect(found(flawed, backups: [name], isKept: false).first?.mend == ["onionkeeper apply"])
  }

  // MARK: Targets

  @Test func aBackendOnLoopbackAloneIsNamed() async throws {
    let server = try StubServer { _ in }
    let blog = try #require(ServiceName("blog"))
    func check(_ target: Target, gateway: String = "127.0.0.9") -> TargetCheck {
      TargetCheck(
        uses: [TargetCheck.Use(target: target, services: [blog], networks: ["n"])],
        networks: [
          "n": .present(NetworkObservation(name: "n", gateway: gateway, isOurs: true))
        ], containers: ["here": .present(TargetContainer(address: "127.0.0.1", network: "w"))],
        local: ["127.0.0.1", "127.0.0.9"], owner: 7942, dialer: Dialer())
    }
    let loopback = await check(.gateway(port: server.port)).findings()
    #expect(loopback.map(\.weight) == [.broken])
    #expect(loopback[0].message.contains("127.0.0.1 alone"))
    let there = await check(.gateway(port: server.port), gateway: "127.0.0.1").findings()
    #expect(there.map(\.weight) == [.ok, .note])
    let elsewhere = await check(.gateway(port: server.port), gateway: "192.0.2.1").findings()
    #expect(elsewhere.map(\.weight) == [.unknown])
    #expect(
      await check(.address("127.0.0.1", port: server.port)).findings().map(\.weight) == [.ok])
    #expect(
      await check(.address("127.0.0.9", port: server.port)).findings().map(\.weight) == [.broken])
    #expect(
      await check(.container("here", port: server.port)).findings().map(\.weight) == [.ok])
    #expect(await check(.container("gone", port: 1)).findings().map(\.weight) == [.unknown])
    server.stop()
  }

  @Test func unixSockets() async throws {
    let folder = try TemporaryPath()
    defer { folder.remove() }
    let path = folder.appending("s")
    let server = try StubServer(.unix(path)) { _ in }
    let blog = try #require(ServiceName("blog"))
    func weights(_ path: String) async -> [DoctorFinding] {
      await TargetCheck(
        uses: [TargetCheck.Use(target: .unixSocket(path), services: [blog], networks: [])],
        networks: [:], containers: [:], local: [], owner: 7942, dialer: Dialer()
      ).findings()
    }
    let directory = String(path.dropLast(2))
    func open(_ directoryMode: Int, _ mode: Int) throws {
      try FileManager.default.setAttributes(
        [.posixPermissions: directoryMode], ofItemAtPath: directory)
      try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }
    try open(0o755, 0o777)
    #expect(await weights(path).map(\.weight) == [.ok])
    try open(0o755, 0o755)
    #expect(await weights(path).first?.mend.first?.hasPrefix("chmod o+w") == true)
    try open(0o750, 0o777)
    #expect(await weights(path).first?.mend.first?.hasPrefix("chmod o+x") == true)
    try open(0o755, 0o777)
    server.stop()
    #expect(await weights("\(directory)/none").map(\.weight) == [.broken])
    #expect(await weights("\(directory)/none/s").map(\.weight) == [.broken])
  }

  // MARK: The whole

  @Test func aHostWithoutAnything() async throws {
    let report = await Doctor(hostFile: "/nowhere/host.yaml").examine()
    #expect(!report.isWell)
    #expect(report.findings.first { $0.area == .hostFile }?.weight == .broken)
    #expect(report.findings.contains { $0.area == .clock })
  }

  @Test func aHostThatWasNotSetUpAndOneThatWas() async throws {
    let house = try House()
    let doctor = Doctor(hostFile: "\(house.path)/host.yaml")
    let before = await doctor.examine()
    #expect(before.findings.filter { $0.area == .folders && $0.weight == .broken }.count == 2)
    #expect(
      before.findings.contains {
        $0.area == .folders && $0.mend == ["onionkeeper setup --config \(house.path)/host.yaml"]
      })
    // Nothing was made.
    #expect(!FileManager.default.fileExists(atPath: "\(house.path)/keys"))

    try house.setUp()
    try await house.agent { _ in }
    // But for SQLite's own, which come and go with every reader.
    func paths() throws -> Set<String> {
      try Set(
        FileManager.default.subpathsOfDirectory(atPath: house.path).filter {
          !$0.hasSuffix("-shm") && !$0.hasSuffix("-wal")
        })
    }
    let tree = try paths()
    let after = await doctor.examine()
    #expect(after.findings.contains { $0.area == .folders && $0.weight == .ok })
    #expect(after.findings.contains { $0.area == .engine && $0.weight == .broken })
    #expect(try paths() == tree)
    let layout = try house.configuration().layout
    #expect(AgentPresence.look(layout) == .present(false))
    try await house.agent { _ in
      let layout = try house.configuration().layout
      #expect(AgentPresence.look(layout) == .present(true))
    }
  }

  @Test func whatACrashLeftAndAMarkerOfAnother() async throws {
    let house = try House()
    try house.setUp()
    let pins = "\(house.path)/keys/.onionkeeper/pins/.new-1"
    try Data().write(to: URL(fileURLWithPath: pins))
    let check = FolderCheck(
      layout: try house.configuration().layout, file: "f",
      mounts: MountTable(mounted: .absent, wanted: .absent), isRoot: true)
    // Somebody may be at work in the first minute.
    #expect(!check.findings.contains { $0.message.contains("unfinished") })
    try FileManager.default.removeItem(atPath: "\(house.path)/state")
    try RootMarker.setUp(
      "\(house.path)/state", id: try #require(AgentID(String(repeating: "f", count: 32))))
    #expect(check.findings.first?.message.contains("is another disk's") == true)
    #expect(check.agent == nil)
  }

  @Test func unitsAreReadAsSystemdWritesThem() {
    #expect(
      SystemdUnit.pairs("User=\nExecStart={ path=/usr/bin/tor ; argv[]=/usr/bin/tor }\nx\nA=b=c\n")
        == ["User": "", "ExecStart": "{ path=/usr/bin/tor ; argv[]=/usr/bin/tor }", "A": "b=c"])
    let failed = HostCheck.unit(
      .present(
        SystemdUnit(name: "o", properties: ["ActiveState": "failed", "Result": "exit-code"])),
      hasSystemd: true, isRunning: .absent)
    #expect(failed.map(\.weight) == [.broken])
    #expect(
      HostCheck.unit(.absent, hasSystemd: false, isRunning: .present(true)).map(\.weight) == [.ok])
    let disabled = SystemdUnit(
      name: "o", properties: ["ActiveState": "active", "UnitFileState": "disabled"])
    #expect(
      HostCheck.unit(.present(disabled), hasSystemd: true, isRunning: .present(true)).first?.mend
        == ["systemctl enable onionkeeper"])
  }

  @Test func aUserThatIsSomebodyElse() {
    #expect(HostCheck.users(0, file: "f").map(\.weight) == [.broken, .risk])
    #expect(HostCheck.users(TorLayout.user, file: "f").map(\.weight) == [.ok])
  }
}
