import OnionModel

/// What one field alone cannot show: doubles, and fields that need or exclude each other.
struct DefinitionChecker {
  let name: ServiceName
  let file: String
  let value: FieldValue
  let defaults: Defaults
  private(set) var diagnostics: [Diagnostic] = []

  init(name: ServiceName, file: String, value: FieldValue, defaults: Defaults) {
    self.name = name
    self.file = file
    self.value = value
    self.defaults = defaults
  }

  mutating func check() {
    checkPorts()
    checkAccess()
    checkClients()
    checkKey()
    checkBucket(.introDoS, defaults.tor?.introDoS)
    checkBucket(.proofOfWork, defaults.tor?.proofOfWork)
    checkOnionBalance()
    if let formerly = value["formerly"], formerly.text == name.text {
      report(formerly, "\(name) is this service's own name (the name that it bore before)")
    }
  }

  private mutating func report(
    _ value: FieldValue, _ message: String, severity: Diagnostic.Severity = .error
  ) {
    diagnostics.append(
      Diagnostic(
        severity: severity, file: file, line: value.place.line, column: value.place.column,
        path: value.path, message: message))
  }

  private mutating func checkPorts() {
    var taken: [Int: FieldValue] = [:]
    for port in value["ports"]?.list ?? [] {
      guard let virtual = port["virtual"], let number = virtual.integer else { continue }
      if let first = taken[number] {
        report(virtual, "\(number) is taken by \(first.path) at \(first.place) (each port once)")
      } else {
        taken[number] = virtual
      }
    }
  }

  private mutating func checkAccess() {
    let clients = value["clients"]
    guard let access = value["access"] else {
      if let clients {
        diagnostics.append(
          Diagnostic(
            file: file, line: clients.place.line, column: clients.place.column, path: "access",
            message: "is missing where clients are listed (public|clients)"))
      }
      return
    }
    if access.text == "clients", clients == nil {
      report(access, "clients are asked for and none is listed (clients: [{name, key}])")
    }
    if access.text == "public", let clients, !clients.list.isEmpty {
      report(
        clients, "are listed and not used: access is public", severity: .warning)
    }
  }

  private mutating func checkClients() {
    var names: [String: FieldValue] = [:]
    var keys: [String: FieldValue] = [:]
    for client in value["clients"]?.list ?? [] {
      if let name = client["name"], let text = name.text {
        if let first = names[text] {
          report(name, "\(text) is taken by \(first.path) at \(first.place) (each name once)")
        } else {
          names[text] = name
        }
      }
      if let key = client["key"], let text = key.text.flatMap(ClientKey.read) {
        if let first = keys[text] {
          report(key, "is the same key as \(first.path) at \(first.place) (each key once)")
        } else {
          keys[text] = key
        }
      }
    }
  }

  private mutating func checkKey() {
    let key = value["key"]
    if let key, key.isRecord {
      checkKeyRecord(key)
      return
    }
    guard key == nil || key?.text == "generate" else { return }
    guard let written = value["hosts"], let hosts = HostSelector(written) else { return }
    guard hosts.onlyHost != nil else {
      report(
        key ?? written,
        "generate, the default, makes one key on one host (exactly one literal host, key: existing,"
          + " or {generate: perHost})")
      return
    }
    if value["address"] == nil {
      diagnostics.append(
        Diagnostic(
          severity: .warning, file: file, line: (key ?? value).place.line,
          column: (key ?? value).place.column, path: "address",
          message: "is missing beside a generated key (`status --pins` prints the line to commit)"))
    }
  }

  private mutating func checkKeyRecord(_ key: FieldValue) {
    switch (key["generate"], key["sealed"]) {
    case (nil, nil):
      report(key, "says nothing that is known (generate: perHost, or sealed: secrets/NAME.age)")
    case (.some, .some): report(key, "generate and sealed at once (one of them)")
    case (.some, nil):
      if let address = value["address"] {
        report(
          address, "cannot stand beside generate: perHost: each host has an address of its own")
      }
    case (nil, let sealed?):
      guard let hosts = HostSelector(value["hosts"]), hosts.onlyHost == nil else { return }
      report(sealed, "a sealed key is opened on one host (exactly one literal host)")
    }
  }

  /// tor refuses a burst below the rate also where one of them is 0 (hs_config.c: `config_validate_service`).
  private mutating func checkBucket(_ bucket: TorBucket, _ standing: TorSettings.Rate?) {
    let written = value["tor"]?[bucket.field]
    let (rate, burst) = (written?[bucket.rate], written?[bucket.burst])
    // One that is invalid was reported.
    guard rate == nil || rate?.integer != nil, burst == nil || burst?.integer != nil else { return }
    guard written?.isRecord == true || standing != nil else { return }
    let own = TorSettings.Rate(rate: rate?.integer, burst: burst?.integer)
    let limit = TorSettings.Rate(
      rate: own.rate ?? standing?.rate, burst: own.burst ?? standing?.burst
    ).limit(bucket.standard)
    guard limit.burst < limit.rate else { return }
    func origin(_ own: Int?, _ standing: Int?) -> String {
      if own != nil { return "" }
      return standing == nil ? " (tor's own)" : " (of defaults in onionkeeper.yaml)"
    }
    let place = (burst ?? rate ?? written ?? value).place
    diagnostics.append(
      Diagnostic(
        file: file, line: place.line, column: place.column,
        path: "tor.\(bucket.field).\(bucket.burst)",
        message: "\(limit.burst)\(origin(own.burst, standing?.burst)) is below"
          + " \(bucket.rate) \(limit.rate)\(origin(own.rate, standing?.rate))"
          + " (at least the rate)"))
  }

  private mutating func checkOnionBalance() {
    let master = value["tor"]?["onionBalance"]?["master"]
    guard let address = value["address"]?.text.flatMap({ OnionAddress($0) }) else { return }
    if let master {
      guard master.text.flatMap({ OnionAddress($0) }) == address else { return }
      report(master, "is this service's own address (that of the front end)")
    } else if defaults.tor?.onionBalanceMaster == address, let written = value["address"] {
      report(
        written,
        "is also tor.onionBalance.master of defaults in onionkeeper.yaml: no service is its own"
          + " front end")
    }
  }
}
