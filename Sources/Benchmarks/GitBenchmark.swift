import Foundation
import GitSource
import Keeping

/// Looking at an unchanged repository, and fetching one commit of many, over http, beside `git` in the same run; and
/// whether a thousand fetches leave memory behind.
struct GitBenchmark {
  static let commits = 10_000
  static let looks = 200
  static let fetches = 40
  static let enduring = 1_000

  let folder: String

  func run() async throws {
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    let server = "\(Workbench.tools)/git-server"
    let said = try await Workbench.shell(
      "\(Self.history) && \(server) start \(folder)/http --root \(folder)"
        .replacing("FOLDER", with: folder))
    let result: Result<Void, any Error>
    do {
      guard let line = said.split(separator: "\n").first(where: { $0.hasPrefix("URL=") }) else {
        throw KeepingError("no server: \(said)")
      }
      result = .success(try await measure("\(line.dropFirst(4))/onions.git"))
    } catch {
      result = .failure(error)
    }
    _ = try await Workbench.shell("\(server) stop \(folder)/http")
    try FileManager.default.removeItem(atPath: folder)
    try result.get()
  }

  /// Ten thousand commits, each of which changes one of a hundred definitions.
  private static let history = """
    git init -q --bare -b main FOLDER/onions.git && for i in $(seq 1 \(commits)); do
    printf 'commit refs/heads/main\\nmark :%d\\ncommitter b <b@b> %d +0000\\ndata 1\\nx' $i $((1700000000 + i))
    [ $i = 1 ] || printf '\\nfrom :%d' $((i - 1))
    [ $i = 1 ] && printf '\\nM 100644 inline onionkeeper.yaml\\ndata 11\\nversion: 1\\n'
    printf '\\nM 100644 inline services/s%d.yaml\\ndata 24\\nhosts: [h]   # %09d\\n\\n' $((i % 100)) $i
    done | git -C FOLDER/onions.git fast-import --quiet
    """

  private func measure(_ url: String) async throws {
    let source = RepositorySource(url: url, branch: "main", allowPlainHTTP: true)
    let mirror = GitMirror(at: "\(folder)/mirror.git", source: source)
    try await mirror.fetch()
    let clone = "\(folder)/clone.git"
    _ = try await Workbench.shell("git clone -q --bare --single-branch \(url) \(clone)")
    try await look(mirror, url)
    try await fetch(mirror, clone)
    try await endure(mirror)
  }

  private func look(_ mirror: GitMirror, _ url: String) async throws {
    let requests = try countRequests()
    var (ours, theirs): ([Double], [Double]) = ([], [])
    var used = 0.0
    for _ in 0..<Self.looks {
      let before = PassBenchmark.processorMilliseconds()
      ours.append(try await PassBenchmark.time { _ = try await mirror.look() })
      used += PassBenchmark.processorMilliseconds() - before
    }
    let asked = Double(try countRequests() - requests) / Double(Self.looks)
    for _ in 0..<Self.fetches {
      theirs.append(
        try await PassBenchmark.time {
          _ = try await Workbench.shell("git ls-remote -q \(url) refs/heads/main")
        })
    }
    print(
      String(
        format: "unchanged: %.1f requests, %.2f ms, of it %.2f ms own CPU (git ls-remote %.1f ms)",
        asked, PassBenchmark.median(ours), used / Double(Self.looks), PassBenchmark.median(theirs)))
  }

  private func fetch(_ mirror: GitMirror, _ clone: String) async throws {
    var (ours, theirs): ([Double], [Double]) = ([], [])
    for number in 0..<Self.fetches {
      try await commit(number)
      ours.append(try await PassBenchmark.time { try await mirror.fetch() })
      theirs.append(
        try await PassBenchmark.time {
          _ = try await Workbench.shell(
            "git -C \(clone) fetch -q origin +refs/heads/main:refs/heads/main")
        })
    }
    let (our, their) = (PassBenchmark.median(ours), PassBenchmark.median(theirs))
    print(
      String(
        format: "one commit on %d: %.1f ms, git fetch %.1f ms, ratio %.2f", Self.commits, our,
        their,
        our / their))
  }

  private func endure(_ mirror: GitMirror) async throws {
    for number in 0..<100 { try await step(mirror, number) }
    let before = PassBenchmark.residentMegabytes()
    for number in 100..<100 + Self.enduring { try await step(mirror, number) }
    let after = PassBenchmark.residentMegabytes()
    print(
      String(
        format: "resident after 100 fetches %.1f MB, after %d more %.1f MB", before, Self.enduring,
        after))
  }

  private func step(_ mirror: GitMirror, _ number: Int) async throws {
    try await commit(number)
    try await mirror.fetch()
  }

  private func commit(_ number: Int) async throws {
    _ = try await Workbench.shell(
      "cd \(folder)/onions.git && git update-ref refs/heads/main $(git -c user.name=b -c user.email=b@b"
        + " commit-tree -p main -m \(number) main^{tree})")
  }

  private func countRequests() throws -> Int {
    try String(contentsOfFile: "\(folder)/http/requests.log", encoding: .utf8)
      .split(separator: "\n").count
  }
}
