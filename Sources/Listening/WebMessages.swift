/// The first line and the fields of a request.
public struct WebHead: Hashable, Sendable {
  public var method: String
  /// Without the query.
  public var path: String
  /// Names in lower case; of a field that came twice, both.
  public var fields: [Field]

  public struct Field: Hashable, Sendable {
    public var name: String
    public var value: String
  }

  /// The only value of a field; `nil` if it is missing or came twice.
  public func value(_ name: String) -> String? {
    let found = fields.filter { $0.name == name }
    return found.count == 1 ? found.first?.value : nil
  }

  /// Bytes of the body; `nil` if it is none or not told in advance.
  var contentLength: Int? {
    guard let text = value("content-length"), text.utf8.allSatisfy({ (48...57).contains($0) })
    else { return nil }
    return Int(text)
  }

  /// More fields than any forge or proxy sends.
  static let fieldLimit = 100

  /// Reads what stands before the empty line: RFC 9112, without the forms that it calls obsolete.
  /// - Returns: `nil` if it is no request.
  init?(_ bytes: [UInt8]) {
    guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
    var lines = text.split(separator: "\r\n", omittingEmptySubsequences: false)
    while lines.last?.isEmpty == true { lines.removeLast() }
    guard let first = lines.first, lines.count <= Self.fieldLimit + 1 else { return nil }
    let words = first.split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 3, words[2] == "HTTP/1.1" || words[2] == "HTTP/1.0",
      !words[0].isEmpty, words[0].utf8.allSatisfy({ (65...90).contains($0) }),
      words[1].hasPrefix("/"), words[1].utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
    else { return nil }
    method = String(words[0])
    path = String(words[1].prefix { $0 != "?" })
    fields = []
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":"), colon != line.startIndex,
        line[..<colon].utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }),
        !line.utf8.contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7f })
      else { return nil }
      let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
      let end = value.lastIndex { $0 != " " && $0 != "\t" }
      fields.append(
        Field(
          name: line[..<colon].lowercased(), value: end.map { String(value[...$0]) } ?? ""))
    }
  }
}

/// What is answered; `Connection: close` and the length are added.
public struct WebAnswer: Hashable, Sendable {
  public var status: Int
  public var headers: [String: String]
  public var body: String

  /// - Parameter body: one sentence; a line feed is added.
  public init(_ status: Int, _ body: String, headers: [String: String] = [:]) {
    self.status = status
    self.body = body
    self.headers = headers
  }

  var bytes: [UInt8] {
    let text = body.isEmpty ? "" : body + "\n"
    var head = "HTTP/1.1 \(status) \(Self.reasons[status] ?? "Status")\r\n"
    for (name, value) in headers.sorted(by: { $0.key < $1.key }) { head += "\(name): \(value)\r\n" }
    head += "Content-Type: text/plain; charset=utf-8\r\nContent-Length: \(text.utf8.count)\r\n"
    return Array((head + "Connection: close\r\n\r\n" + text).utf8)
  }

  private static let reasons = [
    200: "OK", 202: "Accepted", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found",
    405: "Method Not Allowed", 408: "Request Timeout", 411: "Length Required",
    413: "Content Too Large", 429: "Too Many Requests", 431: "Request Header Fields Too Large",
    500: "Internal Server Error", 503: "Service Unavailable",
  ]
}

/// How a handler takes a request after its head.
public enum WebReception {
  case answer(WebAnswer)
  /// The body of at most `limit` bytes is passed on piece by piece; the answer comes after the last.
  case body(limit: Int, piece: (ArraySlice<UInt8>) -> Void, end: () -> WebAnswer)
}
