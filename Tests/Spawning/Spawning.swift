import Glibc

/// A program that could not be started, or its standard output not be read.
public struct SpawnFailure: Error {
  public var words: [String]
}

/// Runs a program to its end, by popen(3).
///
/// Not by Foundation's `Process`: it copies whole `dirent` records of /proc/self/fd, past the end of readdir's buffer, and
/// crashes when a parallel test has more than a thousand descriptors open.
/// - Parameter environment: All of it; `nil`: this process's own.
/// - Returns: Its exit code (-1: ended by a signal) and what it wrote to standard output.
public func spawn(
  _ words: [String], environment: [String: String]? = nil
) throws -> (code: Int, output: [UInt8]) {
  var all = words
  if let environment { all = ["env", "-i"] + environment.map { "\($0.key)=\($0.value)" } + words }
  guard let stream = popen(all.map(quoted).joined(separator: " "), "re") else {
    throw SpawnFailure(words: words)
  }
  var output: [UInt8] = []
  var part = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = fread(&part, 1, part.count, stream)
    if count == 0 { break }
    output += part[..<count]
  }
  let status = pclose(stream)
  return (status & 0x7f == 0 ? Int(status >> 8 & 0xff) : -1, output)
}

private func quoted(_ word: String) -> String {
  "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
    + "'"
}
