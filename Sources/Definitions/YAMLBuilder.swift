import OnionModel

/// Builds nodes from events and refuses what is not for us, where it stands.
struct YAMLBuilder {
  let file: String
  var diagnostics: [Diagnostic] = []
  /// False once reading broke off.
  var isWhole = true
  /// Whether a key was dropped that could have said anything.
  private(set) var hasRefusedKeys = false

  private var frames: [Frame] = []
  private var root: YAMLNode?
  private var nodes = 0
  private var documents = 0

  /// An open sequence or mapping.
  private struct Frame {
    let place: Place
    let isSequence: Bool
    var items: [YAMLNode] = []
    var pairs: [YAMLPair] = []
    var seen: [String: Place] = [:]
    var key: Key?

    enum Key {
      case text(String, Place)
      /// A key that was refused: its value is read and dropped.
      case refused
    }
  }

  init(file: String) { self.file = file }

  mutating func report(_ place: Place, _ message: String, path: String? = nil) {
    guard diagnostics.count < YAMLDocument.diagnosticLimit else { return }
    diagnostics.append(
      Diagnostic(
        file: file, line: place.line, column: place.column, path: path ?? currentPath,
        message: message))
  }

  /// Takes one event; false when there is no use in another.
  mutating func take(_ event: YAMLEvent) -> Bool {
    if event.hasAnchor { report(event.place, "an anchor `&` (write the value out)") }
    if event.hasTag { report(event.place, "a tag `!` (the value alone)") }
    switch event.kind {
    case .documentStart(let hasDirectives):
      documents += 1
      if hasDirectives { report(event.place, "a `%` directive (none)", path: "") }
      if documents > 1 {
        report(event.place, "a second document (one document in a file)", path: "")
        return stop()
      }
    case .alias:
      report(event.place, "an alias `*` (write the value out)")
      return add(YAMLNode(place: event.place, content: .unreadable))
    case .scalar(let text, let isPlain):
      return add(scalar(text, isPlain: isPlain, at: event.place))
    case .sequenceStart, .mappingStart:
      guard frames.count < YAMLDocument.depthLimit else {
        report(event.place, "nested too deep (at most \(YAMLDocument.depthLimit) levels)")
        return stop()
      }
      guard count(event.place) else { return false }
      let isSequence = if case .sequenceStart = event.kind { true } else { false }
      frames.append(Frame(place: event.place, isSequence: isSequence))
    case .containerEnd:
      guard let frame = frames.popLast() else { return stop() }
      attach(node(frame, isWhole: true))
    case .other, .streamEnd: break
    }
    return true
  }

  /// The document; what is still open is closed and marked as broken off.
  mutating func finish() -> YAMLNode? {
    while let frame = frames.popLast() { attach(node(frame, isWhole: false)) }
    return root
  }

  private mutating func stop() -> Bool {
    isWhole = false
    return false
  }

  private mutating func count(_ place: Place) -> Bool {
    nodes += 1
    guard nodes > YAMLDocument.nodeLimit else { return true }
    report(place, "too many values (at most \(YAMLDocument.nodeLimit))", path: "")
    return stop()
  }

  private mutating func scalar(_ text: String, isPlain: Bool, at place: Place) -> YAMLNode {
    if text.utf8.count > YAMLDocument.scalarLimit {
      report(
        place, "\(text.utf8.count) bytes long (at most \(YAMLDocument.scalarLimit) in one value)")
      return YAMLNode(place: place, content: .unreadable)
    }
    if text.unicodeScalars.contains(where: { isControl($0.value) }) {
      report(place, "a line break or control character in a value (one line of text)")
      return YAMLNode(place: place, content: .unreadable)
    }
    return YAMLNode(place: place, content: .scalar(text, isPlain: isPlain))
  }

  private mutating func add(_ node: YAMLNode) -> Bool {
    guard count(node.place) else { return false }
    attach(node)
    return true
  }

  private mutating func attach(_ node: YAMLNode) {
    guard let last = frames.indices.last else {
      root = node
      return
    }
    if frames[last].isSequence {
      frames[last].items.append(node)
    } else if let key = frames[last].key {
      frames[last].key = nil
      if case .text(let text, let place) = key {
        frames[last].pairs.append(YAMLPair(key: text, place: place, value: node))
      }
    } else {
      takeKey(node, frame: last)
    }
  }

  private mutating func takeKey(_ node: YAMLNode, frame: Int) {
    frames[frame].key = .refused
    defer { if case .refused = frames[frame].key { hasRefusedKeys = true } }
    switch node.content {
    case .unreadable: return
    case .sequence, .mapping:
      report(node.place, "a list or mapping as a key (a word)")
    case .scalar("<<", isPlain: true):
      report(node.place, "a merge key `<<` (write the values out)")
    case .scalar("", _):
      report(node.place, "an empty key (a word)")
    case .scalar(let text, _):
      if let first = frames[frame].seen[text] {
        report(
          node.place, "is here a second time (once: it is already at \(first))",
          path: path(currentPath, key: text))
      } else {
        frames[frame].seen[text] = node.place
      }
      frames[frame].key = .text(text, node.place)
    }
  }

  private func node(_ frame: Frame, isWhole: Bool) -> YAMLNode {
    YAMLNode(
      place: frame.place,
      content: frame.isSequence ? .sequence(frame.items) : .mapping(frame.pairs),
      isWhole: isWhole)
  }

  /// The path of what comes next.
  private var currentPath: String {
    var text = ""
    for frame in frames {
      if frame.isSequence {
        text = path(text, index: frame.items.count)
      } else if case .text(let key, _) = frame.key {
        text = path(text, key: key)
      }
    }
    return text
  }
}
