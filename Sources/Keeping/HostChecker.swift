import Definitions
import GitSource
import Journaling
import Listening
import OnionModel
import Reporting

/// Turns a read host file into a configuration, and finds what only a look at several fields or at files tells.
struct HostChecker {
  /// Lines for a test network: a few authorities and options.
  private static let networkLimit = 64 << 10
  /// Two webhook secrets are 190 bytes, an identity with its comments 200, an RSA key 3 KiB.
  private static let secretLimit = 64 << 10
  /// A thousand signers are 100 KiB, a bundle of authorities 220 KiB.
  private static let publicLimit = 1 << 20

  let file: String
  let machine: HostFile.Machine
  /// Of the host file's bytes.
  let digest: String
  private(set) var diagnostics: [Diagnostic] = []

  init(file: String, machine: HostFile.Machine, digest: String) {
    self.file = file
    self.machine = machine
    self.digest = digest
  }

  /// `nil` where something is wrong that leaves no configuration.
  mutating func configuration(_ value: FieldValue) -> HostConfiguration? {
    let layout = readLayout(value)
    let network = readNetwork(value["tor"]?["network"])
    let allow = readAllowList(value, layout)
    let webhooks = readWebhooks(value["webhooks"])
    let identity = readIdentity(value["ageIdentity"])
    let forge = readForge(value)
    let push = readPush(value["push"])
    let source = readSource(value["repository"])
    let signers = readSigners(value["repository"]?["trust"]?["signers"])
    let trust = readTrust(value["repository"], source, hasReadSigners: signers != nil)
    guard let host = value["host"]?.text.flatMap({ HostName($0) }), let source, let trust, let allow
    else { return nil }
    var configuration = HostConfiguration(
      file: file, fingerprint: sha256("\(digest)\n\(network.0)\n\(signers ?? "")"), host: host,
      labels: value["labels"]?.textMap ?? [:], repository: source,
      trust: trust, interval: Double(value["interval"]?.integer ?? 60),
      soak: Double(value["soak"]?.integer ?? 0), engine: engine(value["engine"]?["socket"]),
      layout: layout,
      base: value["image"]?["base"]?.text.flatMap { HostTexts.baseImage($0) }
        ?? .reference("docker.io/library/alpine:3.22"),
      allow: allow, serviceLimit: value["allow"]?["services"]?.integer ?? 500, webhooks: webhooks,
      network: network.0, networkNote: network.1,
      redactsAddresses: value["redactAddresses"]?.boolean ?? false)
    readLimits(of: value["repository"]?["trust"], into: &configuration)
    configuration.ageIdentity = identity
    configuration.forge = forge
    configuration.push = push
    configuration.backupRecipients = value["backup"]?["recipients"]?.texts ?? []
    configuration.allowsSingleHop = value["allow"]?["singleHop"]?.boolean ?? false
    return configuration
  }

  private func readLimits(of trust: FieldValue?, into configuration: inout HostConfiguration) {
    guard let trust else { return }
    if let since = trust["since"]?.text { configuration.floor = CommitID(since) }
    if let seconds = trust["freshness"]?.integer { configuration.freshness = Double(seconds) }
  }

  private mutating func fail(_ value: FieldValue?, _ path: String, _ message: String) {
    diagnostics.append(
      Diagnostic(
        file: file, line: value?.place.line, column: value?.place.column,
        path: value?.path ?? path, message: message))
  }

  /// Reads a file that the host file names, and reports what is wrong with it where it is named. Another machine's is
  /// not there and not missed.
  private mutating func guarded(
    _ value: FieldValue?, _ what: String, _ demand: GuardedFile.Demand = .owned, limit: Int
  ) -> [UInt8]? {
    guard machine == .this, let value, let path = value.text else { return nil }
    do throws(GuardRefusal) {
      return try GuardedFile(path: path, what: "\(what) \(path)", demand: demand)
        .read(limit: limit)
    } catch {
      fail(value, value.path, error.message)
      return nil
    }
  }

  private mutating func secret(_ value: FieldValue?, _ what: String) -> [UInt8]? {
    guarded(value, what, .secret, limit: Self.secretLimit)
  }

  private mutating func readLayout(_ value: FieldValue) -> AgentLayout {
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
    return layout
  }

  private func engine(_ socket: FieldValue?) -> HostConfiguration.EngineSocket {
    guard let text = socket?.text, text != "auto" else { return .automatic }
    return .path(text)
  }

  private mutating func readNetwork(_ value: FieldValue?) -> (TorNetwork, String?) {
    switch value?.text {
    case nil, "public": return (.open, nil)
    case "off"?: return (.off, "off")
    case let path?:
      guard let bytes = guarded(value, "tor.network's file", limit: Self.networkLimit) else {
        return (.off, path)
      }
      guard let text = String(validating: bytes, as: UTF8.self),
        text.unicodeScalars.allSatisfy({
          $0.value >= 0x20 || $0 == "\n" || $0 == "\t" || $0 == "\r"
        })
      else {
        fail(value, "tor.network", "\(path) is not a text in UTF-8")
        return (.off, path)
      }
      return (.lines(text), path)
    }
  }

  /// Places of our own are never a target, whatever `targets` says: the engine's socket and our secrets are among them.
  private func readAllowList(_ value: FieldValue, _ layout: AgentLayout) -> AllowList? {
    guard let targets = value["allow"]?["targets"] else { return nil }
    let credentials = value["repository"]?["credentials"]
    let own: [FieldValue?] =
      [
        value["engine"]?["socket"], value["ageIdentity"], credentials?["sshKey"],
        credentials?["tokenFile"], credentials?["passphraseFile"], value["forge"]?["tokenFile"],
        value["push"]?["secretFile"],
      ] + (value["webhooks"]?.list ?? []).map { $0["secretFile"] }
    do throws(TextProblem) {
      return try AllowList(
        targets.texts,
        ownPaths: [layout.keys, layout.state, "/run/onionkeeper"] + own.compactMap { $0?.text })
    } catch {
      // Reported with its place by the document's reader.
      return nil
    }
  }

  /// Opened at each use; here only whether it could be, by an agent that nobody tells a passphrase.
  private mutating func readIdentity(_ value: FieldValue?) -> String? {
    guard let value, let path = value.text else { return nil }
    guard let bytes = secret(value, "the age identity") else { return path }
    let lines = bytes.split(separator: UInt8(ascii: "\n"))
    func has(_ beginning: String) -> Bool { lines.contains { $0.starts(with: beginning.utf8) } }
    if has("age-encryption.org/v1") || has("-----BEGIN AGE ENCRYPTED FILE-----") {
      fail(value, "ageIdentity", "\(path) is protected by a passphrase, which nobody enters here")
    } else if !has("AGE-SECRET-KEY-1"), !has("-----BEGIN OPENSSH PRIVATE KEY-----"),
      !has("-----BEGIN RSA PRIVATE KEY-----")
    {
      fail(value, "ageIdentity", "\(path) holds no identity (age-keygen makes one)")
    }
    return path
  }

  private mutating func readSource(_ value: FieldValue?) -> RepositorySource? {
    guard let value, let url = value["url"]?.text else { return nil }
    let given = value["credentials"]
    let before = diagnostics.count
    _ = secret(given?["tokenFile"], "the token")
    _ = secret(given?["sshKey"], "the ssh key")
    _ = secret(given?["passphraseFile"], "the passphrase")
    _ = guarded(given?["knownHosts"], "the known hosts", limit: Self.publicLimit)
    _ = guarded(given?["caFile"], "the authorities", limit: Self.publicLimit)
    _ = guarded(value["caFile"], "the authorities", limit: Self.publicLimit)
    var credentials = RepositorySource.Credentials.none
    switch (given?["tokenFile"]?.text, given?["sshKey"]?.text, given?["knownHosts"]?.text) {
    case (let token?, nil, nil):
      credentials = .token(file: token, user: given?["user"]?.text ?? "git")
    case (nil, let key?, let hosts?):
      credentials = .sshKey(
        file: key, knownHosts: hosts, passphraseFile: given?["passphraseFile"]?.text)
    case (nil, nil, nil): break
    default:
      fail(
        given, "repository.credentials",
        "either tokenFile (and user), or sshKey and knownHosts together")
    }
    if credentials.passphraseFile == nil, let passphrase = given?["passphraseFile"] {
      fail(passphrase, "repository.credentials.passphraseFile", "there is no sshKey to go with it")
    }
    let source = RepositorySource(
      url: url, branch: value["branch"]?.text ?? "main", path: value["path"]?.text ?? ".",
      credentials: credentials, caFile: value["caFile"]?.text ?? given?["caFile"]?.text,
      allowPlainHTTP: value["allowPlainHTTP"]?.boolean ?? false,
      via: value["via"]?.text.flatMap(SOCKSProxy.init))
    do throws(GitError) {
      // What a file's own refusal says need not be said twice.
      try source.check(readsFiles: machine == .this && diagnostics.count == before)
    } catch {
      fail(value, "repository", error.message)
      // What trust says of it would only repeat this.
      return nil
    }
    return source
  }

  /// The digest of who may sign: when it moves, what was refused is judged again.
  private mutating func readSigners(_ value: FieldValue?) -> String? {
    guarded(value, "the signers file", limit: Self.publicLimit).map { sha256($0) }
  }

  private mutating func readTrust(
    _ repository: FieldValue?, _ source: RepositorySource?, hasReadSigners: Bool
  ) -> TrustPolicy? {
    guard let repository, let value = repository["trust"], value.isRecord else { return nil }
    let introduction = value["introduction"]
    let chain = value["chain"]?.boolean ?? false
    let policy: TrustPolicy
    switch (value["signers"]?.text, introduction, value["transport"]?.boolean ?? false) {
    case (let signers?, nil, false): policy = .signers(file: signers, chain: chain)
    case (nil, nil, true): policy = .transport
    case (nil, let introduction?, false):
      guard let commit = introduction["commit"]?.text, let signer = introduction["signer"]?.text
      else { return nil }
      policy = .introduction(Introduction(commit: commit, signer: signer))
    case (nil, nil, false):
      // A field that was refused is no silence.
      if !value.fields.values.contains(where: {
        if case .invalid = $0.content { true } else { false }
      }) {
        fail(
          value, "repository.trust",
          "says nothing that could be trusted (signers: FILE, introduction: {commit, signer}, or transport: true)"
        )
      }
      return nil
    default:
      fail(
        value, "repository.trust",
        "signers, introduction and transport: true contradict each other (one of them)")
      return nil
    }
    if chain, value["signers"] == nil {
      fail(
        value["chain"], "repository.trust.chain",
        introduction == nil
          ? "asks for signatures, and there are no signers (signers: FILE)"
          : "goes with signers; with an introduction every commit is judged anyway")
    }
    guard let source else { return policy }
    do throws(GitError) {
      try policy.check(for: source, readsFile: hasReadSigners)
    } catch {
      fail(value, "repository.trust", error.message)
    }
    return policy
  }

  private mutating func readForge(_ host: FieldValue) -> ForgeEndpoint? {
    guard let value = host["forge"], value.isRecord else { return nil }
    _ = secret(value["tokenFile"], "the forge's token")
    _ = guarded(value["caFile"], "the authorities", limit: Self.publicLimit)
    guard let kind = value["kind"]?.text.flatMap(ForgeEndpoint.Kind.init(rawValue:)),
      let url = value["url"]?.text, let tokenFile = value["tokenFile"]?.text
    else { return nil }
    let told =
      value["repository"]?.text
      ?? host["repository"]?["url"]?.text.flatMap(ForgeEndpoint.repository(ofRemote:))
    guard let repository = told else {
      fail(
        value, "forge",
        "repository.url does not tell the forge's OWNER/REPO: add repository: OWNER/REPO here")
      return nil
    }
    do throws(ReportingError) {
      return try ForgeEndpoint(
        kind: kind, address: try WebhookAddress(url), repository: repository,
        tokenFile: tokenFile, caFile: value["caFile"]?.text)
    } catch {
      fail(value["url"], "forge.url", error.message)
      return nil
    }
  }

  private mutating func readPush(_ value: FieldValue?) -> PushDoor.Configuration? {
    guard let value, value.isRecord else { return nil }
    if let bytes = guarded(
      value["secretFile"], "the push hook's secret file", .secret, limit: PushHook.fileLimit),
      PushHook.secrets(in: bytes) == nil
    {
      fail(
        value["secretFile"], "push.secretFile",
        "it must hold one secret of 16 to 1024 bytes, or two, a line each")
    }
    guard let listen = value["listen"]?.text, let secretFile = value["secretFile"]?.text else {
      return nil
    }
    guard let address = ListenAddress(listen) else {
      fail(
        value["listen"], "push.listen",
        "\(listen) is no address: write a number, 127.0.0.1:7943 or [::1]:7943")
      return nil
    }
    return PushDoor.Configuration(address: address, secretFile: secretFile)
  }

  private mutating func readWebhooks(_ value: FieldValue?) -> [WebhookEndpoint] {
    var endpoints: [WebhookEndpoint] = []
    for webhook in value?.list ?? [] {
      guard let endpoint = readWebhook(webhook) else { continue }
      if endpoints.contains(where: { $0.name == endpoint.name }) {
        fail(webhook, "webhooks", "\(endpoint.name) is another webhook's name too (name: …)")
      }
      endpoints.append(endpoint)
    }
    return endpoints
  }

  private mutating func readWebhook(_ value: FieldValue) -> WebhookEndpoint? {
    _ = secret(value["secretFile"], "the webhook's secret file")
    _ = guarded(value["caFile"], "the authorities", limit: Self.publicLimit)
    guard let url = value["url"]?.text, let secretFile = value["secretFile"]?.text else {
      return nil
    }
    let patterns = value["events"]?.texts.compactMap { EventPattern($0) } ?? []
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
