import Journaling
import KeyStore
public import OnionModel

/// `keys export` and `keys seal`: hands keys out, sealed to age recipients or as plain tor directories in a tar archive.
public struct KeyExporter: Sendable {
  public enum Form: Hashable, Sendable {
    /// To these recipients; none: those of the host file.
    case sealed(recipients: [String])
    case plain
  }

  /// What was handed out.
  public struct Report: Sendable {
    public var keys: [KeyPlace: OnionAddress] = [:]
    /// Services whose key could not be: a line each.
    public var missing: [String] = []
  }

  private let configuration: HostConfiguration
  private let uid: Int

  /// - Parameter uid: who asks for it.
  public init(_ configuration: HostConfiguration, uid: Int) {
    self.configuration = configuration
    self.uid = uid
  }

  /// One service's key: sealed, the 96 bytes of its file; plain, an archive of its directory.
  /// - Parameter file: a new file, made 0600; `nil`: standard output, unless that is a terminal and the key plain.
  public func one(_ service: ServiceName, _ form: Form, to file: String?) async throws -> Report {
    let work = try await KeyWork(configuration, uid: uid)
    let (place, address) = try await work.place(of: service)
    let output = try output(file)
    switch form {
    case .sealed(let named):
      try output.write(
        try await work.keys.seal(place, address, recipients: try work.recipients(named)))
    case .plain:
      try await work.keys.bundle([place: address]).writeArchive(to: output)
    }
    try await tell(work, form, [place: address])
    return Report(keys: [place: address])
  }

  /// Every service's key in one archive, `INSTANCE/NAME/…`, sealed or plain: what `keys import --all` takes.
  public func all(_ form: Form, to file: String?) async throws -> Report {
    let work = try await KeyWork(configuration, uid: uid)
    let (directories, pins) = try await work.look()
    var report = Report()
    for (place, directory) in directories {
      guard let address = directory.address else {
        report.missing.append("\(place): its secret key is missing or damaged")
        continue
      }
      if let pin = pins[place.service], pin != address {
        report.missing.append(
          "\(place): makes \(address), but \(place.service) is pinned to \(pin)")
        continue
      }
      report.keys[place] = address
    }
    for (service, address) in pins
    where !directories.keys.contains(where: { $0.service == service }) {
      report.missing.append("\(service): no key directory of \(address) is here")
    }
    report.missing.sort()
    guard !report.keys.isEmpty else { throw KeepingError("no key is here to be exported") }
    let output = try output(file)
    let bundle = try await work.keys.bundle(report.keys)
    switch form {
    case .sealed(let named):
      try output.write(try await bundle.sealedArchive(recipients: try work.recipients(named)))
    case .plain: try bundle.writeArchive(to: output)
    }
    try await tell(work, form, report.keys)
    return report
  }

  private func output(_ file: String?) throws(KeepingError) -> KeyOutput {
    guard let file else { return .standardOutput }
    return .newFile(try absolute(file))
  }

  private func tell(
    _ work: KeyWork, _ form: Form, _ keys: [KeyPlace: OnionAddress]
  ) async throws {
    let how =
      switch form {
      case .sealed(let named): "sealed to \(try work.recipients(named).joined(separator: ", "))"
      case .plain: "in plain"
      }
    for (place, address) in keys.sorted(by: { $0.key < $1.key }) {
      try await work.record(
        .actionSucceeded, "exportKey", place, address,
        "exported the key of \(place.service), \(how)")
    }
    try await work.journal.close()
  }
}
