import ArgumentParser
import Foundation
import Keeping
import OnionModel

struct KeysListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List the keys of this host: service, instance, address, pin, backup.")

  @OptionGroup var common: CommonOptions

  @Flag(
    name: .long, help: "Those in .onionkeeper/retired/: id, address, service, when, backup, why.")
  var retired = false

  @Flag(name: .long, help: "One JSON document, with both.")
  var json = false

  func run() async throws {
    try await reporting {
      let list = try await KeyList.read(try common.hostFile(), uid: Int(getuid()))
      if json {
        try printJSON(list)
      } else if retired {
        for key in list.retired { print(key.line) }
        if list.retired.isEmpty { print("no key is retired") }
      } else {
        for key in list.keys { print(key.line) }
        if list.keys.isEmpty { print("no key is here") }
      }
    }
  }
}

extension KeyList.Retired {
  var line: String {
    var parts = [
      id, address.text, service.text, time ?? "-", isBackedUp ? "backup" : "no backup",
      reason ?? "reason not known any more",
    ]
    if isSuccessor { parts.append("the next pass takes it") }
    return parts.joined(separator: "  ")
  }
}

extension KeyList.Key {
  var line: String {
    let place = "\(instance?.text ?? "-")/\(service)"
    let backup =
      switch (isBackedUp, isBackedUpForRecipients) {
      case (false, _): "no backup"
      case (true, false?): "backup for other recipients"
      case (true, _): "backup"
      }
    return "\(place)  \(address?.text ?? "no address")  \(state)  "
      + "\(isPinned ? "pinned" : "not pinned")  \(backup)"
  }
}
