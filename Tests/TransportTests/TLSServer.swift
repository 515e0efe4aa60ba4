import Foundation
import Glibc
import StubServer

/// Python's HTTPS server with a certificate of its own for `localhost`; ends when it is released.
final class TLSServer {
  let port: Int
  let certificate: String
  private let folder: TemporaryPath
  private let pid: pid_t

  init() throws {
    folder = try TemporaryPath()
    certificate = folder.appending("certificate.pem")
    let key = folder.appending("key.pem")
    let made = try Self.spawn([
      "/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
      "-keyout", key, "-out", certificate,
    ])
    var status: Int32 = 0
    guard waitpid(made.pid, &status, 0) == made.pid, status == 0 else {
      throw StubServer.Failure(description: "openssl req failed: is openssl installed?")
    }
    close(made.output)
    let script = """
      import http.server, ssl, sys
      server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
      server.RequestHandlerClass.do_GET = lambda r: (
        r.send_response(200), r.send_header("Content-Length", "0"), r.end_headers())
      context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
      context.load_cert_chain(sys.argv[1], sys.argv[2])
      server.socket = context.wrap_socket(server.socket, server_side=True)
      print(server.server_port, flush=True)
      server.serve_forever()
      """
    let server = try Self.spawn(["/usr/bin/python3", "-c", script, certificate, key])
    pid = server.pid
    defer { close(server.output) }
    var line: [UInt8] = []
    var byte: UInt8 = 0
    while read(server.output, &byte, 1) == 1, byte != UInt8(ascii: "\n") { line.append(byte) }
    guard let number = Int(String(decoding: line, as: UTF8.self)) else {
      throw StubServer.Failure(description: "the TLS server did not start: is python3 installed?")
    }
    port = number
  }

  deinit {
    kill(pid, SIGKILL)
    waitpid(pid, nil, 0)
  }

  /// - Returns: the process and the end of a pipe that its output comes from.
  private static func spawn(_ words: [String]) throws -> (pid: pid_t, output: Int32) {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw StubServer.Failure(description: "no pipe") }
    defer { close(ends[1]) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var pid = pid_t()
    let error = posix_spawn(&pid, words[0], &actions, nil, &arguments, environ)
    guard error == 0 else {
      close(ends[0])
      throw StubServer.Failure(description: "\(words[0]): \(String(cString: strerror(error)))")
    }
    return (pid, ends[0])
  }
}
