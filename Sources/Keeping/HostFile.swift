import Definitions
import Descriptors
import GitSource
import Journaling
public import OnionModel
import Reporting

/// A host file that cannot be used: every reason, with its place.
public struct HostFileError: Error, Sendable, CustomStringConvertible {
  public var diagnostics: [Diagnostic]

  public var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}

/// Reads the host file and everything that it names.
public struct HostFile: Sendable {
  /// More is no host file.
  private static let limit = 256 << 10
  /// Lines for a test network: a few authorities and options.
  private static let networkLimit = 64 << 10
  /// Two webhook secrets are 190 bytes.
  private static let secretLimit = 4096
  /// A thousand signers are 100 KiB.
  private static let signersLimit = 1 << 20

  /// Whose host file it is.
  public enum Machine: Sendable {
    /// Owners, modes and every file that it names are looked at.
    case this
    /// Only the text counts, as in a repository's own CI: what it names lies on that machine's disk.
    case another
  }

  public let path: String
  let machine: Machine

  /// - Parameter path: absolute.
  public init(path: String, of machine: Machine = .this) {
    self.path = path
    self.machine = machine
  }

  /// - Throws: `HostFileError` with all that is wrong.
  public func read() throws(HostFileError) -> HostConfiguration {
    let bytes = try readGuarded(path, limit: Self.limit, what: "the host file")
    let reading = readDocument(bytes: bytes, file: path, fields: HostFields.all)
    var checker = HostChecker(
      file: self, digest: sha256(bytes), diagnostics: reading.diagnostics)
    guard let value = reading.value, value.isRecord,
      let configuration = checker.configuration(value),
      !checker.diagnostics.contains(where: { $0.severity == .error })
    else { throw HostFileError(diagnostics: checker.diagnostics) }
    return configuration
  }

  /// A file that decides: root's, and nobody else may write it. What another machine's host file names reads as empty.
  /// - Parameter isSecret: nobody else may read it either.
  func readGuarded(
    _ path: String, limit: Int, what: String, isSecret: Bool = false
  ) throws(HostFileError) -> [UInt8] {
    if machine == .another, path != self.path { return [] }
    do {
      let slash = path.lastIndex(of: "/") ?? path.startIndex
      let folder = try Descriptor.folder(
        at: slash == path.startIndex ? "/" : String(path[..<slash]))
      let name = FileName(String(path[slash...].drop { $0 == "/" }))
      let file = try folder.file(name, .reading, .crossingMounts)
      let status = try file.status()
      guard status.kind == .file else { throw refusal(path, "\(what) is not a regular file") }
      guard machine == .another || (status.owner == 0 && status.mode & 0o022 == 0) else {
        throw refusal(
          path, "\(what) must be root's and writable by nobody else: chown root:root, chmod go-w")
      }
      guard !isSecret || status.mode & 0o077 == 0 else {
        throw refusal(path, "\(what) can be read by others: chmod 600")
      }
      return try file.read(limit: limit)
    } catch let error as HostFileError {
      throw error
    } catch {
      throw refusal(path, "\(what) cannot be read: \((error as? FileError)?.reason ?? "\(error)")")
    }
  }

  /// The digest of who may sign: when it moves, what was refused is judged again.
  func signersDigest(_ path: String) throws(HostFileError) -> String {
    sha256(try readGuarded(path, limit: Self.signersLimit, what: "the signers file"))
  }

  /// A secret is read at each use; here only whether it could be.
  func checkSecret(_ path: String) throws(HostFileError) {
    _ = try readGuarded(
      path, limit: Self.secretLimit, what: "the webhook's secret file", isSecret: true)
  }

  private func refusal(_ path: String, _ message: String) -> HostFileError {
    HostFileError(diagnostics: [Diagnostic(file: path, message: message)])
  }

  /// Lines for each torrc.
  func networkLines(_ path: String) throws(HostFileError) -> String {
    let bytes = try readGuarded(path, limit: Self.networkLimit, what: "tor.network's file")
    guard let text = String(validating: bytes, as: UTF8.self),
      text.unicodeScalars.allSatisfy({ $0.value >= 0x20 || $0 == "\n" || $0 == "\t" || $0 == "\r" })
    else { throw refusal(path, "tor.network's file is not a text in UTF-8") }
    return text
  }
}

/// Turns a read document into a configuration, and finds what only a look at several fields or files tells.
private struct HostChecker {
  let file: HostFile
  let digest: String
  var diagnostics: [Diagnostic]
  private var signers = ""

  init(file: HostFile, digest: String, diagnostics: [Diagnostic]) {
    self.file = file
    self.digest = digest
    self.diagnostics = diagnostics
  }

  private mutating func fail(_ value: FieldValue?, _ path: String, _ message: String) {
    diagnostics.append(
      Diagnostic(
        file: file.path, line: value?.place.line, column: value?.place.column,
        path: value?.path ?? path, message: message))
  }

  mutating func configuration(_ value: FieldValue) -> HostConfiguration? {
    let directories = value["directories"]
    let layout = AgentLayout(
      prefix: value["agent"]?["name"]?.text ?? "onionkeeper",
      keys: directories?["keys"]?.text ?? "/var/lib/onionkeeper/keys",
      state: directories?["state"]?.text ?? "/var/lib/onionkeeper/state")
    if (layout.keys + "/").hasPrefix(layout.state + "/")
      || (layout.state + "/").hasPrefix(layout.keys + "/")
    {
      fail(directories, "directories", "keys and state must not lie in each other")
    }
    let network = readNetwork(value["tor"]?["network"])
    let allow = readAllowList(value["allow"]?["targets"], layout)
    var webhooks: [WebhookEndpoint] = []
    for webhook in value["webhooks"]?.list ?? [] {
      if let endpoint = readWebhook(webhook) { webhooks.append(endpoint) }
    }
    let source = readSource(value["repository"])
    var trust: TrustPolicy?
    if let source { trust = readTrust(value["repository"], source) }
    guard let host = value["host"]?.text.flatMap({ HostName($0) }), let source, let trust, let allow
    else { return nil }
    return HostConfiguration(
      file: file.path, fingerprint: sha256("\(digest)\n\(network.0)\n\(signers)"), host: host,
      labels: value["labels"]?.textMap ?? [:], repository: source,
      trust: trust, interval: Double(value["interval"]?.integer ?? 60),
      soak: Double(value["soak"]?.integer ?? 0), engine: readEngine(value["engine"]?["socket"]),
      layout: layout,
      base: value["image"]?["base"]?.text.flatMap { HostFields.baseImage($0) }
        ?? .reference("docker.io/library/alpine:3.22"),
      allow: allow, serviceLimit: value["allow"]?["services"]?.integer ?? 500, webhooks: webhooks,
      network: network.0, networkNote: network.1,
      redactsAddresses: value["redactAddresses"]?.boolean ?? false)
  }

  private mutating func readEngine(_ socket: FieldValue?) -> HostConfiguration.EngineSocket {
    guard let text = socket?.text, text != "auto" else { return .automatic }
    if HostFields.path.problem(text) != nil {
      fail(socket, "engine.socket", "\(text) is not a socket's path (auto, or /…)")
    }
    return .path(text)
  }

  private mutating func readNetwork(_ value: FieldValue?) -> (TorNetwork, String?) {
    switch value?.text {
    case nil, "public": return (.open, nil)
    case "off"?: return (.off, "off")
    case let path?:
      guard HostFields.path.problem(path) == nil else {
        fail(
          value, "tor.network", "\(path) is not a network (public, off, or a file's absolute path)")
        return (.off, path)
      }
      do throws(HostFileError) {
        return (.lines(try file.networkLines(path)), path)
      } catch {
        fail(value, "tor.network", error.diagnostics.first?.message ?? "cannot be read")
        return (.off, path)
      }
    }
  }

  private mutating func readAllowList(_ value: FieldValue?, _ layout: AgentLayout) -> AllowList? {
    guard let value else { return nil }
    do {
      return try AllowList(value.texts, ownPaths: [layout.keys, layout.state, "/run/onionkeeper"])
    } catch {
      // Reported with its place by the document's reader.
      return nil
    }
  }

  private mutating func readSource(_ value: FieldValue?) -> RepositorySource? {
    guard let value, let url = value["url"]?.text else { return nil }
    let given = value["credentials"]
    var credentials = RepositorySource.Credentials.none
    switch (given?["tokenFile"]?.text, given?["sshKey"]?.text, given?["knownHosts"]?.text) {
    case (let token?, nil, nil):
      credentials = .token(file: token, user: given?["user"]?.text ?? "git")
    case (nil, let key?, let hosts?): credentials = .sshKey(file: key, knownHosts: hosts)
    case (nil, nil, nil): break
    default:
      fail(
        given, "repository.credentials",
        "either tokenFile (and user), or sshKey and knownHosts together")
    }
    let source = RepositorySource(
      url: url, branch: value["branch"]?.text ?? "main", path: value["path"]?.text ?? ".",
      credentials: credentials, caFile: value["caFile"]?.text ?? given?["caFile"]?.text,
      allowPlainHTTP: value["allowPlainHTTP"]?.boolean ?? false)
    do throws(GitError) {
      try source.check(readsFiles: file.machine == .this)
    } catch {
      fail(value, "repository", error.message)
      // What trust says of it would only repeat this.
      return nil
    }
    return source
  }

  private mutating func readTrust(_ repository: FieldValue?, _ source: RepositorySource)
    -> TrustPolicy?
  {
    let value = repository?["trust"]
    let policy: TrustPolicy
    switch (value?["signers"]?.text, value?["transport"]?.boolean) {
    case (let signers?, nil): policy = .signers(file: signers)
    case (nil, true?): policy = .transport
    default:
      fail(
        value, "repository.trust",
        "says nothing that could be trusted (signers: FILE, or transport: true)")
      return nil
    }
    do throws(GitError) {
      try policy.check(for: source, readsFile: file.machine == .this)
    } catch {
      fail(value, "repository.trust", error.message)
      return policy
    }
    guard case .signers(let path) = policy else { return policy }
    do throws(HostFileError) {
      signers = try file.signersDigest(path)
    } catch {
      fail(value?["signers"], "signers", error.diagnostics.first?.message ?? "cannot be read")
    }
    return policy
  }

  private mutating func readWebhook(_ value: FieldValue) -> WebhookEndpoint? {
    guard let url = value["url"]?.text, let secretFile = value["secretFile"]?.text else {
      return nil
    }
    do throws(HostFileError) {
      try file.checkSecret(secretFile)
    } catch {
      fail(value["secretFile"], "secretFile", error.diagnostics.first?.message ?? "cannot be read")
    }
    var patterns: [EventPattern] = []
    for event in value["events"]?.list ?? [] {
      guard let text = event.text else { continue }
      if let pattern = EventPattern(text) {
        patterns.append(pattern)
      } else {
        fail(event, "events", "\(text) matches no kind of event (*, drift.*, key.lost, …)")
      }
    }
    do throws(ReportingError) {
      let via = try value["via"]?.text.map { text throws(ReportingError) in try WebhookProxy(text) }
      return WebhookEndpoint(
        name: value["name"]?.text, address: try WebhookAddress(url, isProxied: via != nil),
        secretFile: secretFile, events: patterns.isEmpty ? [.all] : patterns, via: via,
        caFile: value["caFile"]?.text)
    } catch {
      fail(value["url"], "url", error.message)
      return nil
    }
  }
}
