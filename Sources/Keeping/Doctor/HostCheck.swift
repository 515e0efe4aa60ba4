import Descriptors
import Glibc
import OnionModel

/// Users, clock, programs and the agent's unit.
enum HostCheck {
  /// Names that our own packages give to tor's user.
  private static let ownNames: Set<String> = ["onionkeeper", "onionkeeper-tor"]

  /// - Parameter owner: the host's number for tor's user.
  static func users(_ owner: Int, file: String) -> [DoctorFinding] {
    var found: [DoctorFinding] = []
    // Read the host's own lists; each pointer lives until the next call on this thread.
    if let entry = getpwuid(uid_t(owner)), let name = entry.pointee.pw_name,
      let taken = stranger(String(cString: name))
    {
      found.append(
        DoctorFinding(
          .users, .broken,
          "user \(owner) is \(taken) on this host: its processes could read every key",
          mend: ["usermod -u OTHER \(taken), and chown what is its"]))
    }
    if let entry = getgrgid(gid_t(owner)), let name = entry.pointee.gr_name,
      let taken = stranger(String(cString: name))
    {
      found.append(
        DoctorFinding(
          .users, .risk, "group \(owner) is \(taken) on this host",
          mend: ["groupmod -g OTHER \(taken), and chgrp what is its"]))
    }
    return found.isEmpty ? [DoctorFinding(.users, .ok, "\(owner) is nobody else here")] : found
  }

  private static func stranger(_ name: String) -> String? { ownNames.contains(name) ? nil : name }

  /// - Parameter latest: when the journal was last written to.
  static func clock(_ clock: ClockFacts, latest: Timestamp?) -> [DoctorFinding] {
    let mend = ["timedatectl set-ntp true, or install chrony"]
    if let complaint = WallClock().complaint(clock.now, latest: latest) {
      return [DoctorFinding(.clock, .broken, complaint, mend: mend)]
    }
    switch clock.isSynchronized {
    case .present(true): return [DoctorFinding(.clock, .ok, "kept in step")]
    case .present(false):
      return [
        DoctorFinding(
          .clock, .risk,
          "nothing keeps it in step: tor needs it right to some minutes, signatures too", mend: mend
        )
      ]
    case .absent, .unknown:
      return [DoctorFinding(.clock, .unknown, "whether it is kept in step cannot be asked")]
    }
  }

  /// A program of the host that something in the host file or a definition needs.
  struct Need: Hashable, Sendable {
    var program: String
    /// Debian's and Fedora's package.
    var package: String
    var reason: String
  }

  static func programs(_ needs: [Need], _ tree: HostTree) -> [DoctorFinding] {
    let missing = needs.filter { need in
      ["/usr/bin", "/usr/local/bin", "/usr/sbin", "/bin"].allSatisfy { folder in
        let status = seen { () throws(FileError) in try tree.status("\(folder)/\(need.program)") }
        return status.isAbsent
      }
    }
    guard missing.isEmpty else {
      return missing.map {
        DoctorFinding(
          .programs, .broken, "\($0.program) is not installed, and \($0.reason) needs it",
          mend: ["apt-get install \($0.package), or dnf install \($0.package)"])
      }
    }
    return needs.isEmpty
      ? []
      : [
        DoctorFinding(
          .programs, .ok, "\(needs.map(\.program).joined(separator: ", ")) are installed")
      ]
  }

  static let unitName = "onionkeeper.service"

  /// - Parameter isRunning: an agent holds the folders now.
  static func unit(
    _ unit: Observation<SystemdUnit>, hasSystemd: Bool, isRunning: Observation<Bool>
  ) -> [DoctorFinding] {
    let runs = isRunning.value == true
    guard hasSystemd else {
      return [
        runs
          ? DoctorFinding(.agent, .ok, "an agent runs (no systemd here)")
          : DoctorFinding(
            .agent, .note, "no agent runs, and no systemd here that would start it",
            mend: ["onionkeeper run"])
      ]
    }
    switch unit {
    case .unknown(let reason): return [DoctorFinding(.agent, .unknown, reason)]
    case .absent:
      return [
        DoctorFinding(
          .agent, runs ? .note : .risk,
          "\(unitName) is not installed" + (runs ? "; an agent runs by other means" : ""),
          mend: ["install the package, or start `onionkeeper run` by a unit of your own"])
      ]
    case .present(let unit):
      let state = unit["ActiveState"] ?? "unknown"
      if state == "failed" {
        return [
          DoctorFinding(
            .agent, .broken, "\(unitName) has failed (\(unit["Result"] ?? "no result"))",
            mend: ["journalctl -u onionkeeper -n 50", "systemctl restart onionkeeper"])
        ]
      }
      guard state == "active" || state == "activating" || runs else {
        return [
          DoctorFinding(
            .agent, .risk, "\(unitName) is \(state): nothing keeps the services",
            mend: ["systemctl enable --now onionkeeper"])
        ]
      }
      guard unit["UnitFileState"] != "disabled" else {
        return [
          DoctorFinding(
            .agent, .risk, "\(unitName) runs, and does not start at the next boot",
            mend: ["systemctl enable onionkeeper"])
        ]
      }
      return [DoctorFinding(.agent, .ok, "\(unitName) is \(state)")]
    }
  }
}
