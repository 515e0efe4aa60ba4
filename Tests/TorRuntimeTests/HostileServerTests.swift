import Crypto
import Glibc
import Synchronization
import Testing

@testable import TorRuntime

/// A control port that lies, stalls or floods. Each session must end by itself with the right error.
@Suite struct HostileServerTests {
  private static let cookie = [UInt8](repeating: 0xA5, count: 32)

  enum Attack: String, CaseIterable, CustomTestStringConvertible {
    case silent, closesAtOnce, endlessLine, endlessLines, endlessEvents, slowDrip, garbage
    case speaksFirst, refusesChallenge, wrongHash, wrongHashLength, wrongNonce, refusesAnswer
    case closesAfterHandshake, oversizedAnswer, wrongAnswer, noProgress, endlessBlock, trailingReply

    var testDescription: String { rawValue }

    var expected: ControlError.Code {
      switch self {
      case .silent, .slowDrip: .timedOut
      case .closesAtOnce, .closesAfterHandshake: .closed
      case .endlessLine, .endlessLines, .endlessEvents, .oversizedAnswer, .endlessBlock: .oversized
      case .garbage, .speaksFirst, .wrongHashLength, .wrongNonce, .wrongAnswer, .noProgress,
        .trailingReply:
        .malformed
      case .refusesChallenge, .wrongHash, .refusesAnswer: .unauthenticated
      }
    }
  }

  @Test(arguments: Attack.allCases)
  func sessionEnds(_ attack: Attack) async throws {
    let scratch = try Scratch()
    let run = try scratch.folder("run")
    try write(Self.cookie, to: "\(run)/cookie")
    let server = try FakeControlServer(path: "\(run)/control") { Self.play(attack, $0) }
    defer { server.stop() }
    // Those that must run into the limit get a short one; the others must end long before a generous one.
    let isTimed = attack.expected == .timedOut
    let client = ControlClient(
      run: run, owner: Int(getuid()), observationLimit: isTimed ? .milliseconds(300) : .seconds(60))
    let error = await #expect(throws: ControlError.self) { try await client.observe() }
    #expect(error?.code == attack.expected, "\(String(describing: error))")
    if let message = error?.message {
      #expect(message.utf8.count < 1000)
      #expect(message.unicodeScalars.allSatisfy { $0.value >= 0x20 })
    }
  }

  @Test func aTorThatEndsDuringAReload() async throws {
    let scratch = try Scratch()
    let run = try scratch.folder("run")
    try write(Self.cookie, to: "\(run)/cookie")
    let heard = Mutex<[String]>([])
    let server = try FakeControlServer(path: "\(run)/control") { connection in
      guard Self.handshake(connection) else { return }
      while let line = connection.readLine(), line != "." {
        heard.withLock { $0.append(line) }
      }
    }
    let error = await #expect(throws: ControlError.self) {
      try await ControlClient(run: run, owner: Int(getuid()))
        .reload(torrc: "A 1\n.B\n\n..\nC", expecting: [])
    }
    server.stop()
    #expect(error?.code == .died)
    #expect(heard.withLock { $0 } == ["+LOADCONF", "A 1", "..B", "", "...", "C"])
  }

  private static func play(_ attack: Attack, _ connection: FakeConnection) {
    switch attack {
    case .closesAtOnce: return
    case .silent: connection.drain()
    case .speaksFirst:
      connection.send("250 hello\r\n250 again\r\n")
      connection.drain()
    case .endlessLine, .endlessLines, .endlessEvents, .slowDrip, .garbage, .refusesChallenge,
      .wrongHash, .wrongHashLength, .wrongNonce:
      guard let challenge = connection.readLine() else { return }
      playChallenge(attack, challenge, connection)
    case .refusesAnswer:
      _ = handshake(connection, end: "515 Authentication failed")
      connection.drain()
    default:
      guard handshake(connection, end: "250 OK"), connection.readLine() != nil else { return }
      playQuestion(attack, connection)
    }
  }

  private static func playChallenge(
    _ attack: Attack, _ challenge: String, _ connection: FakeConnection
  ) {
    let zeros = String(repeating: "00", count: 32)
    switch attack {
    case .endlessLine: while connection.send(String(repeating: "2", count: 4096)) {}
    case .endlessLines: while connection.send(String(repeating: "250-a=b\r\n", count: 500)) {}
    case .endlessEvents: while connection.send(String(repeating: "650 CIRC\r\n", count: 500)) {}
    case .slowDrip: while connection.send("2") { usleep(20_000) }
    case .garbage: connection.send("HTTP/1.1 200 OK\r\n\r\n")
    case .refusesChallenge:
      connection.send("512 \u{1B}[2JInvalid \(String(repeating: "x", count: 5000))\r\n")
    case .wrongHash:
      connection.send("250 AUTHCHALLENGE SERVERHASH=\(zeros) SERVERNONCE=\(zeros)\r\n")
      // Whoever does not know the cookie must not be given an answer, nor be believed.
      if connection.readLine() != nil { connection.send("250 OK\r\n") }
    case .wrongHashLength:
      connection.send("250 AUTHCHALLENGE SERVERHASH=00 SERVERNONCE=\(zeros)\r\n")
    default:
      let nonce = "g" + zeros.dropFirst()
      connection.send("250 AUTHCHALLENGE SERVERHASH=\(zeros) SERVERNONCE=\(nonce)\r\n")
    }
    connection.drain()
  }

  private static func playQuestion(_ attack: Attack, _ connection: FakeConnection) {
    switch attack {
    case .closesAfterHandshake: return
    case .oversizedAnswer:
      while connection.send("250-version=\(String(repeating: "9", count: 60_000))\r\n") {}
    case .endlessBlock:
      connection.send("250+version=\r\n")
      while connection.send(String(repeating: "line\r\n", count: 500)) {}
    case .wrongAnswer: connection.send("250 OK\r\n250-late=1\r\n")
    case .trailingReply: connection.send("250-version=1\r\n250 OK\r\n250 OK\r\n")
    default:
      connection.send("250-version=1\r\n250-status/bootstrap-phase=PROGRESS=1e3\r\n250 OK\r\n")
      if connection.readLine() != nil { connection.send("250 HiddenServiceOptions\r\n") }
      if connection.readLine() != nil { connection.send("250-circuit-status=\r\n250 OK\r\n") }
    }
    connection.drain()
  }

  /// The server's side of SAFECOOKIE (control-spec, AUTHCHALLENGE), written apart from the client's.
  private static func handshake(_ connection: FakeConnection, end: String = "250 OK") -> Bool {
    guard let line = connection.readLine(), let digits = line.split(separator: " ").last,
      line.hasPrefix("AUTHCHALLENGE SAFECOOKIE "), digits.utf8.count == 64
    else { return false }
    let clientNonce = stride(from: 0, to: 64, by: 2).map { offset in
      UInt8(digits.dropFirst(offset).prefix(2), radix: 16) ?? 0
    }
    let serverNonce = [UInt8](repeating: 3, count: 32)
    func hash(_ key: String) -> String {
      HMAC<SHA256>.authenticationCode(
        for: cookie + clientNonce + serverNonce, using: SymmetricKey(data: Array(key.utf8))
      ).map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }
    let server = hash("Tor safe cookie authentication server-to-controller hash").uppercased()
    let nonce = String(repeating: "03", count: 32)
    connection.send("250 AUTHCHALLENGE SERVERHASH=\(server) SERVERNONCE=\(nonce)\r\n")
    let client = hash("Tor safe cookie authentication controller-to-server hash")
    guard connection.readLine() == "AUTHENTICATE \(client)" else { return false }
    return connection.send("\(end)\r\n")
  }
}
