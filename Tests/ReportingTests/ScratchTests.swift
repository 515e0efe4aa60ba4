import Foundation
import Journaling
import OnionModel
import Testing
import Transport
@testable import Reporting
@Suite struct ScratchTests {
  @Test func timing() async throws {
    try await withFolder { folder in
      let clock = ContinuousClock()
      let journal = try await Journal(path: folder + "/journal.db")
      var t = clock.now
      for index in 0..<40 { try await journal.record([Sample.event(.actionSucceeded, "i\(index)")]) }
      print("record without endpoints", (clock.now - t) / 40)
      try await journal.syncEndpoints([EndpointSpecification(name: "a", digest: "1", patterns: [.all])], at: Sample.now())
      t = clock.now
      for index in 0..<40 { try await journal.record([Sample.event(.actionSucceeded, "j\(index)")]) }
      print("record with endpoint", (clock.now - t) / 40)
      t = clock.now
      for _ in 0..<40 {
        let d = try await journal.due(endpoint: "a", now: Sample.now())
        try await journal.delivered(d[0].id, at: Sample.now())
      }
      print("due+delivered", (clock.now - t) / 40)
      try writeSecret(Sample.secret, to: folder + "/secret")
      t = clock.now
      let r = try await Receiver.start(in: folder + "/r", secretFile: folder + "/secret")
      print("start", clock.now - t)
      let client = try HTTPClient()
      let e = WebhookEndpoint(name: "a", address: try WebhookAddress(r.url + "/hook"), secretFile: folder + "/secret")
      t = clock.now
      for i in 0..<20 { _ = try await sendSample(to: e, host: Sample.host, id: "\(i)", by: client, at: Sample.now()) }
      print("send", (clock.now - t) / 20)
      t = clock.now
      for i in 0..<20 { let req = HTTPRequest("POST", r.url, body: .bytes(Array(repeating: 65, count: 600))); _ = try await client.send(req); _ = i }
      print("send whole", (clock.now - t) / 20)
      t = clock.now
      try await r.stop()
      print("stop", clock.now - t)
    }
  }
}
