import Engine
import Foundation

/// A root file system of a few MB: programs of this machine and the libraries that they are linked with. It has the
/// mount points of our instances, and `/tmp` and `/data` open to every user.
func tinyRoot(
  programs: [String] = ["/bin/sh", "/bin/sleep", "/bin/cat"]
) async throws -> TarArchive {
  var files: Set<String> = []
  for program in programs {
    files.insert(program)
    // Lines: "libc.so.6 => /lib/…/libc.so.6 (0x…)", "/lib64/ld-linux-x86-64.so.2 (0x…)", "linux-vdso.so.1 (0x…)".
    for word in try await run(["/usr/bin/ldd", program]).split(whereSeparator: \.isWhitespace)
    where word.hasPrefix("/") { files.insert(String(word)) }
  }
  var archive = TarArchive()
  for folder in ["keys", "etc", "etc/onionkeeper", "run", "run/tor"] {
    try archive.addDirectory(folder)
  }
  for folder in ["tmp", "data"] { try archive.addDirectory(folder, mode: 0o1777) }
  for file in files.sorted() {
    guard let bytes = FileManager.default.contents(atPath: file) else {
      throw TestFailure("\(file) cannot be read")
    }
    try archive.add(String(file.dropFirst()), mode: 0o755, bytes)
  }
  return archive
}
