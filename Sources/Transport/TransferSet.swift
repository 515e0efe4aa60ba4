import CCurl
import Glibc

/// The transfers under way. Lives and is used on the loop's thread only.
final class TransferSet {
  /// Beyond it a caller is told at once instead of queueing without end.
  static let transferLimit = 256
  /// Over it transfers wait inside libcurl, and their limits of time run.
  private static let connectionLimit = 64
  /// Handles kept for the next request: a pass uses a few at once.
  private static let spareLimit = 8
  /// Nothing has to be done without a command or libcurl's own timers; a bound all the same.
  private static let longestWait = Duration.seconds(600)

  private let multi: UnsafeMutableRawPointer
  private var transfers: [ObjectIdentifier: Transfer] = [:]
  private var spares: [UnsafeMutableRawPointer] = []

  init(multi: UnsafeMutableRawPointer) {
    self.multi = multi
    // Both are limits of comfort: an old libcurl without them would work the same, unbounded.
    _ = ccurl_multi_set_long(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, Self.connectionLimit)
    _ = ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, Self.spareLimit)
  }

  func handle(_ command: CurlLoop.Command) {
    switch command {
    case .start(let job): start(job)
    case .cancel(let ticket):
      if let transfer = transfers[ObjectIdentifier(ticket)] {
        transfer.fail(.cancelled, "cancelled")
        finish(transfer, CURLE_OK)
      }
    case .resume(let ticket): transfers[ObjectIdentifier(ticket)]?.resume()
    }
  }

  /// Lets libcurl work, ends what is done or idle, and waits for the next thing to happen.
  func step() {
    var running: Int32 = 0
    check(curl_multi_perform(multi, &running))
    endWhatIsDone()
    let wait = endWhatIsIdle()
    check(curl_multi_poll(multi, nil, 0, Int32(clamping: wait.milliseconds), nil))
  }

  /// Fails whatever is left and frees the handles.
  func close() {
    failAll(.cancelled, "the client was stopped")
    spares.forEach(curl_easy_cleanup)
    spares = []
  }

  private func start(_ job: Job) {
    guard !job.ticket.isCancelled else { return job.fail(.cancelled, "cancelled") }
    guard transfers.count < Self.transferLimit else {
      return job.fail(.overloaded, "more than \(Self.transferLimit) requests at once")
    }
    guard let handle = spares.popLast() ?? curl_easy_init() else {
      return job.fail(.failed, "curl_easy_init failed: out of memory")
    }
    let transfer: Transfer
    do {
      transfer = try Transfer(job, handle: handle)
    } catch {
      keep(handle)
      return job.fail(error)
    }
    transfers[ObjectIdentifier(job.ticket)] = transfer
    let code = curl_multi_add_handle(multi, handle)
    guard code == CURLM_OK else {
      transfer.fail(.failed, String(cString: curl_multi_strerror(code)))
      return finish(transfer, CURLE_OK)
    }
  }

  private func endWhatIsDone() {
    var left: Int32 = 0
    while let message = curl_multi_info_read(multi, &left) {
      guard message.pointee.msg == CURLMSG_DONE else { continue }
      // The message is gone once the handle is removed: both are read first.
      let (handle, code) = (message.pointee.easy_handle, ccurl_message_result(message))
      if let transfer = transfers.values.first(where: { $0.handle == handle }) {
        finish(transfer, code)
      }
    }
  }

  /// - Returns: how long nothing can become idle.
  private func endWhatIsIdle() -> Duration {
    var wait = Self.longestWait
    let now = SuspendingClock.now
    for transfer in transfers.values {
      guard let left = transfer.idleTimeLeft(at: now) else { continue }
      if left > .zero {
        wait = min(wait, left)
      } else {
        transfer.fail(
          .timeout, "no byte came or went for \(transfer.job.request.limits.idle ?? .zero)")
        finish(transfer, CURLE_OK)
      }
    }
    return wait
  }

  private func finish(_ transfer: Transfer, _ code: CURLcode) {
    transfers[ObjectIdentifier(transfer.job.ticket)] = nil
    curl_multi_remove_handle(multi, transfer.handle)
    transfer.finish(code)
    keep(transfer.handle)
  }

  private func keep(_ handle: UnsafeMutableRawPointer) {
    guard spares.count < Self.spareLimit else { return curl_easy_cleanup(handle) }
    curl_easy_reset(handle)
    spares.append(handle)
  }

  private func failAll(_ code: TransportError.Code, _ message: String) {
    for transfer in Array(transfers.values) {
      transfer.fail(code, message)
      finish(transfer, CURLE_OK)
    }
  }

  /// A multi handle fails only for want of memory or descriptors, or by our own mistake: every caller is told, and a
  /// short pause keeps the thread from spinning.
  private func check(_ code: CURLMcode) {
    guard code != CURLM_OK else { return }
    failAll(.failed, String(cString: curl_multi_strerror(code)))
    usleep(100_000)
  }
}

extension Duration {
  /// Rounded up, so that a wait is never shorter than wished; at least 1 if there is anything.
  var milliseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
  }
}
