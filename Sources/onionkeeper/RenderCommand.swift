import ArgumentParser
import Foundation
import Keeping
import OnionModel

struct RenderCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "render",
    abstract: "Print the torrc, the Dockerfile and the create request of a service's instance.",
    discussion: """
      From the accepted revision of this host, without asking anybody; --ask asks the engine for what only it knows. \
      With --repository DIR from a folder, for the host of any host file (--config FILE): no engine, root or set-up is \
      needed. What is not known yet stands as <placeholder> and is listed on standard error.
      """)

  enum Section: String, ExpressibleByArgument, CaseIterable { case torrc, dockerfile, request }

  enum EngineKind: String, ExpressibleByArgument, CaseIterable { case docker, podman }

  @OptionGroup var common: CommonOptions

  @Argument(help: "The service.")
  var name: String

  @Option(name: .long, help: "A folder of definitions instead of the accepted revision.")
  var repository: String?

  @Option(name: .long, help: "With --repository, which engine it is for: docker or podman.")
  var engine = EngineKind.docker

  @Flag(name: .long, help: "Ask the engine: the gateway's address, and those of containers.")
  var ask = false

  @Option(name: .long, help: "torrc, dockerfile or request, without a heading.")
  var only: Section?

  @Flag(name: .long, help: "One JSON document.")
  var json = false

  func validate() throws {
    if ServiceName(name) == nil {
      throw ValidationError("\(name) is not a service's name ([a-z0-9][a-z0-9-]{0,47})")
    }
    if ask, repository != nil { throw ValidationError("--ask is for the accepted revision") }
  }

  func run() async throws {
    try await reporting {
      guard let service = ServiceName(name) else { throw ExitCode.validationFailure }
      let report = try await rendered(service)
      if json {
        try printObject(try report.object)
      } else if let only {
        print(try report.section(only), terminator: "")
      } else {
        for section in Section.allCases {
          print("### \(report.heading(section))\n\(try report.section(section))")
        }
      }
      guard !common.quiet, !json else { return }
      for line in report.placeholders { complain(line) }
    }
  }

  private func rendered(_ service: ServiceName) async throws -> RenderReport {
    guard let repository else {
      return try await Renderer(try common.hostFile()).accepted(service, asksEngine: ask)
    }
    let configuration: HostConfiguration
    do {
      configuration = try HostFile(path: common.path, of: .another).read()
    } catch {
      complain(error.description)
      throw ExitCode.failure
    }
    return try Renderer(configuration).folder(
      try DefinitionFolder(repository).read(), service,
      engine: engine == .docker ? .docker : .podman)
  }

  private func printObject(_ object: [String: Any]) throws {
    try FileHandle.standardOutput.write(
      contentsOf: try RenderReport.pretty(object) + Data("\n".utf8))
  }
}

extension RenderReport {
  func heading(_ section: RenderCommand.Section) -> String {
    switch section {
    case .torrc:
      "torrc of \(container): "
        + members.map { "\($0.name) \($0.address?.text ?? "<address not made yet>")" }
        .joined(separator: ", ")
    case .dockerfile: "Dockerfile of \(image)"
    case .request: "POST /containers/create?name=\(container)"
    }
  }

  /// A text that ends in a line feed.
  func section(_ section: RenderCommand.Section) throws -> String {
    switch section {
    case .torrc: torrc
    case .dockerfile: dockerfile
    case .request: String(decoding: try Self.pretty(try requestObject()), as: UTF8.self) + "\n"
    }
  }

  var object: [String: Any] {
    get throws {
      [
        "instance": instance.text, "container": container, "image": image, "torrc": torrc,
        "dockerfile": dockerfile, "request": try requestObject(), "placeholders": placeholders,
        "services": members.map { member -> [String: Any] in
          var object: [String: Any] = ["name": member.name.text]
          object["address"] = member.address?.text
          return object
        },
      ]
    }
  }

  private func requestObject() throws -> Any {
    try JSONSerialization.jsonObject(with: Data(request))
  }

  static func pretty(_ object: Any) throws -> Data {
    try JSONSerialization.data(
      withJSONObject: object, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
  }
}
