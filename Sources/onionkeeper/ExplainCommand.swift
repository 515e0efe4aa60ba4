import ArgumentParser
import Explaining
import Foundation
import Keeping

struct ExplainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Say why tor fails here: from logs, audit records, torrc, units and listings.",
    discussion: """
      Reads any mix of files (standard input without one, or for -), and knows by itself what each line is: audit records \
      in every form (audit.log, ausearch, journal, dmesg, setroubleshoot), tor's log lines with any prefix, torrc, systemd \
      units, ls, namei, stat, compose files and run commands, sestatus, getsebool. Says what blocks first, why, on which \
      lines that rests, how sure it is, and what to do, from the least to the most that is given away.

      It changes nothing and needs no host file. Without --host it asks nothing of this machine, so it may run elsewhere.

        onionkeeper explain /var/log/audit/audit.log
        journalctl -u tor -b | onionkeeper explain --host
        onionkeeper explain tor.log audit.log /etc/tor/torrc <(systemctl cat tor)
      """)

  @Argument(help: "Files; - is standard input.")
  var files: [String] = []

  @Flag(
    name: .long,
    help: "Also ask this host: loaded policy, booleans, owners and labels on the way, unit, engine."
  )
  var host = false

  @Flag(name: .long, help: "One JSON document.")
  var json = false

  func run() async throws {
    try await reporting {
      var explainer = Explainer()
      var failures = 0
      for file in files.isEmpty ? ["-"] : files {
        do throws(InputError) {
          try read(file, into: &explainer)
        } catch {
          complain(error.text)
          failures += 1
        }
      }
      let answers = host ? await HostInquiry.answer(explainer.questions()) : nil
      let explanation = explainer.finish(host: answers)
      if json {
        try printJSON(explanation)
      } else {
        let isTerminal = isatty(STDOUT_FILENO) == 1
        let wantsColour =
          isTerminal && ProcessInfo.processInfo.environment["NO_COLOR"]?.isEmpty ?? true
        for line in ExplanationText(isColoured: wantsColour).lines(explanation) { print(line) }
      }
      if failures > 0 { throw ExitCode.failure }
    }
  }

  /// Bytes that are read at once.
  private static let chunk = 256 << 10

  /// What compressors write first.
  private static let compressed: [(magic: [UInt8], program: String)] = [
    ([0x1f, 0x8b], "zcat"), ([0xfd, 0x37, 0x7a, 0x58, 0x5a], "xzcat"),
    ([0x28, 0xb5, 0x2f, 0xfd], "zstdcat"), ([0x42, 0x5a, 0x68], "bzcat"),
  ]

  private func read(_ file: String, into explainer: inout Explainer) throws(InputError) {
    let isInput = file == "-"
    if isInput, isatty(STDIN_FILENO) == 1 { complain("reading standard input; end it with Ctrl-D") }
    let descriptor = isInput ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw InputError(file, String(cString: strerror(errno))) }
    defer { if !isInput { close(descriptor) } }
    var bytes = [UInt8](repeating: 0, count: Self.chunk)
    var isFirst = true
    while true {
      let count = bytes.withUnsafeMutableBytes {
        Foundation.read(descriptor, $0.baseAddress, $0.count)
      }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw InputError(file, String(cString: strerror(errno))) }
      if isFirst {
        isFirst = false
        if let found = Self.compressed.first(where: {
          bytes.prefix(max(0, count)).starts(with: $0.magic)
        }) {
          throw InputError(
            file, "is compressed; \(found.program) \(file) | onionkeeper explain reads it")
        }
        explainer.begin(isInput ? "-" : file)
      }
      guard count > 0 else { return }
      explainer.read(bytes[..<count])
    }
  }
}

/// An input that could not be read; the others are explained all the same.
private struct InputError: Error {
  var text: String

  init(_ file: String, _ why: String) { text = "\(file): \(why)" }
}
