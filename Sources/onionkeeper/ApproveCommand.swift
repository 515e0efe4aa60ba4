import ArgumentParser
import Foundation
import Journaling
import Keeping
import OnionModel

struct ApproveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "approve",
    abstract: "Allow, once and for one revision, what the agent does not do by itself.",
    discussion:
      "Waives only what is named, never a signature; expires in 24 hours; is journaled and reported."
  )

  @Argument(help: "The revision's full id: 40 hexadecimal digits.")
  var revision: String

  @Flag(name: .long, help: "Let the services go that this revision removes; they are listed.")
  var removals = false

  @Flag(name: .long, help: "Let a revision act that does not descend from the last accepted one.")
  var rewind = false

  @Flag(name: .long, help: "Let new keys be made after the state folder was lost.")
  var newKeys = false

  @Flag(name: .long, help: "Let another engine than the pinned one be used.")
  var engine = false

  @Flag(name: .long, help: "Take the host's new name, labels or source as they are.")
  var host = false

  @OptionGroup var common: CommonOptions

  private var kinds: [Approval.Kind] {
    let chosen: [(Bool, Approval.Kind)] = [
      (removals, .removals), (rewind, .rewind), (newKeys, .newKeys), (engine, .engine),
      (host, .host),
    ]
    return chosen.filter(\.0).map(\.1)
  }

  func validate() throws {
    guard CommitID(revision) != nil else {
      throw ValidationError(
        "\(revision) is not a full commit id (40 lower-case hexadecimal digits)")
    }
    guard !kinds.isEmpty else {
      throw ValidationError(
        "name what is allowed: --removals, --rewind, --new-keys, --engine, --host")
    }
  }

  func run() async throws {
    try await reporting {
      guard let commit = CommitID(revision) else { throw ExitCode.validationFailure }
      let lines = try await Approver(try common.hostFile()).approve(
        commit, kinds, uid: Int(getuid()))
      if !common.quiet { for line in lines { print(line) } }
    }
  }
}
