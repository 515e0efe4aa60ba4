import ArgumentParser
import Foundation
import Keeping
import OnionModel

struct KeysRestoreCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore",
    abstract: "Bring a retired key back, to a place where none is.",
    discussion: """
      A definition that returns takes its key back by itself; this is for a key that shall be here before its definition, \
      for one of several, and with --as for another name. Nothing is overwritten: a key directory of the service, whatever \
      is in it, refuses it, and so do another pin and another `address:`.
      """)

  @OptionGroup var common: CommonOptions

  @Argument(
    help: ArgumentHelp(
      "An id of `keys list --retired`, or a service that has just one.", valueName: "name|id"))
  var key: String

  @Option(
    name: .customLong("as"),
    help: ArgumentHelp(
      "The service that gets it (default: the one that had it).", valueName: "name"))
  var newName: String?

  @Option(
    name: .long, help: "Its instance, for a service that is not defined (default: its own name).")
  var instance: String?

  @Flag(name: .long, help: "One JSON document.")
  var json = false

  func validate() throws {
    if let newName, ServiceName(newName) == nil {
      throw ValidationError("\(newName) is not a service's name ([a-z0-9][a-z0-9-]{0,47})")
    }
    if let instance, InstanceName(instance) == nil {
      throw ValidationError("\(instance) is not an instance's name ([a-z0-9][a-z0-9-]{0,47})")
    }
  }

  func run() async throws {
    try await reporting {
      let report = try await KeyRestorer(try common.hostFile(), uid: Int(getuid())).restore(
        key, as: newName.flatMap { ServiceName($0) },
        instance: instance.flatMap { InstanceName($0) })
      for warning in report.warnings { complain("\(report.service): warning: \(warning)") }
      guard !json else { return try printJSON(report) }
      guard !common.quiet else { return }
      print("\(report.instance)/\(report.service)  \(report.address)  (was \(report.id))")
      guard !report.next.isEmpty else { return }
      print("to commit:")
      for line in report.next { print("  \(line)") }
    }
  }
}
