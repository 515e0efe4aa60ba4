import Foundation
import OnionModel
import Testing

@testable import Keeping

/// `render` without an engine. That it is what a real engine gets is tested in IntegrationTests.
struct RendererTests {
  private func name(_ text: String) throws -> ServiceName { try #require(ServiceName(text)) }

  private func folder(_ house: House, _ service: String) throws -> RenderReport {
    let files = try DefinitionFolder("\(house.path)/repository").read()
    return try Renderer(try house.configuration()).folder(files, try name(service), engine: .podman)
  }

  private func refusal(_ house: House, _ service: String) throws -> String? {
    do {
      _ = try folder(house, service)
      return nil
    } catch let error as KeepingError { return error.message }
  }

  @Test func aFolderNeedsNoHost() throws {
    let house = try House()
    let report = try folder(house, "blog")
    #expect(report.torrc.contains("HiddenServicePort 80 <gateway>:8080\n"))
    #expect(report.torrc.contains("DisableNetwork 1\n"))
    #expect(report.dockerfile.contains("USER 7942:7942"))
    #expect(report.container == "onionkeeper-blog")
    #expect(report.members.map(\.name.text) == ["blog"])
    #expect(report.members.allSatisfy { $0.address == nil })
    let request = try #require(
      try JSONSerialization.jsonObject(with: Data(report.request)) as? [String: Any])
    #expect(request["Image"] as? String == report.image)
    let host = try #require(request["HostConfig"] as? [String: Any])
    #expect(host["NetworkMode"] as? String == "onionkeeper-blog")
    let labels = try #require(request["Labels"] as? [String: String])
    #expect(labels["onionkeeper.agent"] == "<agent id>")
    #expect(report.placeholders.map { $0.prefix { $0 != ":" } } == ["<gateway>", "<agent id>"])
  }

  @Test func whyNothingIsRendered() throws {
    let house = try House()
    #expect(try refusal(house, "blgo")?.contains("did you mean blog?") == true)
    #expect(try refusal(house, "forum")?.contains("here are blog") == true)
    try house.write(
      "repository/\(House.file)", House.blog.replacingOccurrences(of: "80\n", with: "70000\n"))
    #expect(try refusal(house, "blog")?.contains("services/blog.yaml:3:14") == true)
    try house.write(
      "repository/\(House.file)", House.blog.replacingOccurrences(of: "web-1", with: "web-2"))
    #expect(try refusal(house, "blog")?.contains("is not for web-1") == true)
    try house.write("repository/onionkeeper.yaml", "")
    #expect(try refusal(house, "blog")?.contains("onionkeeper.yaml") == true)
  }

  @Test func theAcceptedRevisionCounts() async throws {
    let house = try House()
    try house.commit()
    try house.setUp()
    let renderer = Renderer(try house.configuration())
    // A journal, as `setup` makes it, and nothing accepted.
    try await house.agent { _ in }
    await #expect(throws: KeepingError.self) {
      _ = try await renderer.accepted(try name("blog"), asksEngine: false)
    }
    _ = try await house.pass()
    // What is only in the folder is not accepted.
    try house.write(
      "repository/\(House.file)", House.blog.replacingOccurrences(of: "8080", with: "9090"))
    let report = try await renderer.accepted(try name("blog"), asksEngine: false)
    #expect(report.torrc.contains("HiddenServicePort 80 <gateway>:8080\n"))
    #expect(String(decoding: report.request, as: UTF8.self).contains(try House.agent().text))
    // Nobody listens at its engine's socket.
    await #expect(throws: KeepingError.self) {
      _ = try await renderer.accepted(try name("blog"), asksEngine: true)
    }
  }
}
