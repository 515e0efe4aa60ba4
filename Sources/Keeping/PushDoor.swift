import Listening

/// Holds the listener of `push:`, and replaces it when the host file moves it.
actor PushDoor {
  /// What the host file says of it.
  struct Configuration: Hashable, Sendable {
    var address: ListenAddress
    /// One secret a line, two while rotating; read at each use.
    var secretFile: String
  }

  private let onPush: @Sendable () -> Void
  private let log: @Sendable (String) -> Void
  private var running: (configuration: Configuration, listener: WebListener)?
  /// Said once, not at each pass.
  private var trouble: String?

  init(log: @escaping @Sendable (String) -> Void, onPush: @escaping @Sendable () -> Void) {
    self.log = log
    self.onPush = onPush
  }

  /// Listens there, or nowhere; tried again at each call for as long as the address cannot be had. A hook only shortens
  /// a wait: without it the agent asks at its interval.
  func open(_ configuration: Configuration?) {
    if running?.configuration == configuration { return }
    close()
    guard let configuration else { return }
    let hook = PushHook(
      secrets: {
        try GuardedFile(
          path: configuration.secretFile, what: "the push hook's secret file", demand: .secret
        ).read(limit: PushHook.fileLimit)
      }, onPush: onPush, report: log)
    do throws(ListeningError) {
      running = (
        configuration, try WebListener(configuration.address) { hook.receive($0) }
      )
      trouble = nil
      log("push hook: listening on \(configuration.address)\(PushHook.path)")
    } catch {
      if trouble != error.description { log("push hook: \(error)") }
      trouble = error.description
    }
  }

  func close() {
    running?.listener.stop()
    running = nil
  }
}
