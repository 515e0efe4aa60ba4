import CYAML

/// One event of libyaml, copied out.
struct YAMLEvent {
  enum Kind {
    case documentStart(hasDirectives: Bool)
    case alias
    case scalar(text: String, isPlain: Bool)
    case sequenceStart, mappingStart, containerEnd
    case other
    case streamEnd
  }

  var kind: Kind
  var place: Place
  var hasAnchor = false
  var hasTag = false
}

/// What libyaml stumbled over, in its own words.
struct YAMLFailure {
  var problem: String
  var place: Place
  /// Where the thing began that libyaml was in the middle of.
  var contextPlace: Place
  var context: String
}

/// Feeds each event of `bytes` to `body` until that answers false.
///
/// libyaml's parser is a state machine on its own heap: depth costs it no stack, and it reads at most 1,024
/// characters ahead, so stopping early bounds what a hostile text costs.
/// - Returns: what libyaml could not read, `nil` if it read all or `body` stopped.
func forEachYAMLEvent(_ bytes: [UInt8], _ body: (YAMLEvent) -> Bool) -> YAMLFailure? {
  let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
  defer { parser.deallocate() }
  guard yaml_parser_initialize(parser) == 1 else {
    return YAMLFailure(
      problem: "libyaml has no memory", place: Place(line: 1, column: 1),
      contextPlace: Place(line: 1, column: 1), context: "")
  }
  defer { yaml_parser_delete(parser) }
  yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
  // libyaml keeps the pointer while it parses: all of it happens inside this closure.
  return bytes.withUnsafeBufferPointer { buffer in
    yaml_parser_set_input_string(parser, buffer.baseAddress, buffer.count)
    while true {
      var event = yaml_event_t()
      guard yaml_parser_parse(parser, &event) == 1 else { return failure(parser.pointee) }
      let copy = copied(event)
      yaml_event_delete(&event)
      if !body(copy) { return nil }
      if case .streamEnd = copy.kind { return nil }
    }
  }
}

private func copied(_ event: yaml_event_t) -> YAMLEvent {
  let place = place(event.start_mark)
  switch event.type {
  case YAML_DOCUMENT_START_EVENT:
    let start = event.data.document_start
    let hasDirectives =
      start.version_directive != nil || start.tag_directives.start != start.tag_directives.end
    return YAMLEvent(kind: .documentStart(hasDirectives: hasDirectives), place: place)
  case YAML_ALIAS_EVENT:
    return YAMLEvent(kind: .alias, place: place)
  case YAML_SCALAR_EVENT:
    let scalar = event.data.scalar
    let text = String(
      decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
    return YAMLEvent(
      kind: .scalar(text: text, isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE), place: place,
      hasAnchor: scalar.anchor != nil, hasTag: scalar.tag != nil)
  case YAML_SEQUENCE_START_EVENT:
    let start = event.data.sequence_start
    return YAMLEvent(
      kind: .sequenceStart, place: place, hasAnchor: start.anchor != nil, hasTag: start.tag != nil)
  case YAML_MAPPING_START_EVENT:
    let start = event.data.mapping_start
    return YAMLEvent(
      kind: .mappingStart, place: place, hasAnchor: start.anchor != nil, hasTag: start.tag != nil)
  case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT:
    return YAMLEvent(kind: .containerEnd, place: place)
  case YAML_STREAM_END_EVENT:
    return YAMLEvent(kind: .streamEnd, place: place)
  default:
    return YAMLEvent(kind: .other, place: place)
  }
}

private func place(_ mark: yaml_mark_t) -> Place {
  Place(line: Int(mark.line) + 1, column: Int(mark.column) + 1)
}

private func failure(_ parser: yaml_parser_t) -> YAMLFailure {
  YAMLFailure(
    problem: parser.problem.map { String(cString: $0) } ?? "unreadable",
    place: place(parser.problem_mark), contextPlace: place(parser.context_mark),
    context: parser.context.map { String(cString: $0) } ?? "")
}
