public import OnionModel
import Transport

/// Something that happened to a container.
public struct EngineEvent: Hashable, Sendable {
  public enum Action: Hashable, Sendable {
    case create, start, die, stop, kill, restart, pause, unpause, rename, update, outOfMemory
    /// Docker's `destroy`, Podman's `remove`.
    case remove
    /// It joined or left a network: its addresses are others now.
    case connect, disconnect
    /// A word that this version does not need: `exec_start`, `cleanup`. Never its arguments: those of exec hold whole
    /// command lines.
    case other(String)
  }

  public var action: Action
  public var containerID: String
  /// Docker does not say it of `connect` and `disconnect`.
  public var name: String
  public var labels: [String: String]
  public var time: Timestamp
  /// Of `die`.
  public var exitCode: Int?
  /// Of `rename`, on Docker.
  public var oldName: String?

  /// Whose the container is, by its create-time label.
  public var agent: AgentID? { labels[ContainerLabelKey.agent].flatMap { AgentID($0) } }
}

/// Events as they come. The end of the sequence is the end of the engine's answer: it stopped, or was restarted.
/// Events in between are lost, so list after every connect.
public struct EngineEvents: AsyncSequence, Sendable {
  let stream: HTTPStream
  let operation: String

  public func makeAsyncIterator() -> Iterator {
    Iterator(lines: JSONLines(stream, operation: operation), operation: operation)
  }

  public struct Iterator: AsyncIteratorProtocol {
    var lines: JSONLines
    let operation: String

    /// The next event; `nil` when the engine has ended.
    /// - Throws: `.cancelled` with the task; `.malformed` for a line that is no event.
    public mutating func next(
      isolation actor: isolated (any Actor)? = #isolation
    ) async throws(EngineError) -> EngineEvent? {
      let line: [UInt8]?
      do {
        line = try await lines.next()
      } catch  where error.code == .unreachable {
        return nil
      }
      guard let line else { return nil }
      do {
        return try JSONReader.decode(EventWire.self, from: line).event
      } catch {
        throw EngineError(.malformed, operation: operation, message: JSONReader.explain(error))
      }
    }
  }
}

extension EngineClient {
  /// Follows what happens to containers, from now on, without an end. All of them: those that targets name are
  /// anybody's.
  /// - Throws: `EngineError` if the engine does not begin to answer.
  public func events() async throws(EngineError) -> EngineEvents {
    let filter = try filters(["type": ["container", "network"], "event": EventWire.words])
    let call = EngineCall("GET", "/events", query: [("filters", filter)]).within(nil)
      .answering(upTo: nil)
    return EngineEvents(stream: try await calls.open(call), operation: call.operation)
  }
}

private struct EventWire: Decodable {
  /// What is asked for, in both engines' words: health checks alone would be three events each, all day long.
  static let words = [
    "connect", "create", "destroy", "die", "died", "disconnect", "kill", "oom", "pause", "remove",
    "rename", "restart", "start", "stop", "unpause", "update",
  ]

  struct Actor: Decodable {
    var id: String
    var attributes: [String: String]?

    enum CodingKeys: String, CodingKey {
      case id = "ID"
      case attributes = "Attributes"
    }
  }

  var type: String?
  var action: String
  var actor: Actor
  var time: Int64
  var nanoseconds: Int64?

  enum CodingKeys: String, CodingKey {
    case type = "Type"
    case action = "Action"
    case actor = "Actor"
    case time
    case nanoseconds = "timeNano"
  }

  /// What an engine itself puts beside the labels.
  private static let ownAttributes: Set<String> = [
    "name", "image", "exitCode", "containerExitCode", "signal", "oldName", "podId",
  ]

  var event: EngineEvent {
    let attributes = actor.attributes ?? [:]
    let moment =
      nanoseconds.map { Timestamp(milliseconds: $0 / 1_000_000) }
      ?? Timestamp(seconds: max(0, min(time, 1 << 40)))
    // The actor of Docker's network events is the network; of Podman's, the container as ever.
    let container = isOfNetwork ? attributes["container"] : nil
    return EngineEvent(
      action: isOfNetwork ? networkAction : Self.action(action),
      containerID: container ?? actor.id,
      name: container == nil ? attributes["name"] ?? "" : "",
      labels: attributes.filter { !Self.ownAttributes.contains($0.key) }, time: moment,
      exitCode: attributes["exitCode"].flatMap { Int($0) },
      oldName: attributes["oldName"].map(withoutSlash))
  }

  private var isOfNetwork: Bool { type == "network" }

  /// A network that is made or removed is no container's business.
  private var networkAction: EngineEvent.Action {
    switch action {
    case "connect": .connect
    case "disconnect": .disconnect
    default: .other(String(action.prefix(40)))
    }
  }

  private static func action(_ text: String) -> EngineEvent.Action {
    let word = text.prefix { $0 != ":" && $0 != " " }
    switch word {
    case "create": return .create
    case "start": return .start
    case "die", "died": return .die
    case "stop": return .stop
    case "kill": return .kill
    case "restart": return .restart
    case "pause": return .pause
    case "unpause": return .unpause
    case "rename": return .rename
    case "update": return .update
    case "oom": return .outOfMemory
    case "destroy", "remove": return .remove
    default: return .other(String(word.prefix(40)))
    }
  }
}
