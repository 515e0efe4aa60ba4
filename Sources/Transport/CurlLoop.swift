import CCurl
import Glibc
import Synchronization

/// The one thread that touches libcurl, and the inbox by which others speak to it.
final class CurlLoop: Sendable {
  enum Command: Sendable {
    case start(Job)
    case cancel(Ticket)
    /// The reader of a paused stream has room again.
    case resume(Ticket)
  }

  private struct Inbox {
    var commands: [Command] = []
    var isOpen = true
  }

  /// The multi handle as other threads may see it.
  // Safe: off the loop's thread only curl_multi_wakeup is called with it, which libcurl documents as callable from any
  // thread, and only under the inbox's lock while the inbox is open; the thread closes the inbox under the same lock
  // before it frees the handle.
  private struct MultiHandle: @unchecked Sendable {
    let pointer: UnsafeMutableRawPointer
  }

  /// Small: the thread's deepest work is a TLS handshake (facts: 512 KiB suffice).
  private static let stackSize = 512 << 10

  private let inbox = Mutex(Inbox())
  private let multi: MultiHandle

  init() throws(TransportError) {
    func failure(_ message: String) -> TransportError {
      TransportError(.failed, operation: "start of the HTTP client", message: message)
    }
    guard Self.isInitialised else { throw failure("curl_global_init failed") }
    guard let pointer = curl_multi_init() else { throw failure("curl_multi_init failed") }
    multi = MultiHandle(pointer: pointer)
    let error = startThread()
    guard error == 0 else {
      curl_multi_cleanup(pointer)
      throw failure("no thread: \(String(cString: strerror(error)))")
    }
  }

  func start(_ job: Job) {
    if !post(.start(job)) { job.fail(.cancelled, "the client was stopped") }
  }

  func cancel(_ ticket: Ticket) {
    ticket.cancel()
    _ = post(.cancel(ticket))
  }

  func resume(_ ticket: Ticket) { _ = post(.resume(ticket)) }

  /// Ends the thread; transfers under way fail as cancelled.
  func stop() {
    inbox.withLock { inbox in
      guard inbox.isOpen else { return }
      inbox.isOpen = false
      curl_multi_wakeup(multi.pointer)
    }
  }

  private func post(_ command: Command) -> Bool {
    inbox.withLock { inbox in
      guard inbox.isOpen else { return false }
      inbox.commands.append(command)
      // One wake-up is enough for whatever gathers until the thread looks.
      if inbox.commands.count == 1 { curl_multi_wakeup(multi.pointer) }
      return true
    }
  }

  // Once in a process, and safe from any thread since libcurl 7.84.
  private static let isInitialised = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

  /// - Returns: 0 or an errno.
  private func startThread() -> Int32 {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, Self.stackSize)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    var thread = pthread_t()
    let retained = Unmanaged.passRetained(self)
    let error = pthread_create(
      &thread, &attributes,
      { argument in
        if let argument { Unmanaged<CurlLoop>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, retained.toOpaque())
    if error != 0 { retained.release() }
    return error
  }

  private func run() {
    // Signals are for the program's own handlers; SIGPIPE of a dead connection stays pending and harmless.
    var signals = sigset_t()
    sigfillset(&signals)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    let transfers = TransferSet(multi: multi.pointer)
    while true {
      let (commands, isOpen) = inbox.withLock { inbox in
        defer { inbox.commands = [] }
        return (inbox.commands, inbox.isOpen)
      }
      for command in commands { transfers.handle(command) }
      guard isOpen else { break }
      transfers.step()
    }
    transfers.close()
    curl_multi_cleanup(multi.pointer)
  }
}
