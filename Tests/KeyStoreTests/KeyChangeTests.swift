import Glibc
import OnionModel
import Testing

@testable import KeyStore

/// Every change of a key folder, cut off or failing at every system call that it makes.
@Suite struct KeyChangeTests {
  /// Power goes, or the process, just before any call: what is then on the disk is whole, old or new, and the next pass
  /// ends it.
  @Test(arguments: KeyChange.allCases) func isWholeWhereverItIsCut(_ change: KeyChange) async throws
  {
    let stage = try await ChangeStage(change)
    let path = stage.folder.path
    let copy = "\(path).copy"
    let model = try DiskModel(reading: path)
    _ = try model.make(.process, at: copy)
    let done = try stage.run("trace", on: copy)
    #expect(done.code == 0, "\(done.output)")
    let calls = done.calls.filter { $0.isChange && $0.result >= 0 }
    #expect(calls.count >= 4, "\(calls.count)")
    var checked: Set<String> = []
    for number in 0...calls.count {
      for cut in DiskModel.Cut.allCases where checked.insert(model.words(after: cut)).inserted {
        let cutPath = "\(path).cut"
        defer { removeTree(cutPath) }
        let doubled = try model.make(cut, at: cutPath)
        let next = number < calls.count ? "before \(calls[number].name)" : "at the end"
        try await stage.check(
          cutPath, isDoubled: doubled > 0, "\(change), \(cut) cut \(number), \(next)")
      }
      if number < calls.count { try model.follow(calls[number].moved(from: copy, to: path)) }
    }
    #expect(try model.agrees(with: copy), "a call was overlooked")
    removeTree(copy)
  }

  /// The same by the real signal: that the disk is then as the model has it, not only in theory.
  @Test(arguments: [KeyChange.generate, .clients, .move])
  func isWholeWhereverItIsKilled(_ change: KeyChange) async throws {
    let trials = try await ChangeTrials(change)
    var number = 1
    while true {
      let ended = try await trials.run("kill=\(number)", "\(change) killed before change \(number)")
      if ended.code == 0 { break }
      try #require(ended.code == 137, "\(ended.output)")
      number += 1
    }
    #expect(number > 10)
  }

  /// A disk that is full, over a quota, read-only or failing, from any call on which it shows.
  @Test(arguments: KeyChange.allCases) func failsWholeWhereverTheDiskDoes(_ change: KeyChange)
    async throws
  {
    let trials = try await ChangeTrials(change)
    // In turn, beginning with another for each change.
    let errors = [ENOSPC, EDQUOT, EIO, EROFS]
    let first = KeyChange.allCases.firstIndex(of: change) ?? 0
    let calls = try await trials.run("trace", "\(change)").calls
    for (index, call) in calls.enumerated() {
      let error = call.isChange ? errors[(index + first) % errors.count] : EIO
      let what = "\(change), call \(index + 1) (\(call.name)) failing with \(error)"
      let ended = try await trials.run("fail=\(index + 1):\(error)", "\(what)")
      #expect(ended.code == 0 || ended.code == 1, "\(what): \(ended.output)")
      if ended.code == 1 {
        #expect(ended.output.contains(Self.word(of: error)), "\(what): \(ended.output)")
      }
    }
  }

  private static func word(of error: Int32) -> String {
    switch error {
    case ENOSPC, EDQUOT: "disk.full"
    case EROFS: "disk.readonly"
    default: "io"
    }
  }

  /// Unknown is not absent: whatever cannot be read, nothing that is there is said to be gone.
  @Test func whatFailsIsUnknown() async throws {
    let stage = try await ChangeStage(.anchor)
    let path = stage.folder.path
    let whole = ["whole", "whole", "2", "0", "there", "there"]
    let calm = try stage.run("trace", on: path, deed: "observe")
    #expect(calm.output == "ok \(whole.joined(separator: " "))\n")
    #expect(calm.calls.count > 40)
    let errors = [EIO, EMFILE, EACCES, ENOMEM]
    for number in 1...calm.calls.count {
      let error = errors[number % errors.count]
      let seen = try stage.run("fail=\(number):\(error)", on: path, deed: "observe")
      let words = seen.output.split(whereSeparator: \.isWhitespace).dropFirst()
      #expect(seen.code == 0 && words.count == whole.count, "\(seen.output)")
      for (word, expected) in zip(words, whole) {
        #expect(word == expected || word == "unknown", "call \(number): \(seen.output)")
      }
    }
  }

  /// On a kernel without openat2 all of it works as well, and makes no other files.
  @Test(arguments: KeyChange.allCases) func needsNoNewKernel(_ change: KeyChange) async throws {
    let stage = try await ChangeStage(change)
    let done = try stage.run("lean", on: stage.folder.path)
    #expect(done.code == 0, "\(done.output)")
    try await stage.check(stage.folder.path, "\(change) without openat2")
  }
}

/// Trials of one change, each on a fresh copy of its stage; what is left is checked once a state.
private actor ChangeTrials {
  private let stage: ChangeStage
  private let model: DiskModel
  private var checked: Set<String> = []

  init(_ change: KeyChange) async throws {
    stage = try await ChangeStage(change)
    model = try DiskModel(reading: stage.folder.path)
  }

  func run(
    _ mode: String, _ trial: Comment
  ) async throws -> (code: Int, output: String, calls: [NotedCall]) {
    let copy = "\(stage.folder.path).copy"
    defer { removeTree(copy) }
    _ = try model.make(.process, at: copy)
    let ended = try stage.run(mode, on: copy)
    if checked.insert(try DiskModel(reading: copy).words(after: .process)).inserted {
      try await stage.check(copy, trial)
    }
    return ended
  }
}

extension NotedCall {
  /// The same in another folder.
  func moved(from old: String, to new: String) -> NotedCall {
    var call = self
    if path.hasPrefix(old) { call.path = new + path.dropFirst(old.count) }
    if other.hasPrefix(old) { call.other = new + other.dropFirst(old.count) }
    return call
  }
}
