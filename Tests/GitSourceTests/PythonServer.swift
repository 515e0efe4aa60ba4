import Foundation
import Testing

/// A small server of a test, written in Python: it prints its port, and ends with its standard input.
enum PythonServer {
  /// Before every program: what they share.
  private static let prelude = """
    import os, socket, ssl, struct, sys, threading
    def pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                try: end.shutdown(socket.SHUT_RDWR)
                except OSError: pass
    def join(left, right):
        threading.Thread(target=pump, args=(left, right), daemon=True).start()
        pump(right, left)
    def listen(serve):
        listener = socket.create_server(("127.0.0.1", 0))
        print(listener.getsockname()[1], flush=True)
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0))).start()
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    """

  /// Runs the program while `body` uses its port.
  static func serving(
    _ program: String, _ arguments: [String], _ body: (String) async throws -> Void
  ) async throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/python3")
    process.arguments = ["-c", prelude + program] + arguments
    let (input, output) = (Pipe(), Pipe())
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    let line = try #require(
      String(data: output.fileHandleForReading.availableData, encoding: .utf8))
    let result: Result<Void, any Error>
    do {
      result = .success(try await body(line.trimmingCharacters(in: .whitespacesAndNewlines)))
    } catch { result = .failure(error) }
    try input.fileHandleForWriting.close()
    process.waitUntilExit()
    try result.get()
  }

  /// TLS in front of a plain port.
  ///
  /// - Parameter certificate: a path; `.pem` holds the chain, `.key` the key.
  static func tls(
    certificate: String, to port: String, _ body: (String) async throws -> Void
  ) async throws {
    try await serving(
      """
      context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
      context.load_cert_chain(sys.argv[1] + ".pem", sys.argv[1] + ".key")
      def serve(plain):
          try:
              secure = context.wrap_socket(plain, server_side=True)
          except (ssl.SSLError, OSError):
              return plain.close()
          join(secure, socket.create_connection(("127.0.0.1", int(sys.argv[2]))))
      listen(serve)
      """, [certificate, port], body)
  }

  /// A SOCKS5 server that finds every name on this machine, and writes what it was asked to `log`: user, kind of
  /// address, address and port, a line each.
  ///
  /// - Parameter fault: what it does instead: an answer's code, `silent` after the request, `garbage`, `anonymous` (it
  ///   wants no name), `closes`.
  static func socks(
    log: String, fault: String = "", _ body: (String) async throws -> Void
  ) async throws {
    try await serving(
      """
      log, fault = sys.argv[1], sys.argv[2]
      def exactly(end, count):
          data = b""
          while len(data) < count:
              part = end.recv(count - len(data))
              if not part: raise OSError("closed")
              data += part
          return data
      def serve(end):
          try:
              negotiate(end)
          except OSError:
              end.close()
      def negotiate(end):
          version, count = exactly(end, 2)
          methods = exactly(end, count)
          if fault == "garbage": return end.sendall(b"HTTP/1.1 400 no\\r\\n\\r\\n")
          user = "-"
          if fault == "anonymous":
              end.sendall(b"\\x05\\x00")
          else:
              end.sendall(b"\\x05\\x02")
              user = exactly(end, exactly(end, 2)[1]).decode()
              exactly(end, exactly(end, 1)[0])
              end.sendall(b"\\x01\\x00")
          kind = exactly(end, 4)[3]
          if kind == 3: name = exactly(end, exactly(end, 1)[0]).decode()
          else: name = socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6, exactly(end, 4 if kind == 1 else 16))
          port, = struct.unpack("!H", exactly(end, 2))
          with open(log, "a") as file: print(user, kind, name, port, file=file)
          if fault == "silent": return threading.Event().wait()
          if fault == "closes": return end.close()
          if fault.isdigit(): return end.sendall(bytes([5, int(fault), 0, 1, 0, 0, 0, 0, 0, 0]))
          back = socket.create_connection(("127.0.0.1", port))
          end.sendall(b"\\x05\\x00\\x00\\x03\\x04here\\x00\\x00")
          join(end, back)
      listen(serve)
      """, [log, fault], body)
  }

  /// Stands in front of a server and breaks each connection as the file `control` says: `cut N` closes it after N bytes
  /// of the server's, `stall N` falls silent there. Without the file it passes everything on.
  static func breaking(
    _ port: String, control: String, _ body: (String) async throws -> Void
  ) async throws {
    try await serving(
      """
      def serve(end):
          try: fault, count = open(sys.argv[2]).read().split()
          except FileNotFoundError: fault, count = "", 0
          back = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
          if not fault: return join(end, back)
          threading.Thread(target=pump, args=(end, back), daemon=True).start()
          left = int(count)
          try:
              while left and (data := back.recv(left)):
                  end.sendall(data)
                  left -= len(data)
              if fault == "stall": threading.Event().wait()
          except OSError:
              pass
          for one in (end, back):
              try: one.shutdown(socket.SHUT_RDWR)
              except OSError: pass
      listen(serve)
      """, [port, control], body)
  }
}
