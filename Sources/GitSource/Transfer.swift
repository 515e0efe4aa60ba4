import CGit2
import Dispatch
import Glibc
import Synchronization

/// One conversation with a remote: its bounds, its sockets, and the first thing that went wrong.
///
/// libgit2 runs it on the mirror's queue. Any other thread may `abort` it: the sockets are shut
/// down, so whatever libgit2 waits for ends at once, and `failure` says why.
final class Transfer: Sendable {
  /// The conversation that this task is in. libgit2's stream constructor gets no payload; it runs
  /// synchronously inside the task, so the task-local is how it finds its conversation.
  @TaskLocal static var current: Transfer?

  let operation: String
  let address: RemoteAddress
  let branch: String
  let credentials: RepositorySource.Credentials
  let via: SOCKSProxy?
  /// Sixteen hexadecimal digits that tell this repository from others; nothing can be learnt from them.
  let isolation: String
  let limits: SourceLimits
  let deadline: ContinuousClock.Instant
  private let state = Mutex(State())

  private struct State {
    var sockets: [Int32] = []
    var failure: GitError?
    var received = 0
    var credentialsAsked = 0
    var isAtProxy = false
    var hasReferences = false
  }

  init(_ operation: String, _ source: RepositorySource) throws(GitError) {
    self.operation = operation
    address = try source.checkedAddress()
    branch = source.branch
    credentials = source.credentials
    via = source.via
    isolation = Digest.sha256(source.url.utf8).prefix(8).map { byte in
      String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
    }.joined()
    limits = source.limits
    deadline = .now + source.limits.total
  }

  /// Why the conversation ended, if it was ended by us.
  var failure: GitError? { state.withLock { $0.failure } }

  /// Ends the conversation. Only the first reason is kept.
  func abort(_ code: GitError.Code, _ message: String) {
    state.withLock { state in
      if state.failure == nil { state.failure = GitError(code, operation, message) }
      // Under the lock that `release` takes a descriptor out with: never another file's number.
      for socket in state.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
    }
  }

  func abort(_ error: GitError) { abort(error.code, error.message) }

  /// Takes a socket under control; false if the conversation is already over.
  func adopt(_ socket: Int32) -> Bool {
    state.withLock { state in
      guard state.failure == nil else { return false }
      state.sockets.append(socket)
      return true
    }
  }

  /// Closes an adopted socket.
  func release(_ socket: Int32) {
    state.withLock { state in
      state.sockets.removeAll { $0 == socket }
      close(socket)
    }
  }

  /// Counts bytes of the server; ends the conversation past the limit.
  func received(_ count: Int) {
    let total = state.withLock { state in
      state.received += count
      return state.received
    }
    checkBytes(total)
  }

  func checkBytes(_ total: Int) {
    if total > limits.bytes {
      abort(.limit, "\(address.place) sent more than the limit of \(limits.bytes) bytes")
    } else if total > limits.references, !state.withLock({ $0.hasReferences }) {
      abort(
        .limit,
        "\(address.place) lists more branches and tags than fit the limit of "
          + "\(limits.references) bytes")
    }
  }

  /// The list of branches is whole: what comes now is what was asked for.
  func noteReferences() { state.withLock { $0.hasReferences = true } }

  /// The proxy has not yet answered.
  var isAtProxy: Bool {
    get { state.withLock { $0.isAtProxy } }
    set { state.withLock { $0.isAtProxy = newValue } }
  }

  /// How often the server has asked for credentials, this time included.
  func countCredentials() -> Int {
    state.withLock { state in
      state.credentialsAsked += 1
      return state.credentialsAsked
    }
  }

  func abortPastDeadline() {
    abort(.timeout, "\(address.place) took more than \(limits.total) in all")
  }

  /// Watches deadlines where no poll of ours does: libssh2 waits on the socket by itself, without
  /// any bound. The caller cancels the timer.
  func watch() -> any DispatchSourceTimer {
    let timer = DispatchSource.makeTimerSource(queue: .global())
    timer.setEventHandler { [self] in
      if ContinuousClock.now > deadline { abortPastDeadline() }
      if address.scheme == .ssh, !isAtProxy { abortIfSilent() }
    }
    timer.schedule(deadline: .now(), repeating: .milliseconds(100))
    timer.activate()
    return timer
  }

  /// The kernel knows when the last data came: `tcp_info.tcpi_last_data_recv`, in milliseconds.
  private func abortIfSilent() {
    let silence = state.withLock { state -> Duration in
      state.sockets.map { socket -> Duration in
        var info = tcp_info()
        var size = socklen_t(MemoryLayout<tcp_info>.size)
        guard getsockopt(socket, Int32(IPPROTO_TCP), TCP_INFO, &info, &size) == 0,
          Int(info.tcpi_state) == 1  // TCP_ESTABLISHED
        else { return .zero }
        return .milliseconds(Int(info.tcpi_last_data_recv))
      }.max() ?? .zero
    }
    if silence > limits.idle {
      abort(.timeout, "\(address.place) was silent for \(limits.idle)")
    }
  }
}
