import Definitions
import KeyStore
import OnionModel
import TorRuntime

/// One service of a torrc on its way to a definition: what it becomes, and what is to be said and decided.
struct AdoptionDraft {
  let torrc: TorrcService
  let name: ServiceName
  let directory: NativeDirectory?
  private(set) var findings: [TorrcFinding]
  private(set) var ports: [OnionPort] = []
  private(set) var notes: [Int: [String]] = [:]
  /// `nil`: who may reach it is not decided.
  private(set) var access: Access?
  private(set) var tor: TorOptions
  /// Its key is not to be imported twice: another place holds it.
  var isDefined = false

  /// - directory: a look at it, or why there was none.
  init(
    _ torrc: TorrcService, name: ServiceName, directory: Result<NativeDirectory, KeepingError>,
    decisions: Adoption.Decisions, in instance: TorrcInstance
  ) {
    self.torrc = torrc
    self.name = name
    findings = torrc.findings
    tor = torrc.tor
    tor.isSingleHop = instance.isSingleHop
    switch directory {
    case .success(let found): self.directory = found
    case .failure(let error):
      self.directory = nil
      fail(torrc.place, Self.title(torrc), error.message)
    }
    for port in torrc.ports { take(port, decisions) }
    takeKey()
    takeBalance()
    takeAccess(decisions, stray: instance.strayAuthorization)
  }

  var address: OnionAddress? { directory?.address }

  var isLeft: Bool { findings.contains { $0.severity == .error } }

  static func title(_ torrc: TorrcService) -> String { "HiddenServiceDir \(torrc.directory)" }

  mutating func say(
    _ severity: TorrcFinding.Severity, _ place: TorrcPlace, _ subject: String, _ message: String,
    others: [TorrcPlace] = []
  ) {
    findings.append(TorrcFinding(severity, place, subject, message, others: others))
  }

  mutating func fail(_ finding: TorrcFinding) { findings.append(finding) }

  mutating func fail(
    _ place: TorrcPlace, _ subject: String, _ message: String, others: [TorrcPlace] = []
  ) {
    say(.error, place, subject, message, others: others)
  }

  /// The service, as far as it is decided; `nil` where something of it is not.
  var service: OnionService? {
    guard let access, !ports.isEmpty, ports.count == torrc.ports.count else { return nil }
    return OnionService(
      name: name, address: address, key: .existing, access: access, ports: ports, tor: tor)
  }

  func text(host: String) -> String? {
    service.map { service in
      DefinitionText(
        service, hosts: [host],
        heading: ["Moved in from \(torrc.place) (\(torrc.directory))."], portNotes: notes
      ).text
    }
  }

  // MARK: - Ports

  private mutating func take(_ port: TorrcService.Port, _ decisions: Adoption.Decisions) {
    let subject = "HiddenServicePort \(port.written)"
    let written = port.target.description
    var target: Target?
    if let decided = decisions.targets[written] {
      target = decided
      note("was \(written) (\(port.place))")
    } else {
      switch port.target {
      case .address: target = parsed(written, port, subject)
      case .loopback(_, let number):
        target = .gateway(port: number)
        note("was \(written) (\(port.place)), which is the container itself in a container:")
        note("the backend must listen on the gateway of our network, too, not on loopback alone")
        say(
          .warning, port.place, subject,
          "\(written) would be the container itself: written as host:\(number), so the backend must also listen on the"
            + " gateway of Onionkeeper's network; or decide otherwise, say --target"
            + " \(written)=unix:/run/onion-targets/\(name)/app.sock or --target \(written)=container:NAME:\(number)"
        )
      case .name(let host, let number):
        fail(
          port.place, subject,
          "\(host) is a name, which is looked up where anybody can answer, and stops tor when nobody does: write its"
            + " address instead, or --target \(written)=container:\(host):\(number) if it is a container of this"
            + " host's engine")
      case .unixSocket(let path): target = socket(path, port, subject)
      }
    }
    if let target { ports.append(OnionPort(virtual: port.virtual, target: target)) }
  }

  private mutating func note(_ text: String) { notes[ports.count, default: []].append(text) }

  private mutating func parsed(
    _ text: String, _ port: TorrcService.Port, _ subject: String
  ) -> Target? {
    do throws(TextProblem) {
      return try TargetText.parse(text)
    } catch {
      let why =
        switch error {
        case .notOne: "\(text) is no target of a definition"
        case .because(let reason): reason
        }
      fail(port.place, subject, "\(why); decide with --target \(port.target)=TARGET")
      return nil
    }
  }

  private mutating func socket(
    _ path: String, _ port: TorrcService.Port, _ subject: String
  ) -> Target? {
    // `/var/run` is a link to `/run` (FHS 3.0), and links are not followed.
    let real = path.hasPrefix("/var/run/") ? String(path.dropFirst(4)) : path
    guard let target = parsed("unix:\(real)", port, subject) else { return nil }
    if real != path { note("was unix:\(path) (\(port.place))") }
    say(
      .note, port.place, subject,
      "the socket's directory is mounted into the container, where tor is user \(TorLayout.user): that user must be able"
        + " to connect")
    return target
  }

  // MARK: - Key

  private mutating func takeKey() {
    guard let directory else { return }
    let title = Self.title(torrc)
    switch directory.key {
    case .whole:
      for warning in directory.warnings { say(.warning, torrc.place, title, warning) }
    case .version2:
      fail(
        torrc.place, title,
        "holds the private_key of a version 2 service, which no tor serves any more and no version 3 address can be made"
          + " of: define a new service with `key: generate` and tell its visitors the new address")
    case .missing:
      fail(
        torrc.place, title,
        "holds no \(KeyFiles.secretKey): tor never ran with it, or the key is elsewhere; put it there, or define a new"
          + " service with `key: generate`")
    case .unusable(let why): fail(torrc.place, title, why)
    }
  }

  private mutating func takeBalance() {
    guard let place = torrc.onionBalance, let directory else { return }
    let subject = "HiddenServiceOnionBalanceInstance 1"
    guard let masters = directory.masters, let first = masters.first else {
      fail(
        place, subject,
        "\(torrc.directory)/ob_config names no MasterOnionAddress that is right: tor does not start without; mend it"
      )
      return
    }
    guard masters.count == 1 else {
      fail(
        place, subject,
        "\(torrc.directory)/ob_config names \(masters.count) masters, and a definition has one: split the service, or"
          + " keep one")
      return
    }
    tor.onionBalanceMaster = first
  }

  // MARK: - Access

  /// Never more open than somebody once wanted it, unless that was decided by name.
  private mutating func takeAccess(_ decisions: Adoption.Decisions, stray: [TorrcPlace]) {
    let isOpened = decisions.open.contains(name)
    guard let directory else {
      // It is left behind anyway; what it would be is shown where nothing speaks of clients.
      if isOpened || torrc.authorizedBy.isEmpty && stray.isEmpty { access = .open }
      return
    }
    let place = "\(torrc.directory)/\(KeyFiles.clients)"
    let choice =
      "give each client a file NAME.auth with `descriptor:x25519:<public key>` in \(place), or let everybody in with"
      + " --public \(name)"
    let clients: NativeDirectory.Clients
    switch directory.clients {
    case .present(let found): clients = found
    case .absent: clients = NativeDirectory.Clients()
    case .unknown(let reason):
      fail(
        torrc.place, Self.title(torrc),
        "who may reach it is not known: \(reason); make it readable, and try again")
      return
    }
    for (file, why) in clients.ignored {
      say(
        .warning, torrc.place, "\(place)/\(file)", "is not carried: \(why)")
    }
    if let line = torrc.authorizedBy.first {
      say(
        .warning, line, "HiddenServiceAuthorizeClient",
        "is not carried: it is version 2's, and tor skips it for this service, which is open to everybody unless"
          + " \(KeyFiles.clients) holds keys", others: Array(torrc.authorizedBy.dropFirst()))
    }
    if !clients.keys.isEmpty {
      access = .clients(named(clients.keys))
      if isOpened {
        say(
          .warning, torrc.place, Self.title(torrc),
          "--public is not heeded: \(clients.keys.count) clients are authorized, and stay the only ones"
        )
      }
    } else if isOpened {
      access = .open
    } else if !clients.isEmpty {
      fail(
        torrc.place, Self.title(torrc),
        "\(place) holds no file that tor takes, so tor OPENS THE SERVICE TO EVERYBODY though clients were meant: \(choice)"
      )
    } else if let line = torrc.authorizedBy.first {
      fail(
        line, "HiddenServiceAuthorizeClient",
        "it was meant for clients, has none, and would be public: \(choice)")
    } else if let line = stray.first {
      fail(
        line, "HiddenServiceAuthorizeClient",
        "stands in no service, so it may have been meant for \(name), which would be public: \(choice)",
        others: [torrc.place])
    } else if directory.hasFormerClients {
      fail(
        torrc.place, Self.title(torrc),
        "\(torrc.directory)/client_keys is there: version 2 of it asked its clients for keys, and it would be public:"
          + " \(choice)")
    } else {
      access = .open
    }
  }

  /// Valid and unique names; of two files with one key the first.
  private mutating func named(_ found: [(name: String, key: String)]) -> [AuthorizedClient] {
    var clients: [AuthorizedClient] = []
    for (file, key) in found {
      let path = "\(torrc.directory)/\(KeyFiles.clients)/\(file).auth"
      if let first = clients.first(where: { $0.key == key }) {
        say(
          .warning, torrc.place, path, "holds the same key as client \(first.name): carried once")
        continue
      }
      let taken = Set(clients.map(\.name))
      let name = validName(file, otherwise: "client") {
        !taken.contains($0) && $0 + ".auth" != KeyFiles.decoy
      }
      if name != file { say(.note, torrc.place, path, "is client \(name) in the definition") }
      clients.append(AuthorizedClient(name: name, key: key))
    }
    return clients.sorted { $0.name < $1.name }
  }
}

/// A name of a definition that resembles a text: lower case, `[a-z0-9-]`, at most 48, and free.
func validName(_ text: String, otherwise: String, isFree: (String) -> Bool) -> String {
  var name = ""
  for byte in text.lowercased().utf8 {
    let isLetter = (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte)
    if isLetter {
      name.unicodeScalars.append(Unicode.Scalar(byte))
    } else if !name.isEmpty, !name.hasSuffix("-") {
      name += "-"
    }
  }
  while name.hasSuffix("-") { name.removeLast() }
  // Room for what makes it unique.
  name = String(name.prefix(44))
  while name.hasSuffix("-") { name.removeLast() }
  if name.isEmpty { name = otherwise }
  guard !isFree(name) else { return name }
  var number = 2
  while !isFree("\(name)-\(number)") { number += 1 }
  return "\(name)-\(number)"
}
