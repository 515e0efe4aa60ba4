public import Journaling
import Transport

/// Who gets events: each has an outbox and a worker of its own.
public enum EventReceiver: Hashable, Sendable {
  case webhook(WebhookEndpoint)
  case forge(ForgeEndpoint)

  public var name: String {
    switch self {
    case .webhook(let endpoint): endpoint.name
    case .forge(let endpoint): endpoint.name
    }
  }

  public var specification: EndpointSpecification {
    switch self {
    case .webhook(let endpoint): endpoint.specification
    case .forge(let endpoint): endpoint.specification
    }
  }

  /// Sends one event, once. What does not concern the receiver counts as delivered.
  func send(
    _ event: RecordedEvent, by client: HTTPClient, options: ReporterOptions
  ) async -> Verdict {
    let request: HTTPRequest?
    let shortens = options.shortensAddresses(event.event)
    do throws(ReportingError) {
      switch self {
      case .webhook(let endpoint):
        request =
          try await WebhookRequest(
            event, to: endpoint, shortensAddresses: shortens, at: options.now(),
            timeout: options.timeout
          ).request
      case .forge(let endpoint):
        request = try await endpoint.request(
          event, shortensAddresses: shortens, timeout: options.timeout)
      }
    } catch {
      return .notSent(error.description)
    }
    guard let request else { return .delivered }
    do throws(TransportError) {
      return try await request.send(by: client) { status, headers in
        switch self {
        case .webhook: Verdict(status: status, headers: headers, now: options.now())
        case .forge(let endpoint): endpoint.verdict(status, headers, now: options.now())
        }
      }
    } catch {
      return .again(error.description, after: nil)
    }
  }
}

extension HTTPRequest {
  /// Sends it, and reads the answer up to its limit. Once a status has come, what happens to the rest of the answer is
  /// of no account.
  func send(
    by client: HTTPClient, judge: (Int, HTTPHeaders) -> Verdict
  ) async throws(TransportError) -> Verdict {
    let answer = try await client.open(self)
    let verdict = judge(answer.status, answer.headers)
    do {
      var count = 0
      for try await chunk in answer {
        count += chunk.count
        if count > WebhookRequest.answerLimit { break }
      }
    } catch {
      // The answer's body broke off: the receiver's word was its status.
    }
    return verdict
  }
}
