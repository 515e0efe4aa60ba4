import Crypto
import FoundationEssentials
import Synchronization

/// Takes a forge's word that something was pushed, and wakes the agent. What it says else is not read.
///
/// Proven by HMAC-SHA256 over the body: `X-Hub-Signature-256: sha256=HEX` (GitHub, also Forgejo),
/// `X-Forgejo-Signature`, `X-Gitea-Signature` or `X-Gogs-Signature: HEX`; or by `X-Gitlab-Token`, which is the secret itself.
public struct PushHook: Sendable {
  public static let path = "/hooks/push"
  /// GitHub sends at most 25 MiB. It is hashed as it comes, and not kept.
  public static let bodyLimit = 25 << 20
  /// As many at once, then one in so many seconds: a pass is dearer than a hook.
  static let (burst, pause) = (10, 2.0)
  /// Failed proofs, which cost a hash each.
  static let (failureBurst, failurePause) = (20, 1.0)
  /// Shorter secrets could be guessed from one request that was overheard.
  public static let secretLength = 16...1024
  /// Two while rotating.
  public static let secretLimit = 2
  /// Bytes of their file.
  public static let fileLimit = 4096

  private let secrets: @Sendable () throws -> [UInt8]
  private let onPush: @Sendable () -> Void
  private let report: @Sendable (String) -> Void
  private let pushes: Allowance
  private let failures: Allowance

  /// - Parameters:
  ///   - secrets: brings the secret file's bytes, at each use; must not block for long.
  ///   - onPush: called for each proven request.
  ///   - report: told why the secrets cannot be had.
  public init(
    secrets: @escaping @Sendable () throws -> [UInt8], onPush: @escaping @Sendable () -> Void,
    report: @escaping @Sendable (String) -> Void
  ) {
    self.init(
      secrets: secrets, onPush: onPush, report: report,
      pushes: Allowance(burst: Self.burst, pause: Self.pause),
      failures: Allowance(burst: Self.failureBurst, pause: Self.failurePause))
  }

  init(
    secrets: @escaping @Sendable () throws -> [UInt8], onPush: @escaping @Sendable () -> Void,
    report: @escaping @Sendable (String) -> Void, pushes: Allowance, failures: Allowance
  ) {
    self.pushes = pushes
    self.failures = failures
    self.secrets = secrets
    self.onPush = onPush
    self.report = report
  }

  /// One secret a line; blank lines do not count.
  /// - Returns: `nil` unless there are one or two, each of `secretLength`.
  public static func secrets(in bytes: [UInt8]) -> [[UInt8]]? {
    let lines = bytes.split { $0 == 0x0a || $0 == 0x0d }.map(Array.init)
    guard (1...secretLimit).contains(lines.count),
      lines.allSatisfy({ secretLength.contains($0.count) })
    else { return nil }
    return lines
  }

  /// For `WebListener`.
  public func receive(_ head: WebHead) -> WebReception {
    guard head.path == Self.path else {
      return .answer(WebAnswer(404, "only \(Self.path) is here"))
    }
    guard head.method == "POST" else {
      return .answer(WebAnswer(405, "POST it", headers: ["Allow": "POST"]))
    }
    guard let claim = Claim(head) else {
      return refuse("a signature or token of Forgejo, Gitea, GitHub or GitLab is missing")
    }
    guard failures.hasLeft() else { return .answer(busy(Self.failurePause)) }
    let keys: [[UInt8]]
    do {
      guard let read = Self.secrets(in: try secrets()) else {
        report("push.secretFile must hold one secret of 16 to 1024 bytes, or two, a line each")
        return .answer(WebAnswer(503, "the secret of this host is not usable"))
      }
      keys = read
    } catch {
      report("push.secretFile: \(error)")
      return .answer(WebAnswer(503, "the secret of this host is not usable"))
    }
    let proofs = keys.map { Proof(claim, key: $0) }
    return .body(
      limit: Self.bodyLimit,
      piece: { piece in for proof in proofs { proof.update(piece) } },
      end: {
        // Each is asked, so that which of two fits cannot be told by the time.
        let fits = proofs.map { $0.holds() }
        guard fits.contains(true) else {
          failures.use()
          return WebAnswer(401, "the signature or token is not of the secret that this host has")
        }
        guard pushes.use() else { return busy(Self.pause) }
        onPush()
        return WebAnswer(202, "the repository is looked at")
      })
  }

  private func refuse(_ reason: String) -> WebReception {
    failures.use() ? .answer(WebAnswer(401, reason)) : .answer(busy(Self.failurePause))
  }

  private func busy(_ pause: Double) -> WebAnswer {
    WebAnswer(
      429, "too many of them; the repository is looked at anyway",
      headers: ["Retry-After": String(Int(pause.rounded(.up)))])
  }
}

/// What a request says in proof of itself.
private enum Claim {
  case signature([UInt8])
  case token(String)

  init?(_ head: WebHead) {
    for name in ["x-forgejo-signature", "x-gitea-signature", "x-gogs-signature"] {
      if let bytes = head.value(name).flatMap(bytesOfHex) {
        self = .signature(bytes)
        return
      }
    }
    if let text = head.value("x-hub-signature-256"), text.hasPrefix("sha256="),
      let bytes = bytesOfHex(String(text.dropFirst(7)))
    {
      self = .signature(bytes)
    } else if let token = head.value("x-gitlab-token"), !token.isEmpty {
      self = .token(token)
    } else {
      return nil
    }
  }
}

/// 32 bytes in hexadecimal.
private func bytesOfHex(_ text: String) -> [UInt8]? {
  guard text.utf8.count == 64 else { return nil }
  var bytes: [UInt8] = []
  var rest = Substring(text)
  while !rest.isEmpty {
    guard let byte = UInt8(rest.prefix(2), radix: 16), rest.first != "+" else { return nil }
    bytes.append(byte)
    rest = rest.dropFirst(2)
  }
  return bytes
}

/// A claim being held against one key.
private final class Proof {
  private let claim: Claim
  private let key: SymmetricKey
  private var mac: HMAC<SHA256>

  init(_ claim: Claim, key: [UInt8]) {
    self.claim = claim
    self.key = SymmetricKey(data: key)
    mac = HMAC(key: self.key)
  }

  func update(_ piece: ArraySlice<UInt8>) { mac.update(data: Array(piece)) }

  /// In a time that depends on nothing secret.
  func holds() -> Bool {
    switch claim {
    case .signature(let bytes):
      let code = mac.finalize()
      return HMAC<SHA256>.isValid(code, is: bytes)
    case .token(let token):
      // Both are hashed with a key of the moment, so that neither length nor content shows in the time.
      let moment = SymmetricKey(size: .bits256)
      let given = HMAC<SHA256>.authenticationCode(for: Array(token.utf8), using: moment)
      let ours = key.withUnsafeBytes {
        HMAC<SHA256>.authenticationCode(for: Array($0), using: moment)
      }
      return HMAC<SHA256>.isValid(ours, is: Array(given))
    }
  }
}

extension HMAC {
  /// Equal, in constant time: `MessageAuthenticationCode` compares so with bytes.
  fileprivate static func isValid(_ code: MAC, is bytes: [UInt8]) -> Bool { code == Data(bytes) }
}

/// So many at once, and one more in each pause.
final class Allowance: Sendable {
  private let burst: Double
  private let pause: Double
  private let state: Mutex<(left: Double, last: ContinuousClock.Instant)>

  init(burst: Int, pause: Double) {
    self.burst = Double(burst)
    self.pause = pause
    state = Mutex((Double(burst), .now))
  }

  func hasLeft() -> Bool { state.withLock { fill(&$0) >= 1 } }

  /// - Returns: whether there was one.
  @discardableResult func use() -> Bool {
    state.withLock { state in
      guard fill(&state) >= 1 else { return false }
      state.left -= 1
      return true
    }
  }

  private func fill(_ state: inout (left: Double, last: ContinuousClock.Instant)) -> Double {
    let now = ContinuousClock.now
    state.left = min(burst, state.left + (state.last.duration(to: now) / .seconds(1)) / pause)
    state.last = now
    return state.left
  }
}
