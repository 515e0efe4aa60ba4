import ArgumentParser

struct KeysCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys",
    abstract:
      "Import, export, seal, list, restore and rotate this host's keys. Only `purge` deletes one.",
    discussion: """
      Works beside a running agent, which sees a new key at its next pass. Needs root. A secret key is read from a file, \
      a folder or standard input, never from an argument, and is never printed.
      """,
    subcommands: [
      KeysImportCommand.self, KeysExportCommand.self, KeysSealCommand.self,
      KeysUnsealCommand.self, KeysListCommand.self, KeysRestoreCommand.self,
      KeysRotateCommand.self, KeysPurgeCommand.self,
    ])
}
