import Glibc
public import OnionModel

/// Proves what a running tor is, from `/proc/<pid>` alone: never from what was asked for, or from tor's word.
public struct ProcessReader: Sendable {
  /// The kernel's status file is about 1.5 KiB; many groups make it longer.
  private static let limit = 64 * 1024

  private let root: String

  /// - Parameter root: Where procfs is mounted.
  public init(root: String = "/proc") { self.root = root }

  /// The proof of the process with this number on the host.
  /// - Returns: `.absent` if there is no such process; `.unknown` if it is none of tor's (the start guard's shell before
  ///   it becomes tor), is ending, or cannot be read.
  public func proof(of pid: Int) -> Observation<ProcessProof> {
    let path = "\(root)/\(pid)"
    let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else {
      let code = errno
      return code == ENOENT || code == ESRCH
        ? .absent : .unknown("\(path) cannot be opened: \(String(cString: strerror(code)))")
    }
    defer { close(folder) }
    // All files are read below one descriptor: if the process ends, reading fails, and the next one with its number is not
    // mistaken for it.
    do throws(ReadFailure) {
      let stat = try read("stat", in: folder)
      guard let process = ProcessText.stat(String(decoding: stat, as: UTF8.self)) else {
        return .unknown("\(path)/stat is not what proc(5) says")
      }
      guard process.command == "tor" else {
        return .unknown(
          "process \(pid) is \"\(visible(process.command, limit: 64))\", not tor: it may be starting"
        )
      }
      guard process.state != "Z", process.state != "X" else {
        return .unknown("process \(pid) is ending")
      }
      let status = String(decoding: try read("status", in: folder), as: UTF8.self)
      guard
        var proof = ProcessText.proof(
          status: status, label: try label(in: folder), startTime: process.startTime)
      else { return .unknown("\(path)/status lacks what the proof needs") }
      proof.lostMounts = ProcessText.lostMounts(
        String(decoding: try read("mountinfo", in: folder), as: UTF8.self))
      proof.mappedUser = try mappedUser(in: folder)
      return .present(proof)
    } catch {
      return error.code == ESRCH
        ? .absent : .unknown("\(path)/\(error.name): \(String(cString: strerror(error.code)))")
    }
  }

  /// `nil` where no security module names one: the kernel answers EINVAL (facts: swift.md §5).
  private func label(in folder: Int32) throws(ReadFailure) -> String? {
    do {
      return ProcessText.label(try read("attr/current", in: folder))
    } catch  where error.code == EINVAL || error.code == ENOENT {
      return nil
    }
  }

  /// `nil` where the kernel has no user namespaces.
  private func mappedUser(in folder: Int32) throws(ReadFailure) -> Int? {
    do {
      return ProcessText.outside(
        TorLayout.user, map: String(decoding: try read("uid_map", in: folder), as: UTF8.self))
    } catch  where error.code == ENOENT {
      return nil
    }
  }

  private func read(_ name: String, in folder: Int32) throws(ReadFailure) -> [UInt8] {
    let file = openat(folder, name, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw ReadFailure(name: name, code: errno) }
    defer { close(file) }
    var content: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while content.count < Self.limit {
      let count = buffer.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress, $0.count) }
      let code = errno
      if count == 0 { return content }
      if count > 0 {
        content += buffer[..<count]
      } else if code != EINTR {
        throw ReadFailure(name: name, code: code)
      }
    }
    throw ReadFailure(name: name, code: EFBIG)
  }
}

private struct ReadFailure: Error {
  let name: String
  let code: Int32
}
