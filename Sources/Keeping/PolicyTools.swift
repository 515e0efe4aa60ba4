import Descriptors
import Subprocess

/// A program of the host that speaks SELinux' policy language, and the package that has it.
struct PolicyTool: Sendable {
  var name: String
  /// Debian's; Fedora and EL call it the same unless said.
  var package: String
  var path = Self.standardPath

  static let secilc = PolicyTool(name: "secilc", package: "secilc")
  static let semodule = PolicyTool(name: "semodule", package: "policycoreutils")
  static let converter = PolicyTool(
    name: "pp", package: "policycoreutils (Debian: also semodule-utils)",
    path: "/usr/libexec/selinux/hll:/usr/lib/selinux/hll")
  static let copy = PolicyTool(name: "cp", package: "coreutils")
  static let remove = PolicyTool(name: "rm", package: "coreutils")

  static let standardPath = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
  /// What a program may say before the rest is too much to be of use.
  private static let outputLimit = 4 << 20

  struct Result: Sendable {
    var isSuccess: Bool
    var output: String
    /// What it said on standard error, a line each.
    var words: [String]

    /// The last lines that say something, as one.
    var reason: String {
      let useful = words.filter { !$0.contains("password file") && !$0.isEmpty }
      return useful.isEmpty
        ? "no reason given" : String(useful.suffix(4).joined(separator: " | ").prefix(1000))
    }
  }

  struct Missing: Error {}

  /// Runs it with a plain environment and without input; it and its children end after `limit`, or with the task.
  /// - Throws: `Missing` if it is not installed; `KeepingError` for the rest.
  func run(_ arguments: [String], limit: Duration) async throws -> Result {
    var options = PlatformOptions()
    options.processGroupID = 0
    options.teardownSequence = [
      .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: .seconds(2))
    ]
    let configured = options
    guard isThere else { throw Missing() }
    let (name, path) = (name, path)
    return try await withThrowingTaskGroup(of: Result.self) { group in
      group.addTask {
        let record = try await Subprocess.run(
          .name(name), arguments: Arguments(arguments),
          environment: .custom(["PATH": path, "LC_ALL": "C", "HOME": "/root"]),
          platformOptions: configured, input: .none, output: .string(limit: Self.outputLimit),
          error: .string(limit: Self.outputLimit))
        return Result(
          isSuccess: record.terminationStatus.isSuccess, output: record.standardOutput,
          words: record.standardError.split(whereSeparator: \.isNewline)
            .map { FileName(String($0.prefix(500))).description })
      }
      group.addTask {
        try await Task.sleep(for: limit)
        throw KeepingError("\(name) did not end within \(limit)")
      }
      defer { group.cancelAll() }
      guard let result = try await group.next() else {
        throw KeepingError("\(name) was not run")
      }
      return result
    }
  }

  var missing: String {
    "\(name) is not installed: `apt install \(package)`, `dnf install \(package)`"
  }

  /// The same; an error of ours where it is not installed.
  func need(_ arguments: [String], limit: Duration) async throws -> Result {
    do {
      return try await run(arguments, limit: limit)
    } catch is Missing {
      throw KeepingError(missing)
    }
  }

  /// Asked before: what starts a program cannot always tell a missing one from another trouble.
  private var isThere: Bool {
    path.split(separator: ":").contains { place in
      do throws(FileError) {
        return try Descriptor.folder(at: String(place)).status(of: FileName(name)) != nil
      } catch {
        // No such folder, or none that may be looked into: then it cannot be run from there either.
        return false
      }
    }
  }
}
