import Transport

/// One call of the API, with its limits.
struct EngineCall: Sendable {
  var method: String
  /// Below the version: `/containers/json`.
  var path: String
  var query: [(String, String)] = []
  var body = HTTPBody.none
  var contentType: String?
  var limits = HTTPLimits(connect: .seconds(5), total: .seconds(30), answer: 1 << 20)
  /// Statuses beside 2xx that are answers.
  var accepted: Set<Int> = []

  init(_ method: String, _ path: String, query: [(String, String)] = []) {
    self.method = method
    self.path = path
    self.query = query
  }

  var operation: String { "\(method) \(path)" }

  func answering(upTo bytes: Int?) -> EngineCall { with { $0.limits.answer = bytes } }
  func within(_ total: Duration?, idle: Duration? = nil) -> EngineCall {
    with {
      $0.limits.total = total
      $0.limits.idle = idle
    }
  }
  func accepting(_ statuses: Set<Int>) -> EngineCall { with { $0.accepted = statuses } }
  func sending(_ body: HTTPBody, _ contentType: String) -> EngineCall {
    with {
      $0.body = body
      $0.contentType = contentType
    }
  }
  func sending(json value: some Encodable) throws(EngineError) -> EngineCall {
    do {
      return sending(.bytes(try JSONReader.encode(value)), "application/json")
    } catch {
      throw EngineError(.invalid, operation: operation, message: "the request cannot be encoded")
    }
  }

  private func with(_ change: (inout EngineCall) -> Void) -> EngineCall {
    var call = self
    change(&call)
    return call
  }
}

/// Carries calls to a socket and turns what is no success into errors.
struct EngineCalls: Sendable {
  var http: HTTPClient
  var socket: String
  /// `/v1.41`, or nothing before a version is agreed on.
  var prefix = ""

  func call(_ call: EngineCall) async throws(EngineError) -> HTTPResponse {
    let response: HTTPResponse
    do {
      response = try await http.send(request(call))
    } catch {
      throw EngineError(error, operation: call.operation)
    }
    guard response.isSuccess || call.accepted.contains(response.status) else {
      throw EngineError(response, operation: call.operation)
    }
    return response
  }

  func decode<Value: Decodable>(
    _ type: Value.Type, _ call: EngineCall
  ) async throws(EngineError) -> Value {
    let response = try await self.call(call)
    do {
      return try JSONReader.decode(type, from: response.body)
    } catch {
      throw EngineError(
        .malformed, operation: call.operation, message: JSONReader.explain(error))
    }
  }

  /// An answer that is read as it comes. A failing status is read whole, within its limit, and thrown.
  func open(_ call: EngineCall) async throws(EngineError) -> HTTPStream {
    let refusal: HTTPResponse
    do throws(TransportError) {
      let stream = try await http.open(request(call))
      if stream.isSuccess { return stream }
      var body: [UInt8] = []
      var iterator = stream.makeAsyncIterator()
      while body.count < Self.errorBodyLimit, let bytes = try await iterator.next() {
        body += bytes
      }
      refusal = HTTPResponse(status: stream.status, headers: stream.headers, body: body)
    } catch {
      throw EngineError(error, operation: call.operation)
    }
    throw EngineError(refusal, operation: call.operation)
  }

  private func request(_ call: EngineCall) -> HTTPRequest {
    var headers: HTTPHeaders = [:]
    if let type = call.contentType { headers["Content-Type"] = type }
    let query = call.query.map { "\($0.0)=\(percentEncoded($0.1))" }.joined(separator: "&")
    let url = "http://engine\(prefix)\(call.path)" + (query.isEmpty ? "" : "?\(query)")
    return HTTPRequest(
      call.method, url, headers: headers, body: call.body, route: .unixSocket(socket),
      limits: call.limits)
  }

  /// Errors are a line or two.
  private static let errorBodyLimit = 64 << 10
}

/// For a segment of a path or a value of a query: everything but unreserved characters (RFC 3986 §2.3) is escaped.
func percentEncoded(_ text: String) -> String {
  let digits = Array("0123456789ABCDEF".utf8)
  var encoded: [UInt8] = []
  for byte in text.utf8 {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "_"), UInt8(ascii: "~"):
      encoded.append(byte)
    default: encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }
  }
  return String(decoding: encoded, as: UTF8.self)
}
