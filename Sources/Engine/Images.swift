public import OnionModel

/// An image in a list.
public struct ImageSummary: Hashable, Sendable {
  /// `sha256:` and 64 hexadecimal digits.
  public var id: String
  /// Familiar names with tags; empty for one whose tags have moved on.
  public var tags: [String]
  public var labels: [String: String]
  public var created: Timestamp
  /// Bytes.
  public var size: Int
}

/// An image as inspect gives it.
public struct ImageDetails: Hashable, Sendable {
  public var id: String
  public var tags: [String]
  public var labels: [String: String]
  /// Paths that the image declares as VOLUME: an engine would make an anonymous volume for each.
  public var volumes: [String]
  /// Bytes.
  public var size: Int
}

extension EngineClient {
  /// Images, newest first as the engine gives them.
  /// - Parameters:
  ///   - reference: a name with or without a tag; `nil` for all.
  ///   - label: `key=value` or `key`.
  public func images(
    reference: String? = nil, label: String? = nil
  ) async throws(EngineError) -> [ImageSummary] {
    var wanted: [String: [String]] = [:]
    if let reference { wanted["reference"] = [reference] }
    if let label { wanted["label"] = [label] }
    let query = wanted.isEmpty ? [] : [("filters", try filters(wanted))]
    let call = EngineCall("GET", "/images/json", query: query).answering(upTo: imageListLimit)
    return try await calls.decode([ImageWire].self, call).map(\.summary)
  }

  /// One image by reference or identifier; `nil` if it is not here.
  public func image(_ reference: String) async throws(EngineError) -> ImageDetails? {
    let call = EngineCall("GET", "/images/\(percentEncoded(reference))/json")
    do {
      return try await calls.decode(ImageDetailsWire.self, call).details
    } catch  where error.code == .notFound {
      return nil
    }
  }

  /// Gives an image one more name.
  public func tag(_ image: String, as reference: String) async throws(EngineError) {
    let (name, tag) = ImageName.split(reference)
    _ = try await calls.call(
      EngineCall(
        "POST", "/images/\(percentEncoded(image))/tag", query: [("repo", name), ("tag", tag)]))
  }

  /// Takes a name off an image, and the image away with its last name. Never by force: Podman would remove the
  /// running containers of the image. One that is gone is fine.
  /// - Throws: `.conflict` if a container uses it.
  public func removeImage(_ reference: String) async throws(EngineError) {
    do {
      _ = try await calls.call(
        EngineCall("DELETE", "/images/\(percentEncoded(reference))").within(.seconds(120)))
    } catch  where error.code == .notFound {
      return
    }
  }
}

/// 5,000 images at about 600 bytes.
private let imageListLimit = 4 << 20

/// `sha256:` and 64 hexadecimal digits, as it goes into paths.
struct ImageID: Decodable {
  var text: String

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    text = try container.decode(String.self)
    guard text.hasPrefix("sha256:"), text.utf8.count == 71 else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "not sha256: and 64 digits")
    }
  }
}

private struct ImageWire: Decodable {
  var id: ImageID
  var tags: [String]?
  var labels: [String: String]?
  var created: Int64
  var size: Int

  enum CodingKeys: String, CodingKey {
    case id = "Id"
    case tags = "RepoTags"
    case labels = "Labels"
    case created = "Created"
    case size = "Size"
  }

  var summary: ImageSummary {
    ImageSummary(
      id: id.text, tags: familiarTags(tags), labels: labels ?? [:],
      created: Timestamp(seconds: max(0, min(created, 1 << 40))), size: size)
  }
}

private struct ImageDetailsWire: Decodable {
  struct Config: Decodable {
    var labels: [String: String]?
    var volumes: [String: Nothing]?

    enum CodingKeys: String, CodingKey {
      case labels = "Labels"
      case volumes = "Volumes"
    }
  }

  struct Nothing: Decodable {}

  var id: ImageID
  var tags: [String]?
  var config: Config?
  var size: Int

  enum CodingKeys: String, CodingKey {
    case id = "Id"
    case tags = "RepoTags"
    case config = "Config"
    case size = "Size"
  }

  var details: ImageDetails {
    ImageDetails(
      id: id.text, tags: familiarTags(tags), labels: config?.labels ?? [:],
      volumes: (config?.volumes ?? [:]).keys.sorted(), size: size)
  }
}

private func familiarTags(_ tags: [String]?) -> [String] {
  (tags ?? []).filter { $0 != "<none>:<none>" }.map(ImageName.familiar)
}
