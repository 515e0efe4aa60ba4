import OnionModel
import Testing
import TorRuntime

@Suite struct LogLinesTests {
  private let address = OnionAddress(publicKey: Array(repeating: 7, count: 32))

  @Test func addressesAndKeysAreShortened() {
    let id = address.identifier
    #expect(
      LogLines.redact("[notice] desc for \(address) and \(id.uppercased())!")
        == "[notice] desc for \(id.prefix(8))….onion and \(id.uppercased().prefix(8))…!")
    let key = String(repeating: "A2", count: 26)
    #expect(!LogLines.redact("descriptor:x25519:\(key)").contains(key))
    #expect(
      LogLines.redact("/keys/blog/hs_ed25519_secret_key") == "/keys/blog/hs_ed25519_secret_key")
  }

  @Test func linesAreCutAndClean() {
    #expect(LogLines.redact("a\u{1B}[31mb\r") == "a\u{FFFD}[31mb\u{FFFD}")
    let long = LogLines.redact(String(repeating: "0 ", count: 5000))
    #expect(long.count == LogLines.lineLimit + 1)
    // Where a cut falls into an address, no better part of it is left.
    for padding in [470, 490, 4096 - 20, 4096 - 49, 4096 - 55] {
      let line =
        String(repeating: "0", count: padding % 500)
        + String(repeating: "a", count: padding - padding % 500)
      let cut = LogLines.redact(line + "." + address.text)
      #expect(!cut.contains(address.identifier.prefix(12)), "padding \(padding)")
    }
    #expect(LogLines.excerpt((0..<100).map { "\($0)" }) == (80..<100).map { "\($0)" })
  }

  /// Lines of tor 0.4.9.11 (facts: tor.md §3, engine.md §4).
  @Test(arguments: [
    ("[warn] Directory /keys/a cannot be read: Permission denied", "may not read a directory"),
    (
      "[warn] /keys/a is not owned by this user (<unknown>, 7942) but by root (0). Perhaps you are running Tor as the wrong user?",
      "does not belong"
    ),
    ("[warn] Permissions on directory /keys/a are too permissive.", "0700"),
    (
      "[warn] /keys/a/hs_ed25519_public_key does not match /keys/a/hs_ed25519_secret_key!  If you are trying to restore from backup",
      "different addresses"
    ),
    (
      "[warn] We needed to load a secret key from /keys/a/hs_ed25519_secret_key, but couldn't find it.",
      "missing or damaged"
    ),
    ("[warn] Unparseable address in hidden service port configuration.", "could not be resolved"),
    ("onionkeeper: tor not started: a public key is missing", "start guard refused"),
    ("[warn] Directory /keys/a cannot be read: Too many levels of symbolic links", "symbolic link"),
    (
      "[warn] Couldn't open \"/keys/a/hostname.tmp\" (x) for writing: Read-only file system",
      "not complete"
    ),
  ])
  func findings(_ line: String, _ part: String) throws {
    let lines = [
      "[notice] Tor 0.4.9.11 running", line, "[err] Reading config failed--see warnings above.",
    ]
    #expect(try #require(LogLines.finding(in: lines)).contains(part))
  }

  @Test func nothingKnown() {
    #expect(LogLines.finding(in: ["[notice] Bootstrapped 100% (done): Done"]) == nil)
    #expect(LogLines.finding(in: []) == nil)
  }
}
