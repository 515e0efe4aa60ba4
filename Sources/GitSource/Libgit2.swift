import CGit2
import Glibc
import Synchronization

/// libgit2 as this process uses it: started once, its settings made safe, each call checked.
enum Libgit2 {
  /// From libgit2's code, the class of its error and its message to what the failure means.
  typealias Meaning = (Int32, git_error_t, String) -> GitError.Code

  /// Starts the library and makes its process-wide settings.
  ///
  /// - Throws: `.configuration` if this libgit2 cannot do what is needed.
  static func start() throws(GitError) { try started.get() }

  /// Turns a failed call into an error. Every libgit2 call whose result matters goes through here
  /// or through `Owned.init`.
  ///
  /// - Parameter meaning: what the failure means where it happened.
  static func check(
    _ result: Int32, _ operation: String, _ what: @autoclosure () -> String,
    meaning: Meaning = damage
  ) throws(GitError) {
    guard result < 0 else { return }
    let (kind, text) = lastError()
    throw GitError(meaning(result, kind, text), operation, "\(what()): \(text)")
  }

  /// What a failure of the local mirror means: the disk refused, or the mirror is damaged.
  static func damage(_ code: Int32, _ kind: git_error_t, _ text: String) -> GitError.Code {
    let diskTrouble = [ENOSPC, EDQUOT, EROFS, EACCES, EPERM, EMFILE, ENFILE, ENOMEM]
    return kind == GIT_ERROR_OS && diskTrouble.contains { text.contains(errorText($0)) }
      ? .storage : .corruptMirror
  }

  /// The same, where a commit is asked for that may not be there.
  static func damageOrMissing(
    _ code: Int32, _ kind: git_error_t, _ text: String
  ) -> GitError.Code {
    code == GIT_ENOTFOUND.rawValue ? .missingCommit : damage(code, kind, text)
  }

  /// Where a failure can mean one thing only.
  static func always(_ meaning: GitError.Code) -> Meaning { { _, _, _ in meaning } }

  /// libgit2's last error on this thread: its class and its message, fit to print.
  static func lastError() -> (git_error_t, String) {
    guard let last = git_error_last() else { return (GIT_ERROR_NONE, "no reason given") }
    let message = last.pointee.message.map { String(cString: $0) } ?? "no reason given"
    let text = printable(message.drop { $0.isWhitespace }.prefix { !$0.isNewline })
    return (git_error_t(UInt32(bitPattern: last.pointee.klass)), text)
  }

  /// Makes `text` the message of the failure that a callback is about to report.
  static func setLastError(_ text: String) {
    git_error_set_str(Int32(bitPattern: GIT_ERROR_CALLBACK.rawValue), text)
  }

  /// Only after `start`, like every call of libgit2.
  static func isReference(_ name: String) -> Bool {
    var valid: Int32 = 0
    return git_reference_name_is_valid(&valid, name) == 0 && valid == 1
  }

  /// Runs `body` while libgit2 trusts exactly the authorities in `file`.
  ///
  /// The authorities are one setting for the process, and replacing them frees those that a
  /// handshake on another thread may be reading. So conversations over TLS take turns. A process
  /// has one repository; the wait is for tests, and bounded by the other's deadline.
  static func trusting<T>(
    authorities file: String, _ operation: String, _ body: () throws(GitError) -> T
  ) throws(GitError) -> T {
    let result: Result<T, GitError> = authorities.withLock { _ in
      guard cgit2_set_ca_file(file) == 0 else {
        return .failure(
          GitError(
            .configuration, operation,
            "\(printable(file)) holds no certificate authorities: \(lastError().1)"))
      }
      do throws(GitError) { return .success(try body()) } catch { return .failure(error) }
    }
    return try result.get()
  }

  /// The distribution's bundle of authorities.
  ///
  /// - Throws: `.configuration`, naming the package.
  static func systemAuthorities() throws(GitError) -> String {
    let places = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"]
    guard let found = places.first(where: { access($0, R_OK) == 0 }) else {
      throw GitError(
        .configuration, "repository.caFile",
        "no certificate authorities in \(places.joined(separator: " or ")): "
          + "install ca-certificates, or set caFile")
    }
    return found
  }

  private static let authorities = Mutex(())

  private static let started: Result<Void, GitError> = {
    do throws(GitError) { return .success(try initialize()) } catch { return .failure(error) }
  }()

  private static func initialize() throws(GitError) {
    // A peer that closes early must not end the process: OpenSSH's and libgit2's own writes on
    // sockets and pipes do not all pass MSG_NOSIGNAL.
    signal(SIGPIPE, SIG_IGN)
    guard git_libgit2_init() >= 0 else {
      throw GitError(.configuration, "libgit2", "cannot start: \(lastError().1)")
    }
    var (major, minor, patch): (Int32, Int32, Int32) = (0, 0, 0)
    git_libgit2_version(&major, &minor, &patch)
    // PlainStream has the layout that the ssh transport of the headers' version expects.
    guard major == LIBGIT2_VER_MAJOR, minor == LIBGIT2_VER_MINOR else {
      throw GitError(
        .configuration, "libgit2",
        "built for \(LIBGIT2_VER_MAJOR).\(LIBGIT2_VER_MINOR), found \(major).\(minor): "
          + "rebuild against the installed libgit2-dev")
    }
    let needed = [GIT_FEATURE_THREADS, GIT_FEATURE_HTTPS, GIT_FEATURE_SSH]
    let features = UInt32(bitPattern: git_libgit2_features())
    guard needed.allSatisfy({ features & $0.rawValue != 0 }) else {
      throw GitError(.configuration, "libgit2", "lacks threads, https or ssh")
    }
    // No configuration of the machine or of root's home may change where or how we fetch.
    for level in [
      GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL,
      GIT_CONFIG_LEVEL_PROGRAMDATA,
    ] {
      try setting(cgit2_set_search_path(level.rawValue, ""))
    }
    // A file:// source belongs to whoever serves it. Our own mirror's owner is checked by us.
    try setting(cgit2_option_flag(option(GIT_OPT_SET_OWNER_VALIDATION), 0))
    try setting(cgit2_option_string(option(GIT_OPT_SET_USER_AGENT), "onionkeeper"))
    // Address space and cache for a repository of text files; the defaults are 8 GiB and 256 MiB.
    try setting(cgit2_option_size(option(GIT_OPT_SET_MWINDOW_SIZE), 16 << 20))
    try setting(cgit2_option_size(option(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT), 256 << 20))
    try setting(cgit2_option_signed_size(option(GIT_OPT_SET_CACHE_MAX_SIZE), 16 << 20))
    // One object that inflates to more than this is an attack on memory; the default is 2 GiB.
    try setting(cgit2_option_size(option(GIT_OPT_SET_PACK_MAX_OBJECT_SIZE), 64 << 20))
    try setting(cgit2_option_size(option(GIT_OPT_SET_PACK_MAX_OBJECTS), 4_000_000))
    try PlainStream.register()
  }

  private static func setting(_ result: Int32) throws(GitError) {
    try check(result, "libgit2", "a setting was refused", meaning: always(.configuration))
  }

  private static func option(_ option: git_libgit2_opt_t) -> Int32 {
    Int32(bitPattern: option.rawValue)
  }
}

/// One libgit2 object, freed when it goes out of scope.
struct Owned: ~Copyable {
  let pointer: OpaquePointer
  private let release: (OpaquePointer?) -> Void

  /// - Parameter release: libgit2's `…_free` for the kind of object that `make` puts out.
  init(
    _ operation: String, _ what: @autoclosure () -> String,
    release: @escaping (OpaquePointer?) -> Void,
    meaning: Libgit2.Meaning = Libgit2.damage,
    _ make: (inout OpaquePointer?) -> Int32
  ) throws(GitError) {
    var made: OpaquePointer?
    try Libgit2.check(make(&made), operation, what(), meaning: meaning)
    guard let made else { throw GitError(.corruptMirror, operation, "\(what()): no object") }
    pointer = made
    self.release = release
  }

  deinit { release(pointer) }
}

extension git_oid {
  /// Forty hexadecimal digits, or nil.
  init?(hex: String) {
    guard hex.utf8.count == 40 else { return nil }
    self.init()
    guard git_oid_fromstr(&self, hex) == 0 else { return nil }
  }

  var hex: String {
    withUnsafeBytes(of: self) { bytes in
      let digits = Array("0123456789abcdef".utf8)
      return String(
        decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
  }
}
