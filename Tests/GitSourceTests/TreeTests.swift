import GitSource
import Testing

@Suite struct TreeTests {
  @Test func readsWhatIsOursAndOnlyThat() async throws {
    let repository = try await Repository()
    let target = try await repository.blob("elsewhere")
    let big = try await repository.blob(String(repeating: "x", count: 2000))
    let script = try await repository.blob("#!/bin/sh\n")
    let services = try await repository.tree(of: ["b.yaml": "b", "a.yaml": "a", "deep/c.yaml": "c"])
    let image = try await repository.tree([
      "100644 blob \(big)\tDockerfile", "100755 blob \(script)\trun.sh",
    ])
    let images = try await repository.tree(["040000 tree \(image)\tcustom"])
    let secrets = try await repository.tree(of: [
      "blog.age": "sealed", "README.md": "text", "old/x.age": "x",
    ])
    let manifest = try await repository.blob("version: 1\n")
    // Outside of our folders, links, submodules and anything else are none of our business.
    let top = try await repository.tree([
      "100644 blob \(manifest)\tonionkeeper.yaml", "040000 tree \(services)\tservices",
      "040000 tree \(images)\timages", "040000 tree \(secrets)\tsecrets",
      "120000 blob \(target)\tlink", "160000 commit \(String(repeating: "1", count: 40))\tmodule",
      "100644 blob \(target)\tREADME.md",
    ])
    let commit = try await repository.commit(tree: top)
    let mirror = repository.mirror()
    try await mirror.fetch()
    let listing = try await mirror.readTree(commit: commit)
    #expect(listing.commit == commit)
    #expect(listing.tree == top)
    #expect(
      listing.files.map(\.path)
        == [
          "onionkeeper.yaml", "secrets/blog.age", "services/a.yaml", "services/b.yaml",
          "services/deep/c.yaml",
        ])
    let sealed = try #require(listing.files.first { $0.path == "secrets/blog.age" })
    #expect(sealed.content == .bytes(Array("sealed".utf8)))
    #expect(listing.files.first?.blob == manifest)
    #expect(
      listing.entries.map(\.path)
        == [
          "images/custom/Dockerfile", "images/custom/run.sh", "secrets/README.md",
          "secrets/old/x.age",
        ]
    )
    #expect(listing.entries.map(\.size) == [2000, 10, 4, 1])
    #expect(listing.entries.map(\.isExecutable) == [false, true, false, false])
    #expect(try await mirror.readBlob(sealed.blob, limit: 6) == Array("sealed".utf8))
    await expectError(.limit) { try await mirror.readBlob(sealed.blob, limit: 5) }
  }

  @Test func readsASubfolder() async throws {
    let repository = try await Repository()
    let inner = try await repository.tree(of: Repository.onions)
    let link = try await repository.blob("inner")
    let outer = try await repository.tree([
      "040000 tree \(inner)\tinner", "120000 blob \(link)\tlink",
    ])
    let commit = try await repository.commit(
      tree: try await repository.tree(["040000 tree \(outer)\touter"]))
    let mirror = repository.mirror { $0.path = "outer/inner" }
    try await mirror.fetch()
    let listing = try await mirror.readTree(commit: commit)
    #expect(listing.tree == inner)
    #expect(listing.files.map(\.path) == ["onionkeeper.yaml", "services/blog.yaml"])
    for bad in ["outer/none", "none", "outer/link", "outer/inner/onionkeeper.yaml"] {
      let error = await expectError(.badTree) {
        try await mirror.readTree(commit: commit, path: bad)
      }
      #expect(error.message.contains(bad))
    }
    // The top has nothing of ours: an empty listing, and not an error of the tree.
    #expect(try await mirror.readTree(commit: commit, path: ".").files.isEmpty)
  }

  @Test(arguments: [
    ("120000", "services", "symbolic link"), ("160000", "services", "submodule"),
    ("120000", "images", "symbolic link"), ("160000", "secrets", "submodule"),
  ])
  func linksAndSubmodulesAreRefused(mode: String, folder: String, says: String) async throws {
    let repository = try await Repository()
    let kind = mode == "160000" ? "commit" : "blob"
    let blob =
      kind == "commit" ? String(repeating: "1", count: 40) : try await repository.blob("target")
    let inner = try await repository.tree(["\(mode) \(kind) \(blob)\tbad"])
    try await expectRefused(
      repository, tree: try await repository.tree(["040000 tree \(inner)\t\(folder)"]),
      says: ["\(folder)/bad", says])
    // The folder itself, too.
    try await expectRefused(
      repository, tree: try await repository.tree(["\(mode) \(kind) \(blob)\t\(folder)"]),
      says: [folder, says])
  }

  @Test(arguments: ["120000 blob", "160000 commit", "040000 tree"])
  func manifestMustBeAFile(mode: String) async throws {
    let repository = try await Repository()
    let blob =
      switch mode {
      case "120000 blob": try await repository.blob("target")
      case "160000 commit": String(repeating: "1", count: 40)
      default: try await repository.tree(of: ["a": "a"])
      }
    try await expectRefused(
      repository, tree: try await repository.tree(["\(mode) \(blob)\tonionkeeper.yaml"]),
      says: ["onionkeeper.yaml"])
  }

  @Test(arguments: ["services/a.yaml", "images/x/blob", "secrets/a.age"])
  func largeFilePointersAreRefused(path: String) async throws {
    let repository = try await Repository()
    let pointer = """
      version https://git-lfs.github.com/spec/v1
      oid sha256:\(String(repeating: "0", count: 64))
      size 12345

      """
    try await expectRefused(
      repository, tree: try await repository.tree(of: [path: pointer]), says: [path, "LFS"])
  }

  @Test func oneLargeFileIsItsOwnTrouble() async throws {
    let repository = try await Repository()
    let limit = 256 << 10
    let commit = try await repository.commit([
      "services/large.yaml": String(repeating: "x", count: limit + 1),
      "services/most.yaml": String(repeating: "x", count: limit), "services/ok.yaml": "ok",
    ])
    let mirror = repository.mirror()
    try await mirror.fetch()
    let contents = try await mirror.readTree(commit: commit).files.map(\.content)
    #expect(contents.first == .tooLarge(size: limit + 1, limit: limit))
    #expect(contents.last == .bytes(Array("ok".utf8)))
    let small = repository.mirror { $0.limits.treeBytes = limit }
    let error = await expectError(.limit) { try await small.readTree(commit: commit) }
    #expect(error.message.contains(commit))
  }

  @Test func sealedKeysAreSmall() async throws {
    let repository = try await Repository()
    let limit = 64 << 10
    let commit = try await repository.commit([
      "secrets/large.age": String(repeating: "x", count: limit + 1),
      "secrets/most.age": String(repeating: "y", count: limit),
    ])
    let mirror = repository.mirror()
    try await mirror.fetch()
    let contents = try await mirror.readTree(commit: commit).files.map(\.content)
    #expect(
      contents == [
        .tooLarge(size: limit + 1, limit: limit),
        .bytes(Array(repeating: UInt8(ascii: "y"), count: limit)),
      ])
  }

  @Test(arguments: [(10_000, true), (10_001, false)])
  func tenThousandFiles(count: Int, isAccepted: Bool) async throws {
    let repository = try await Repository()
    let blob = try await repository.blob("hosts: [a]\n")
    // One of what is counted is the folder itself.
    let folder = try await repository.tree((1..<count).map { "100644 blob \(blob)\tf\($0).yaml" })
    let commit = try await repository.commit(
      tree: try await repository.tree(["040000 tree \(folder)\tservices"]))
    let mirror = repository.mirror()
    try await mirror.fetch()
    if isAccepted {
      #expect(try await mirror.readTree(commit: commit).files.count == count - 1)
    } else {
      let error = await expectError(.limit) { try await mirror.readTree(commit: commit) }
      #expect(error.message.contains("10000"))
    }
  }

  /// Sixteen folders that each hold the one below twenty times are 20^16 folders of no file.
  @Test func foldersThatMultiplyAreRefused() async throws {
    let repository = try await Repository()
    var tree = try await repository.tree(["100644 blob \(try await repository.blob("x"))\tx"])
    for _ in 0..<12 {
      let below = tree
      tree = try await repository.tree((0..<20).map { "040000 tree \(below)\td\($0)" })
    }
    let commit = try await repository.commit(
      tree: try await repository.tree(["040000 tree \(tree)\tservices"]))
    let mirror = repository.mirror()
    try await mirror.fetch()
    await expectError(.limit) { try await mirror.readTree(commit: commit) }
  }

  @Test func depthIsBounded() async throws {
    let repository = try await Repository()
    let deep = (0..<20).map { "d\($0)" }.joined(separator: "/")
    let commit = try await repository.commit(["services/\(deep)/a.yaml": "a"])
    let mirror = repository.mirror()
    try await mirror.fetch()
    let error = await expectError(.limit) { try await mirror.readTree(commit: commit) }
    #expect(error.message.contains("nested"))
  }

  /// Git's tools refuse to write such trees, so the object is written as bytes.
  @Test(arguments: [["../../etc/passwd"], [".."], ["a\u{fffd}"], ["a", "a"]])
  func impossibleNames(names: [String]) async throws {
    let repository = try await Repository()
    let blob = try await repository.blob("x")
    let raw = stride(from: 0, to: 40, by: 2).compactMap { offset in
      let start = blob.index(blob.startIndex, offsetBy: offset)
      return UInt8(blob[start..<blob.index(start, offsetBy: 2)], radix: 16)
    }
    var bytes: [UInt8] = []
    for name in names {
      // U+FFFD stands for a byte that is not UTF-8.
      let name = name.unicodeScalars.flatMap { $0 == "\u{fffd}" ? [0xff] : Array(String($0).utf8) }
      bytes += Array("100644 ".utf8) + name + [0] + raw
    }
    let services = try await repository.git(
      "hash-object", "-t", "tree", "--literally", "-w", "--stdin", input: bytes)
    try await expectRefused(
      repository, tree: try await repository.tree(["040000 tree \(services)\tservices"]),
      says: ["services"])
  }

  private func expectRefused(
    _ repository: Repository, tree: String, says: [String],
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let commit = try await repository.commit(tree: tree)
    let mirror = repository.mirror()
    try await mirror.fetch()
    let error = await expectError(.badTree, sourceLocation: sourceLocation) {
      try await mirror.readTree(commit: commit)
    }
    for text in says + [commit] {
      #expect(error.message.contains(text), "\(error)", sourceLocation: sourceLocation)
    }
  }
}
