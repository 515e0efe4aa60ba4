import Foundation
import Journaling
import OnionModel
import Testing
import Transport

@testable import Reporting

/// Real receivers, a real journal file, real HTTP.
@Suite struct DeliveryTests {
  @Test func eventsArriveSignedAndInOrder() async throws {
    try await withBench(["a"]) { bench in
      let a = try #require(bench.receivers["a"])
      try await bench.reporting {
        for index in 0..<40 { try await bench.record("instance/i\(index)") }
        // The receiver has an event a moment before the journal knows it.
        try await eventually("all arrive") {
          try await bench.journal.endpoints().first?.delivered == 40
        }
      }
      #expect(try a.events().map(\.sequence) == Array(1...40))
      #expect(try a.events().first?.type == "onionkeeper.action.succeeded")
      #expect(try a.rejected() == "")
      let state = try #require(try await bench.journal.endpoints().first)
      #expect(state.delivered == 40)
      #expect(state.waiting == 0)
    }
  }

  @Test(arguments: ["500", "503", "404", "drop", "429 0"])
  func whatFailsIsTriedAgainInOrder(fault: String) async throws {
    try await withBench(["a"]) { bench in
      let a = try #require(bench.receivers["a"])
      try a.fault(fault)
      try await bench.reporting {
        for index in 0..<5 { try await bench.record("instance/i\(index)") }
        try await eventually("some tries") { try a.requests().count >= 3 }
        #expect(try a.events().isEmpty)
        #expect(try await bench.journal.endpoints().first?.failingSince != nil)
        try a.fault(nil)
        try await eventually("all arrive") { try a.events().count == 5 }
      }
      #expect(try a.events().map(\.sequence) == Array(1...5))
      #expect(try await bench.journal.endpoints().first?.failingSince == nil)
      // The idempotency key is the same over all tries.
      #expect(try Set(a.requests().map(\.id)).count == 5)
    }
  }

  @Test func retryAfterIsHonoured() async throws {
    try await withBench(["a"]) { bench in
      let a = try #require(bench.receivers["a"])
      try a.fault("429 2")
      try await bench.reporting {
        try await bench.record("host")
        try await eventually("a first try") { try !a.requests().isEmpty }
        try a.fault(nil)
        try await eventually("it arrives") { try a.events().count == 1 }
      }
      let times = try a.requests().map(\.at)
      #expect(times.count == 2)
      #expect(times[1] - times[0] >= 1.9)
    }
  }

  @Test func goneDisablesOneEndpointAndTellsTheOthers() async throws {
    try await withBench(["a", "b"]) { bench in
      let a = try #require(bench.receivers["a"])
      let b = try #require(bench.receivers["b"])
      try a.fault("410")
      try await bench.reporting {
        try await bench.record("instance/one")
        try await eventually("b is told") {
          try b.events().map(\.type).contains("onionkeeper.webhook.dropped")
        }
        try await bench.record("instance/two")
        try await eventually("b goes on") { try b.events().count == 3 }
      }
      #expect(try a.requests().count == 1)
      let state = try #require(try await bench.journal.endpoints().first)
      #expect(state.disabled?.contains("410") == true)
      #expect(state.dead == 1)
    }
  }

  @Test func aRedirectIsAFailureThatNamesItsTarget() async throws {
    try await withBench(["a", "b"]) { bench in
      let a = try #require(bench.receivers["a"])
      let b = try #require(bench.receivers["b"])
      let target = b.url.replacingOccurrences(of: "//", with: "//u:hunter2@")
      try a.fault("redirect \(target)/elsewhere?token=hunter2")
      try await bench.reporting {
        try await bench.record("host")
        try await eventually("it fails") {
          try await bench.journal.endpoints().first?.lastError != nil
        }
      }
      let error = try #require(try await bench.journal.endpoints().first?.lastError)
      #expect(error.contains("\(b.url)/elsewhere"))
      #expect(!error.contains("hunter2"))
      #expect(try b.requests().allSatisfy { $0.path == "/hook" })
      #expect(try a.events().isEmpty)
    }
  }

  /// One receiver hangs until the try's limit; the other one's events do not wait.
  @Test func aReceiverThatHangsDelaysNoOther() async throws {
    try await withBench(["a", "b"]) { bench in
      let a = try #require(bench.receivers["a"])
      let b = try #require(bench.receivers["b"])
      try a.fault("hang")
      bench.options.timeout = .seconds(2)
      try await bench.reporting {
        try await bench.record("instance/one")
        try await eventually("a hangs") { try a.requests().count == 1 }
        for index in 0..<10 { try await bench.record("instance/i\(index)") }
        try await eventually("b has all") { try b.events().count == 11 }
        #expect(try a.events().isEmpty)
        try await eventually("the try ends") {
          try await bench.journal.endpoints().first?.lastError?.contains("timeout") == true
        }
        try a.fault(nil)
        try await eventually("a has all") { try a.events().count == 11 }
      }
      #expect(try a.events().map(\.sequence) == Array(1...11))
    }
  }

  /// Cancelled in the midst of a request that hangs; the next start sends what may have been lost.
  @Test func anEventSurvivesTheAgentsRestart() async throws {
    try await withBench(["a"]) { bench in
      let a = try #require(bench.receivers["a"])
      try a.fault("hang")
      let clock = ContinuousClock()
      var cancelled = clock.now
      try await bench.reporting {
        try await bench.record("instance/one")
        try await bench.record("instance/two")
        try await eventually("a hangs") { try a.requests().count == 1 }
        cancelled = clock.now
      }
      // The request's own limit is 20 s.
      #expect(cancelled.duration(to: clock.now) < .seconds(10))
      #expect(try await bench.journal.endpoints().first?.waiting == 2)
      #expect(try await bench.journal.endpoints().first?.lastError == nil)
      try await bench.reopen()
      try a.fault(nil)
      try await bench.reporting {
        try await eventually("both arrive") {
          try await bench.journal.endpoints().first?.waiting == 0
        }
      }
      #expect(try a.events().map(\.sequence) == [1, 2])
      #expect(try await bench.journal.endpoints().first?.waiting == 0)
    }
  }

  @Test func aReceiverThatIsAwayIsFoundAgain() async throws {
    try await withBench(["a"]) { bench in
      let a = try #require(bench.receivers["a"])
      try await a.stop()
      try await bench.reporting {
        try await bench.record("host")
        try await eventually("it fails") {
          try await bench.journal.endpoints().first?.lastError?.contains("connect") == true
        }
        _ = try await Receiver.start(
          in: a.folder, secretFile: bench.folder + "/secret", port: a.port)
        try await eventually("it arrives") { try a.events().count == 1 }
      }
    }
  }

  /// The receiver's secret changes first, then the host's file; while both are in the file both are served.
  @Test func secretsRotateWithoutARestart() async throws {
    try await withBench(["a"]) { bench in
      let a = try #require(bench.receivers["a"])
      let theirs = bench.folder + "/secret"
      let ours = bench.folder + "/ours"
      try writeSecret(Sample.secret, to: ours)
      bench.endpoints[0].secretFile = ours
      try await bench.reporting {
        try await bench.record("instance/one")
        try await eventually("the old one does") { try a.events().count == 1 }
        try writeSecret(Sample.other, to: theirs)
        try await bench.record("instance/two")
        try await eventually("the old one does no more") {
          try await bench.journal.endpoints().first?.lastError?.contains("secret") == true
        }
        try writeSecret(Sample.secret, Sample.other, to: ours)
        try await eventually("both do") { try a.events().count == 2 }
        // A file that others can read is not used, and the event waits.
        #expect(chmod(ours, 0o644) == 0)
        try await bench.record("instance/three")
        try await eventually("it is refused") {
          try await bench.journal.endpoints().first?.lastError?.contains("chmod 600") == true
        }
        #expect(chmod(ours, 0o600) == 0)
        try await eventually("mended") { try a.events().count == 3 }
      }
      #expect(
        try await bench.holdsNo([
          "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", String(Sample.other.dropFirst(6)),
        ]))
    }
  }

  /// One event that a receiver cannot read must not hold up all others for three days.
  @Test func aRefusedEventIsGivenUp() async throws {
    try await withBench(["a", "b"]) { bench in
      let a = try #require(bench.receivers["a"])
      let b = try #require(bench.receivers["b"])
      try a.fault("400")
      try await bench.reporting {
        try await bench.record("instance/one")
        try await eventually("it is given up") {
          try await bench.journal.endpoints().first?.dead == 1
        }
        try a.fault(nil)
        try await bench.record("instance/two")
        try await eventually("the next arrives") {
          try a.events().map(\.subject).contains("instance/two")
        }
        try await eventually("b was told") {
          try b.events().map(\.type).contains("onionkeeper.webhook.dropped")
        }
        #expect(try await bench.journal.redeliver(endpoint: "a") == 1)
        try await eventually("the dead letter arrives") {
          try a.events().map(\.subject).contains("instance/one")
        }
      }
    }
  }

  @Test func anEventThatIsTooOldIsGivenUpAfterAFewTries() async throws {
    try await withBench(["a"]) { bench in
      let a = try #require(bench.receivers["a"])
      try a.fault("500")
      var old = Sample.event(.keyLost)
      old.time = old.time.adding(seconds: -4 * 86_400)
      let event = old
      try await bench.reporting {
        try await bench.journal.record([event])
        try await eventually("it is given up") {
          try await bench.journal.endpoints().first?.dead == 1
        }
        try a.fault(nil)
        try await eventually("the report arrives") {
          try a.events().map(\.type) == ["onionkeeper.webhook.dropped"]
        }
      }
      #expect(try a.requests().filter { $0.id.hasSuffix("-1") }.count == 3)
    }
  }

  @Test func aSampleIsSent() async throws {
    try await withBench(["a"]) { bench in
      let a = try #require(bench.receivers["a"])
      let client = try HTTPClient()
      let endpoint = bench.endpoints[0]
      #expect(
        try await sendSample(
          to: endpoint, host: Sample.host, id: "1", by: client, at: Sample.now()) == nil)
      #expect(try a.events().map(\.type) == ["onionkeeper.agent.heartbeat"])
      try a.fault("500")
      #expect(
        try await sendSample(
          to: endpoint, host: Sample.host, id: "2", by: client, at: Sample.now())
          == "answered 500")
      try await a.stop()
      let reason = try await sendSample(
        to: endpoint, host: Sample.host, id: "3", by: client, at: Sample.now())
      #expect(reason?.contains("connect") == true)
      #expect(reason?.contains("/hook") == false)
    }
  }
}

/// A journal on disk, receivers, and a reporter that can be started again.
private final class Bench {
  let folder: String
  var journal: Journal
  var receivers: [String: Receiver] = [:]
  var endpoints: [WebhookEndpoint] = []
  var options = ReporterOptions(now: Sample.now)

  init(_ folder: String, _ names: [String]) async throws {
    self.folder = folder
    journal = try await Journal(path: folder + "/journal.db")
    try writeSecret(Sample.secret, to: folder + "/secret")
    options.schedule.steps = [0.05]
    for name in names {
      let receiver = try await Receiver.start(
        in: "\(folder)/\(name)", secretFile: folder + "/secret")
      receivers[name] = receiver
      endpoints.append(
        WebhookEndpoint(
          name: name, address: try WebhookAddress(receiver.url + "/hook"),
          secretFile: folder + "/secret"))
    }
  }

  func record(_ subject: String) async throws {
    try await journal.record([Sample.event(.actionSucceeded, subject)])
  }

  /// Runs a reporter while `body` runs; it has ended when this returns.
  func reporting(_ body: () async throws -> Void) async throws {
    let reporter = Reporter(
      journal: journal, client: try HTTPClient(), endpoints: endpoints.map(EventReceiver.webhook),
      options: options)
    try await reporter.prepare()
    let task = Task { await reporter.run() }
    let result: Result<Void, any Error>
    do { result = .success(try await body()) } catch { result = .failure(error) }
    task.cancel()
    await task.value
    try result.get()
  }

  /// What a restart of the agent does to its journal.
  func reopen() async throws {
    try await journal.close()
    journal = try await Journal(path: folder + "/journal.db")
  }

  /// Whether none of the texts is anywhere in the journal's files.
  func holdsNo(_ texts: [String]) async throws -> Bool {
    try ["journal.db", "journal.db-wal"].allSatisfy { name in
      let data = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)"))
      return texts.allSatisfy { data.range(of: Data($0.utf8)) == nil }
    }
  }
}

private func withBench(_ names: [String], _ body: (Bench) async throws -> Void) async throws {
  try await withFolder { folder in
    let bench = try await Bench(folder, names)
    let result: Result<Void, any Error>
    do { result = .success(try await body(bench)) } catch { result = .failure(error) }
    for receiver in bench.receivers.values { try await receiver.stop() }
    try result.get()
  }
}
