import Transport

/// What a build made.
public struct BuildResult: Hashable, Sendable {
  /// `sha256:` and 64 hexadecimal digits.
  public var imageID: String
  /// The last lines of its output.
  public var output: [String]
}

/// Whether the steps of a build reach a network.
public enum BuildNetwork: String, Hashable, Sendable {
  case none
  /// The engine's own, for a base whose packages come from its distribution.
  case bridge = "default"
}

extension EngineClient {
  /// Makes an image of a root file system.
  /// - Parameters:
  ///   - tar: the path of the tar; compressed ones are taken too.
  ///   - reference: the name and tag that it gets.
  /// - Returns: its identifier: a new one each time, also for the same tar.
  /// - Throws: `.workFailed` with the engine's reason; `.invalid` if the file cannot be read.
  public func importImage(
    tar: String, as reference: String
  ) async throws(EngineError) -> String {
    // Without a name, and tagged after: Podman 4.3 ignores the tag of an import.
    let call = EngineCall("POST", "/images/create", query: [("fromSrc", "-")])
      .sending(.file(tar), "application/x-tar").within(workLimit, idle: workIdleLimit)
      .answering(upTo: workOutputLimit)
    var output = WorkOutput()
    try await follow(call, into: &output)
    guard let id = output.status.flatMap(imageID) ?? output.id.flatMap(imageID) else {
      throw EngineError(
        .malformed, operation: call.operation, message: "the import answered no identifier")
    }
    try await tag(id, as: reference)
    return id
  }

  /// Fetches an image from its registry; nothing happens if it is here and unchanged.
  /// - Throws: `.workFailed` with the engine's reason.
  public func pull(
    _ reference: String, progress: (@Sendable (String) -> Void)? = nil
  ) async throws(EngineError) {
    let (name, tag) = ImageName.split(reference)
    // With a tag always: without one Docker fetches every tag of the name.
    let call = EngineCall("POST", "/images/create", query: [("fromImage", name), ("tag", tag)])
      .within(workLimit, idle: workIdleLimit).answering(upTo: workOutputLimit)
    var output = WorkOutput(progress: progress)
    try await follow(call, into: &output)
  }

  /// Builds an image. The caller has seen that the base of its Dockerfile is here: an engine would ask a registry.
  /// - Parameters:
  ///   - context: a tar with a `Dockerfile`.
  ///   - labels: of the image. A container inherits them, so none of `ContainerLabelKey`.
  ///   - progress: gets each line of output as it comes.
  /// - Throws: `.workFailed` with the step that failed and the last lines.
  public func build(
    context: [UInt8], tag: String, labels: [String: String] = [:], network: BuildNetwork = .none,
    progress: (@Sendable (String) -> Void)? = nil
  ) async throws(EngineError) -> BuildResult {
    let encodedLabels: String
    do {
      encodedLabels = String(decoding: try JSONReader.encode(labels), as: UTF8.self)
    } catch {
      throw EngineError(.invalid, operation: "POST /build", message: "labels cannot be encoded")
    }
    let query = [
      ("t", tag), ("networkmode", network.rawValue), ("rm", "1"), ("forcerm", "1"), ("pull", "0"),
      ("labels", encodedLabels),
    ]
    let call = EngineCall("POST", "/build", query: query)
      .sending(.bytes(context), "application/x-tar").within(workLimit, idle: workIdleLimit)
      .answering(upTo: workOutputLimit)
    var output = WorkOutput(progress: progress)
    try await follow(call, into: &output)
    // Docker says the identifier in `aux`, Podman 4.3 only in its prose: the tag tells for both.
    guard let image = try await image(tag) else {
      throw EngineError(
        .workFailed, operation: call.operation, message: "the build ended without an image \(tag)")
    }
    return BuildResult(imageID: image.id, output: output.lines)
  }

  /// Reads the output of a piece of work to its end. Its status is 200 also where it fails.
  private func follow(
    _ call: EngineCall, into output: inout WorkOutput
  ) async throws(EngineError) {
    var lines = JSONLines(try await calls.open(call), operation: call.operation)
    while let line = try await lines.next() {
      let wire: WorkLine
      do {
        wire = try JSONReader.decode(WorkLine.self, from: line)
      } catch {
        throw EngineError(
          .malformed, operation: call.operation, message: JSONReader.explain(error))
      }
      output.take(wire)
    }
    if let failure = output.failure {
      let last = output.lines.suffix(3).joined(separator: " | ")
      throw EngineError(
        .workFailed, operation: call.operation,
        message: last.isEmpty ? failure : "\(failure.prefix(250)) (last output: \(last))")
    }
  }
}

/// A slow disk or registry; a build of ours takes seconds.
private let workLimit = Duration.seconds(1800)
/// A package manager that says nothing for longer is stuck.
private let workIdleLimit = Duration.seconds(300)
/// Progress bars of a large pull are some MiB.
private let workOutputLimit = 64 << 20

private struct WorkLine: Decodable {
  struct Detail: Decodable { var message: String? }

  var stream: String?
  var status: String?
  var id: String?
  var error: String?
  var errorDetail: Detail?
}

/// What is kept of an output.
private struct WorkOutput {
  /// Enough to see the step that failed and its program's words.
  private static let lineLimit = 20
  private static let lineLength = 300

  var progress: (@Sendable (String) -> Void)?
  var lines: [String] = []
  var status: String?
  var id: String?
  var failure: String?

  mutating func take(_ line: WorkLine) {
    for text in (line.stream ?? line.status ?? "").split(whereSeparator: \.isNewline) {
      let short = String(text.prefix(Self.lineLength))
      lines.append(short)
      if lines.count > Self.lineLimit { lines.removeFirst() }
      progress?(short)
    }
    status = line.status ?? status
    id = line.id ?? id
    // `{"errorDetail": {}}` is a failure too.
    if line.errorDetail != nil || line.error != nil {
      let words = line.errorDetail?.message ?? line.error ?? "no reason given"
      failure = words.split(whereSeparator: \.isNewline).joined(separator: " ")
    }
  }
}

/// Podman writes the bare digits in some places.
private func imageID(_ text: String) -> String? {
  let digits = text.hasPrefix("sha256:") ? text.dropFirst(7) : text[...]
  guard digits.utf8.count == 64, digits.allSatisfy(\.isHexDigit) else { return nil }
  return "sha256:\(digits)"
}
