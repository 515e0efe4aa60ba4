public import Descriptors
import Glibc
public import OnionModel

extension HostPolicy {
  /// Asks the kernel whether the loaded policy, its booleans included, allows an access. Nothing is changed or logged.
  ///
  /// The transaction is that of `security_compute_av` (libselinux, src/compute_av.c; kernel, security/selinux/selinuxfs.c,
  /// sel_write_access): `SOURCE TARGET CLASS-NUMBER` is written, `allowed decided auditallow auditdeny seqno flags` is read.
  /// - Returns: absent where SELinux is off, or the policy does not know the class, the permission or a context.
  public static func allows(
    source: SecurityContext, target: SecurityContext, targetClass: String, permission: String,
    _ tree: HostTree = HostTree()
  ) -> Observation<Bool> {
    guard isPolicyName(targetClass), isPolicyName(permission) else { return .absent }
    let folder = "/sys/fs/selinux/class/\(targetClass)"
    let index: Int
    let bit: Int
    do throws(FileError) {
      guard let first = try number(tree, "\(folder)/index"),
        let second = try number(tree, "\(folder)/perms/\(permission)"), (1...32).contains(second)
      else { return .absent }
      (index, bit) = (first, second)
    } catch {
      return .unknown(error.description)
    }
    return mapped(ask("access", "\(source) \(target) \(index)", tree)) { answer in
      guard let word = answer.split(separator: " ").first, let allowed = UInt32(word, radix: 16)
      else { return .unknown("/sys/fs/selinux/access: no answer") }
      return .present(allowed >> UInt32(bit - 1) & 1 == 1)
    } invalid: {
      // A context that the policy does not know.
      .absent
    }
  }

  /// Asks the kernel whether the loaded policy knows a context: its user, role, type and level together. Nothing changes.
  /// - Returns: absent where SELinux is off.
  public static func knows(
    _ context: SecurityContext, _ tree: HostTree = HostTree()
  ) -> Observation<Bool> {
    mapped(ask("context", "\(context)\0", tree)) { _ in
      .present(true)
    } invalid: {
      .present(false)
    }
  }

  private enum Answer {
    case text(String)
    case invalid, absent
    case unknown(String)
  }

  /// One transaction: a question is written, and what the kernel says is read from the same open file.
  private static func ask(_ name: String, _ question: String, _ tree: HostTree) -> Answer {
    let path = tree.root + (tree.root.hasSuffix("/") ? "" : "/") + "sys/fs/selinux/\(name)"
    let file = open(path, O_RDWR | O_CLOEXEC)
    guard file >= 0 else {
      if errno == ENOENT || errno == ENOTDIR { return .absent }
      return .unknown("open \(path): \(String(cString: strerror(errno)))")
    }
    defer { close(file) }
    let bytes = Array(question.utf8)
    guard write(file, bytes, bytes.count) == bytes.count else {
      return errno == EINVAL
        ? .invalid : .unknown("ask \(path): \(String(cString: strerror(errno)))")
    }
    var answer = [UInt8](repeating: 0, count: 256)
    let length = Glibc.read(file, &answer, answer.count)
    return .text(String(decoding: answer.prefix(max(0, length)), as: UTF8.self))
  }

  private static func mapped(
    _ answer: Answer, _ text: (String) -> Observation<Bool>, invalid: () -> Observation<Bool>
  ) -> Observation<Bool> {
    switch answer {
    case .text(let words): text(words)
    case .invalid: invalid()
    case .absent: .absent
    case .unknown(let reason): .unknown(reason)
    }
  }

  private static func number(_ tree: HostTree, _ path: String) throws(FileError) -> Int? {
    try tree.text(path, limit: 64).flatMap { Int($0.filter { $0.isNumber }) }
  }
}
