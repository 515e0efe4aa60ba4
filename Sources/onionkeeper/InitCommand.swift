import ArgumentParser
import Foundation
import Keeping

struct InitCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init",
    abstract: "Write a small commented repository with one definition, and a host file.",
    discussion: """
      Overwrites nothing: if any of its files is there, nothing is written. The definition is paused, so that nothing \
      starts before it was edited. `onionkeeper check DIR --host DIR/hosts` takes all of it as it is.
      """)

  @Argument(help: "The folder; made if it is not there.")
  var folder: String

  @Option(
    name: .long, help: "Write the host file here too, mode 0600: /etc/onionkeeper/host.yaml.")
  var hostFile: String?

  @Flag(name: .long, help: "Say only what went wrong.")
  var quiet = false

  func run() async throws {
    try await reporting {
      let folder = absolute(folder)
      let written = try Starter(folder: folder, hostFile: hostFile.map(absolute)).write()
      guard !quiet else { return }
      for path in written { print("wrote \(path)") }
      print(
        """

        next: edit \(folder)/services/example.yaml and \(hostFile.map(absolute) ?? "\(folder)/hosts/web-1.yaml"), then
          onionkeeper check \(folder) --host \(folder)/hosts
        \(folder)/README.md has the steps after that
        """)
    }
  }

  private func absolute(_ path: String) -> String {
    URL(fileURLWithPath: path).standardizedFileURL.path
  }
}
