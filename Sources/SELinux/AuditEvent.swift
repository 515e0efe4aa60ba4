/// The records that share one stamp, until they are complete: what the denial's own record leaves out (the path, the
/// program, whether the call failed) stands in its neighbours.
struct AuditEvent {
  var stamp: AuditStamp
  var denials: [Denial] = []
  private var call: AuditFields?
  private var directory: String?
  private var title: String?
  private var paths: [AuditFields] = []

  /// A call names at most two paths and their parents; a module's load more, which is of no use here.
  private static let pathLimit = 16
  /// Checks of one system call.
  private static let denialLimit = 256

  init(_ stamp: AuditStamp) { self.stamp = stamp }

  /// Takes what a record beside the denials says.
  mutating func add(_ record: AuditRecord) {
    let fields = AuditFields(record.body, isInterpreted: stamp.isInterpreted)
    switch record.kind {
    case .syscall: if call == nil { call = fields }
    case .path: if paths.count < Self.pathLimit { paths.append(fields) }
    case .directory: directory = directory ?? fields["cwd"]
    case .processTitle:
      // Its value is the rest: a translated one holds blanks, and arguments like `--a=b`.
      title = title ?? Self.title(record.body, fields, isInterpreted: stamp.isInterpreted)
    default: break
    }
  }

  /// - Returns: `false` where it holds too many already.
  mutating func add(_ denial: Denial) -> Bool {
    guard denials.count < Self.denialLimit else { return false }
    denials.append(denial)
    return true
  }

  private static func title(
    _ body: AuditBytes, _ fields: AuditFields, isInterpreted: Bool
  ) -> String? {
    guard isInterpreted, let place = body.position(of: "proctitle=") else {
      return fields["proctitle"]
    }
    return body[(place + 10)...].printable(limit: 4096)
  }

  /// The denials, with what their neighbours say.
  func resolved() -> [Denial] {
    denials.map { denial in
      var denial = denial
      denial.title = denial.title ?? title
      if let call {
        denial.executable = denial.executable ?? known(call["exe"])
        denial.command = denial.command ?? call["comm"]
        denial.process = denial.process ?? call.number("pid")
        denial.systemCall = call["SYSCALL"] ?? call["syscall"]
        denial.succeeded = call["success"].flatMap { ["yes": true, "no": false][$0] }
        denial.exit = call["exit"]
        denial.effectiveUser = call["EUID"] ?? call["euid"]
      }
      if denial.path == nil, isOfFile(denial), let only = onlyPath { denial.path = only }
      if let record = record(of: denial) {
        denial.objectOwner = record.number("ouid")
        denial.objectMode = known(record["mode"])
        if denial.path == nil, let name = known(record["name"]) { denial.path = absolute(name) }
      }
      return denial
    }
  }

  /// Capabilities over files: the call's one path is what they were wanted for.
  private func isOfFile(_ denial: Denial) -> Bool {
    denial.targetClass == "capability"
      && denial.permissions.contains {
        $0.hasPrefix("dac_") || ["chown", "fowner", "fsetid"].contains($0)
      }
  }

  private var onlyPath: String? {
    let names = Set(
      paths.filter { $0["nametype"] != "PARENT" }.compactMap { known($0["name"]) })
    return names.count == 1 ? names.first.flatMap(absolute) : nil
  }

  /// The path record of a denial's object: by inode, else by its last component; never one that fits neither.
  private func record(of denial: Denial) -> AuditFields? {
    guard ObjectClass.isFile(denial.targetClass) else { return nil }
    if let inode = denial.inode {
      return paths.first { $0.number("inode") == inode }
    }
    guard let name = denial.name, name != "/" else { return nil }
    return paths.first {
      $0["name"]?.split(separator: "/").last.map(String.init) == name && $0["nametype"] != "PARENT"
    }
  }

  private func absolute(_ name: String) -> String? {
    if name.hasPrefix("/") { return name }
    guard let directory, directory.hasPrefix("/"), !name.isEmpty else { return nil }
    let plain = name.hasPrefix("./") ? String(name.dropFirst(2)) : name
    return directory == "/" ? "/" + plain : "\(directory)/\(plain)"
  }

  private func known(_ value: String?) -> String? {
    value == "(null)" || value == "?" || value == "" ? nil : value
  }
}

/// Classes of objects, as policies name them.
enum ObjectClass {
  static let files: Set<String> = [
    "file", "dir", "lnk_file", "sock_file", "fifo_file", "chr_file", "blk_file", "anon_inode",
  ]

  static func isFile(_ name: String) -> Bool { files.contains(name) }

  static func isCapability(_ name: String) -> Bool {
    ["capability", "capability2", "cap_userns", "cap2_userns"].contains(name)
  }
}
