import OnionModel

/// What one field alone cannot show: doubles, and fields that need or exclude each other.
struct DefinitionChecker {
  let name: ServiceName
  let file: String
  let value: FieldValue
  private(set) var diagnostics: [Diagnostic] = []

  init(name: ServiceName, file: String, value: FieldValue) {
    self.name = name
    self.file = file
    self.value = value
  }

  mutating func check() {
    checkPorts()
    checkAccess()
    checkClients()
    checkKey()
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
    if let key, key.isRecord, key.fields.isEmpty {
      // `key: {}`; what is refused by name was reported and is not among the fields either.
      report(key, "says nothing that this version knows (generate|existing)")
    }
    guard key == nil || key?.text == "generate" else { return }
    guard let written = value["hosts"], let hosts = HostSelector(written) else { return }
    guard hosts.onlyHost != nil else {
      report(
        key ?? written,
        "generate, the default, makes one key on one host (exactly one literal host, or"
          + " key: existing)")
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
}
