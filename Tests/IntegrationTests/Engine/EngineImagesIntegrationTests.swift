import Engine
import Foundation
import OnionModel
import Testing
import Transport

/// One after another: Podman 4.3 fails a build ("layer not known") while another image is being removed.
@Suite(.serialized) struct EngineImagesIntegrationTests {
  private func context(_ dockerfile: String) throws -> [UInt8] {
    var archive = TarArchive()
    try archive.add("Dockerfile", text: dockerfile)
    try archive.add("hello", mode: 0o755, text: "#!/bin/sh\necho hello\n")
    return archive.bytes
  }

  @Test(arguments: EngineKind.allCases) func imagesAreBuiltAndRemoved(kind: EngineKind) async throws
  {
    let bench = try await EngineBench.shared(kind)
    let client = bench.client
    let tag = "ok-built-\(try randomAgent().text.prefix(8)):abc"
    let result = try await client.build(
      context: context("FROM \(EngineBench.image)\nCOPY hello /hello\nUSER 7942:7942\n"), tag: tag,
      labels: ["made.by": "test"])
    let image = try #require(try await client.image(tag))
    #expect(image.id == result.imageID)
    #expect(image.tags == [tag])
    #expect(image.labels["made.by"] == "test")
    #expect(image.volumes == [])
    #expect(!result.output.isEmpty)
    #expect(try await client.images(reference: tag).map(\.id) == [image.id])
    #expect(try await client.images(label: "made.by=test").contains { $0.id == image.id })
    #expect(try await client.image(image.id)?.id == image.id)

    // In use: refused, never forced.
    let place = try await EngineBench.place(kind)
    defer { place.close() }
    var specification = place.specification
    specification.image = tag
    let id = try await client.create(specification, labels: [:])
    #expect(try await client.inspect(id)?.facts.imageID == image.id)
    #expect(
      await errorCode { () async throws(EngineError) in try await client.removeImage(tag) }
        == .conflict)
    #expect(try await client.inspect(id) != nil)
    try await client.remove(id)

    let second = "ok-second-\(tag)"
    try await client.tag(tag, as: second)
    try await client.removeImage(tag)
    #expect(try await client.image(tag) == nil)
    #expect(try await client.image(second)?.id == image.id)
    try await client.removeImage(second)
    #expect(try await client.image(image.id) == nil)
    try await client.removeImage(second)
  }

  @Test(arguments: EngineKind.allCases) func failedBuildsSayWhy(kind: EngineKind) async throws {
    let client = try await EngineBench.shared(kind).client
    let failing = try context(
      "FROM \(EngineBench.image)\nRUN [\"/bin/sh\", \"-c\", \"echo because; exit 3\"]\n")
    let error = await #expect(throws: EngineError.self) {
      try await client.build(context: failing, tag: "ok-failed:1")
    }
    #expect(error?.code == .workFailed)
    #expect(error?.message.contains("because") == true)
    #expect(error?.message.contains("3") == true)
    #expect(try await client.image("ok-failed:1") == nil)
    let nonsense = await errorCode { () async throws(EngineError) in
      try await client.build(context: Array("no tar".utf8), tag: "ok-failed:1")
    }
    #expect(nonsense != nil)
  }

  @Test(arguments: EngineKind.allCases) func volumesOfImagesAreSeen(kind: EngineKind) async throws {
    let client = try await EngineBench.shared(kind).client
    let tag = "ok-volume-\(try randomAgent().text.prefix(8)):1"
    _ = try await client.build(
      context: context("FROM \(EngineBench.image)\nVOLUME /data\n"), tag: tag)
    #expect(try await client.image(tag)?.volumes == ["/data"])
    try await client.removeImage(tag)
  }

  @Test(arguments: EngineKind.allCases) func importsHaveTheirTagOnly(kind: EngineKind) async throws
  {
    let client = try await EngineBench.shared(kind).client
    let name = "ok-import-\(try randomAgent().text.prefix(8))"
    var archive = TarArchive()
    try archive.add("a", text: "b")
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let tar = try folder.file("a.tar", archive.bytes)
    let id = try await client.importImage(tar: tar, as: "\(name):bookworm")
    #expect(try await client.image(id)?.tags == ["\(name):bookworm"])
    #expect(try await client.image("\(name):latest") == nil)
    try await client.removeImage("\(name):bookworm")
    #expect(try await client.image(id) == nil)
    let none = folder.path("none.tar")
    #expect(
      await errorCode { () async throws(EngineError) in
        try await client.importImage(tar: none, as: "\(name):1")
      } == .invalid)
  }
}
