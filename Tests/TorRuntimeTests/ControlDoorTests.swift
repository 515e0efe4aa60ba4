import Foundation
import Glibc
import Synchronization
import Testing
import TorRuntime

/// What tor's user could put in the place of cookie and socket.
@Suite struct ControlDoorTests {
  enum Trick: String, CaseIterable, CustomTestStringConvertible {
    case noFolder, folderIsLink, folderIsFile
    case noCookie, cookieShort, cookieLong, cookieLink, cookieHardLink, cookieOfOther, cookiePipe
    case cookieFolder
    case noSocket, socketLink, socketFile, socketPipe, socketFolder, socketOfOther, listenerOfOther,
      socketDead

    var testDescription: String { rawValue }

    var expected: ControlError.Code {
      switch self {
      case .noFolder, .noCookie, .noSocket: .absent
      case .socketDead: .unreachable
      default: .untrusted
      }
    }
  }

  @Test(arguments: Trick.allCases)
  func refusedWithoutAWord(_ trick: Trick) async throws {
    let scratch = try Scratch()
    let run = try scratch.folder("run")
    let cookie = "\(run)/cookie"
    let control = "\(run)/control"
    try write([UInt8](repeating: 1, count: 32), to: cookie)
    let heard = Mutex<[String]>([])
    let server = try FakeControlServer(path: control) { connection in
      while let line = connection.readLine() { heard.withLock { $0.append(line) } }
    }
    try play(trick, run: run, cookie: cookie, control: control, server: server)

    let error = await #expect(throws: ControlError.self) {
      try await ControlClient(
        run: run, owner: trick == .listenerOfOther ? 7943 : Int(getuid()),
        observationLimit: .seconds(60)
      ).observe()
    }
    server.stop()
    #expect(error?.code == trick.expected, "\(String(describing: error))")
    #expect(heard.withLock { $0 }.isEmpty)
  }

  private func play(
    _ trick: Trick, run: String, cookie: String, control: String, server: FakeControlServer
  ) throws {
    let files = FileManager.default
    switch trick {
    case .noFolder: try files.moveItem(atPath: run, toPath: run + "2")
    case .folderIsLink:
      try files.moveItem(atPath: run, toPath: run + "2")
      try check(symlink(run + "2", run), "symlink")
    case .folderIsFile:
      try files.moveItem(atPath: run, toPath: run + "2")
      try write("", to: run)
    case .noCookie: try files.removeItem(atPath: cookie)
    case .cookieShort: try write([UInt8](repeating: 1, count: 31), to: cookie)
    case .cookieLong: try write([UInt8](repeating: 1, count: 33), to: cookie)
    case .cookieLink:
      try files.moveItem(atPath: cookie, toPath: cookie + "2")
      try check(symlink("cookie2", cookie), "symlink")
    case .cookieHardLink: try check(link(cookie, cookie + "2"), "link")
    case .cookieOfOther: try check(chown(cookie, 7943, 7943), "chown")
    case .cookiePipe:
      try files.removeItem(atPath: cookie)
      try check(mkfifo(cookie, 0o600), "mkfifo")
    case .cookieFolder:
      try files.removeItem(atPath: cookie)
      try check(mkdir(cookie, 0o700), "mkdir")
    case .noSocket: try check(unlink(control), "unlink")
    case .socketLink:
      try check(rename(control, control + "2"), "rename")
      try check(symlink("control2", control), "symlink")
    case .socketFile:
      try check(unlink(control), "unlink")
      try write("", to: control)
    case .socketPipe:
      try check(unlink(control), "unlink")
      try check(mkfifo(control, 0o600), "mkfifo")
    case .socketFolder:
      try check(unlink(control), "unlink")
      try check(mkdir(control, 0o700), "mkdir")
    case .socketOfOther: try check(chown(control, 7943, 7943), "chown")
    case .listenerOfOther:
      // Files can be given away; who listens cannot be hidden.
      try check(chown(control, 7943, 7943), "chown")
      try check(chown(cookie, 7943, 7943), "chown")
    case .socketDead: server.stop()
    }
  }
}
