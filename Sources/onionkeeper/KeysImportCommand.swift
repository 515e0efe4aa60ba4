import ArgumentParser
import Foundation
import Keeping
import OnionModel

struct KeysImportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Put a key from elsewhere into the key folder, and pin its address.",
    discussion: """
      SOURCE is read and left as it is:
        a tor directory (hs_ed25519_secret_key), or a folder that holds one (mkp224o's output)
        a secret key file of 96 bytes, or its base64
        ED25519-V3:<base64>, as ADD_ONION takes it, whatever text is around
        mkp224o's YAML
        an age file of any of these (--identity)
        with --all: an archive of `keys export --all`, or the folder that it was extracted to
        -: any of the files, from standard input

      The address is derived from the secret key alone. Nothing is overwritten: a key, or anything else, at its place, or \
      the same address elsewhere on this host, refuses it. Only where the accepted definition's `address:` says just this \
      key, it is put aside, and the next pass exchanges the two. Afterwards the lines to commit are printed.
      """)

  @OptionGroup var common: CommonOptions

  @Argument(help: ArgumentHelp("The service; left out with --all.", valueName: "name"))
  var first: String

  @Argument(help: ArgumentHelp("Where the key is; - is standard input.", valueName: "source"))
  var second: String?

  @Flag(name: .long, help: "SOURCE is an export of a whole host.")
  var all = false

  @Option(
    name: .long,
    help: "Its instance, for a service that is not defined yet (default: its own name).")
  var instance: String?

  @Option(name: .long, help: "The address that the key must make; chooses one of several.")
  var address: String?

  @Option(name: .long, help: "An age identity file (default: ageIdentity of the host file).")
  var identity: String?

  @Flag(name: .long, help: "One JSON array.")
  var json = false

  func validate() throws {
    guard !all else {
      guard second == nil, instance == nil, address == nil else {
        throw ValidationError("--all takes SOURCE alone")
      }
      return
    }
    guard ServiceName(first) != nil else {
      throw ValidationError("\(first) is not a service's name ([a-z0-9][a-z0-9-]{0,47})")
    }
    guard second != nil else {
      throw ValidationError("name the source: a file, a folder, or - for standard input")
    }
    if let instance, InstanceName(instance) == nil {
      throw ValidationError("\(instance) is not an instance's name ([a-z0-9][a-z0-9-]{0,47})")
    }
    if let address, OnionAddress(address) == nil {
      throw ValidationError("\(address) is not an onion address (56 characters and .onion)")
    }
  }

  func run() async throws {
    try await reporting {
      let importer = KeyImporter(try common.hostFile(), uid: Int(getuid()))
      if all {
        try show(try await importer.all(from: first, identity: identity))
      } else if let service = ServiceName(first), let second {
        try show([
          try await importer.one(
            service, from: second, instance: instance.flatMap { InstanceName($0) },
            address: address.flatMap { OnionAddress($0) }, identity: identity)
        ])
      }
    }
  }

  private func show(_ reports: [KeyImporter.Report]) throws {
    try onionkeeper.show(reports, json: json, isQuiet: common.quiet)
  }
}

/// What was imported, its warnings on standard error.
func show(_ reports: [KeyImporter.Report], json: Bool, isQuiet: Bool) throws {
  for report in reports {
    for warning in report.warnings { complain("\(report.service): warning: \(warning)") }
  }
  guard !json else {
    try printJSON(reports)
    return
  }
  guard !isQuiet else { return }
  for report in reports {
    print(
      "\(report.instance)/\(report.service)  \(report.address)\(report.wasThere ? "  (was here)" : "")"
    )
    if let id = report.aside {
      print(
        "  put aside as \(id): the next pass puts it in the place of the present key, which is retired"
      )
    }
  }
  let next = reports.flatMap(\.next)
  guard !next.isEmpty else { return }
  print("to commit:")
  for line in next { print("  \(line)") }
}
