import Descriptors
import Glibc
import OnionModel

/// The backends of the accepted definitions, as this host reaches them: what a container sees, a firewall may still
/// keep from it.
struct TargetCheck {
  /// One target, and who names it.
  struct Use: Hashable, Sendable {
    var target: Target
    var services: [ServiceName]
    /// The networks that the naming instances are in.
    var networks: Set<String>
  }

  let uses: [Use]
  let networks: [String: Observation<NetworkObservation>]
  let containers: [String: Observation<TargetContainer>]
  let local: Set<String>
  /// The host's number for tor's user.
  let owner: Int
  let dialer: Dialer

  func findings() async -> [DoctorFinding] {
    let answers = await dialer.dial(Set(uses.flatMap(addresses)))
    var found: [DoctorFinding] = []
    for use in uses {
      switch use.target {
      case .address(let host, let port):
        found.append(address(use, answers[Dialer.Address(host: host, port: port)]))
      case .gateway(let port): found += gateway(use, port, answers)
      case .container(let name, let port): found.append(container(use, name, port, answers))
      case .unixSocket: found.append(await unixSocket(use))
      }
    }
    if found.contains(where: { $0.weight == .ok }),
      uses.contains(where: { if case .gateway = $0.target { true } else { false } })
    {
      found.append(
        DoctorFinding(
          .targets, .note,
          "whether a firewall of this host lets containers in cannot be told from here"))
    }
    return found
  }

  private func addresses(_ use: Use) -> [Dialer.Address] {
    switch use.target {
    case .address(let host, let port): [Dialer.Address(host: host, port: port)]
    case .gateway(let port):
      gateways(use).map { Dialer.Address(host: $0, port: port) }
        + [Dialer.Address(host: "127.0.0.1", port: port)]
    case .container(let name, let port):
      (containers[name]?.value?.address).flatMap { $0.isEmpty ? nil : $0 }
        .map { [Dialer.Address(host: $0, port: port)] } ?? []
    case .unixSocket: []
    }
  }

  private func gateways(_ use: Use) -> [String] {
    Set(use.networks.compactMap { networks[$0]?.value?.gateway }).intersection(local).sorted()
  }

  private func finding(
    _ use: Use, _ weight: DoctorFinding.Weight, _ text: String, mend: [String] = []
  ) -> DoctorFinding {
    let who = use.services.prefix(3).map(\.text).joined(separator: ", ")
    let more = use.services.count > 3 ? " and \(use.services.count - 3) more" : ""
    return DoctorFinding(.targets, weight, "\(use.target) (\(who)\(more)) \(text)", mend: mend)
  }

  private func address(_ use: Use, _ answer: Dialer.Answer?) -> DoctorFinding {
    switch answer {
    case .connected: finding(use, .ok, "answers")
    case .refused:
      finding(use, .broken, "refuses connections", mend: ["start the backend there"])
    case .silent:
      finding(
        use, .broken, "does not answer this host within 2 s",
        mend: ["start the backend there, or open its firewall to this host"])
    case .failed(let reason): finding(use, .broken, "cannot be reached: \(reason)")
    case nil: finding(use, .unknown, "was not dialled")
    }
  }

  private func gateway(
    _ use: Use, _ port: Int, _ answers: [Dialer.Address: Dialer.Answer]
  ) -> [DoctorFinding] {
    let there = gateways(use)
    guard !there.isEmpty else {
      let known = use.networks.compactMap { networks[$0]?.value?.gateway }
      return [
        finding(
          use, .unknown,
          known.isEmpty
            ? "was not dialled: the engine's network is not there yet"
            : "was not dialled: the gateway \(known.sorted()[0]) is no address here (the engine has a network of its own, or no container of ours runs)"
        )
      ]
    }
    return there.map { gateway in
      switch answers[Dialer.Address(host: gateway, port: port)] {
      case .connected: return finding(use, .ok, "answers at \(gateway)")
      case .refused:
        let isLoopback =
          answers[Dialer.Address(host: "127.0.0.1", port: port)] == .connected
        return finding(
          use, .broken,
          isLoopback
            ? "listens on 127.0.0.1 alone, which containers cannot reach"
            : "is not listened on at \(gateway)",
          mend: [
            "let the backend listen on \(gateway):\(port) (see: ss -ltnp 'sport = :\(port)')"
          ])
      case .silent: return finding(use, .risk, "does not answer at \(gateway) within 2 s")
      case .failed(let reason): return finding(use, .unknown, "cannot be dialled: \(reason)")
      case nil: return finding(use, .unknown, "was not dialled")
      }
    }
  }

  private func container(
    _ use: Use, _ name: String, _ port: Int, _ answers: [Dialer.Address: Dialer.Answer]
  ) -> DoctorFinding {
    switch containers[name] {
    case .absent?:
      return finding(use, .broken, "does not run", mend: ["start container \(name)"])
    case .unknown(let reason)?: return finding(use, .unknown, "cannot be told: \(reason)")
    case nil: return finding(use, .unknown, "was not looked up: the engine does not answer")
    case .present(let found)?:
      guard !found.address.isEmpty else {
        return finding(
          use, .broken, "is in no network that another container can join (\(found.network))",
          mend: ["give it a bridge network of its own"])
      }
      switch answers[Dialer.Address(host: found.address, port: port)] {
      case .connected: return finding(use, .ok, "answers at \(found.address)")
      case .refused:
        return finding(
          use, .risk, "runs at \(found.address) and refuses connections from this host",
          mend: ["let it listen on all its addresses, not on 127.0.0.1"])
      case .silent, .failed, nil:
        return finding(
          use, .unknown, "runs at \(found.address), which cannot be dialled from here")
      }
    }
  }

  private func unixSocket(_ use: Use) async -> DoctorFinding {
    guard let socket = use.target.socket else { return finding(use, .unknown, "has no directory") }
    switch HostFolders.observe(socket.directory) {
    case .absent:
      return finding(
        use, .broken, "is not there: no directory \(socket.directory)",
        mend: ["start the backend, or make the directory by tmpfiles.d"])
    case .present(false):
      return finding(
        use, .broken, "is reached through a link or something else than a directory",
        mend: ["name the real directory in the definition"])
    case .unknown(let reason): return finding(use, .unknown, "cannot be looked at: \(reason)")
    case .present(true): break
    }
    guard let answer = await dialer.dial(directory: socket.directory, file: socket.file) else {
      return finding(
        use, .broken, "is not there, though its directory is", mend: ["start the backend"])
    }
    if let reason = closed(socket.directory, socket.file) {
      return finding(use, .broken, reason.message, mend: [reason.mend])
    }
    switch answer {
    case .connected: return finding(use, .ok, "answers")
    case .refused:
      return finding(
        use, .broken, "is a socket that nobody listens at any more", mend: ["start the backend"])
    case .silent: return finding(use, .unknown, "did not answer")
    case .failed(let reason): return finding(use, .unknown, "cannot be dialled: \(reason)")
    }
  }

  /// What keeps tor's user out: only the mounted directory and the socket count inside.
  private func closed(
    _ directory: String, _ file: String
  ) -> (message: String, mend: String)? {
    do {
      let folder = try Descriptor.folder(at: directory, links: false)
      guard let socket = try folder.status(of: FileName(file)) else { return nil }
      guard allows(try folder.status(), 0o1) else {
        return (
          "lies in \(directory), which tor's user \(owner) may not enter", "chmod o+x \(directory)"
        )
      }
      guard allows(socket, 0o2) else {
        return (
          "may not be written by tor's user \(owner)",
          "chmod o+w \(directory)/\(file), in the backend's own configuration"
        )
      }
      return nil
    } catch {
      return nil
    }
  }

  /// - Parameter bit: 1 enter, 2 write.
  private func allows(_ status: FileStatus, _ bit: Int) -> Bool {
    let shift = status.owner == owner ? 6 : status.group == owner ? 3 : 0
    return status.mode >> shift & bit != 0
  }
}
