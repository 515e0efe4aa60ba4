import Foundation
import Glibc
import Journaling
import OnionModel
import Testing
import Transport

@testable import Reporting

@Suite struct FormatTests {
  /// The example of the Standard Webhooks libraries' own tests.
  @Test func theSignatureIsThatOfTheSpecification() throws {
    let body = Array(#"{"test": 2432232314}"#.utf8)
    let secret = try Secret(Sample.secret, path: "file")
    #expect(
      secret.signature(id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: 1_614_265_330, body: body)
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    let both = try Secret("\(Sample.other)\n\(Sample.secret)\n", path: "file")
    let signatures = both.signature(
      id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: 1_614_265_330, body: body
    ).split(separator: " ")
    #expect(signatures.count == 2)
    #expect(signatures.last == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
  }

  @Test(arguments: [
    "", "hunter2hunter2", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!",
    "whsec_" + Data(repeating: 1, count: 65).base64EncodedString(),
    "whsec_" + Data(repeating: 1, count: 23).base64EncodedString(),
    "\(Sample.secret)\n\(Sample.other)\n\(Sample.secret)", "\(Sample.secret)\nhunter2hunter2",
  ])
  func aSecretOfAnotherFormIsRefusedWithoutShowingIt(text: String) throws {
    let error = #expect(throws: ReportingError.self) { try Secret(text, path: "/etc/s") }
    #expect(error?.code == .secret)
    let shown = "\(String(describing: error))"
    #expect(shown.contains("/etc/s"))
    for line in text.split(separator: "\n") where line.count > 6 {
      #expect(!shown.contains(line.dropFirst(6)))
    }
  }

  @Test func aSecretShowsNothing() throws {
    let secret = try Secret(Sample.secret, path: "file")
    var text = "\(secret) \(String(reflecting: secret))"
    dump(secret, to: &text)
    #expect(!text.contains("MfKQ"))
    #expect(!text.contains("SymmetricKey"))
  }

  @Test func aSecretFileMustBeOursAlone() async throws {
    try await withFolder { folder in
      let path = folder + "/secret"
      try writeSecret(Sample.secret, to: path)
      _ = try await Secret.read(path)
      for mode: mode_t in [0o640, 0o604, 0o602, 0o660] {
        chmod(path, mode)
        let error = await #expect(throws: ReportingError.self) { try await Secret.read(path) }
        #expect(error?.message.contains("chmod 600") == true)
      }
      chmod(path, 0o600)
      try FileManager.default.createSymbolicLink(
        atPath: folder + "/link", withDestinationPath: path)
      try Data(count: 5000).write(to: URL(fileURLWithPath: folder + "/large"))
      chmod(folder + "/large", 0o600)
      #expect(mkfifo(folder + "/pipe", 0o600) == 0)
      for name in ["link", "none", "large", "pipe", "."] {
        let error = await #expect(throws: ReportingError.self) {
          try await Secret.read("\(folder)/\(name)")
        }
        #expect(error?.operation.contains("\(folder)/\(name)") == true)
      }
    }
  }

  @Test func theBodyIsAStableCloudEvent() throws {
    let recorded = RecordedEvent(
      position: 9, epoch: "e1", sequence: 3,
      event: Event(
        kind: .driftRepaired, subject: "service/blog", time: Timestamp(seconds: 1_800_000_000),
        data: EventData(
          host: Sample.host, service: ServiceName("blog"), instance: InstanceName("blog"),
          revision: CommitID(String(repeating: "a", count: 40)), cause: .drift,
          drift: [Deviation("mode", expected: "0700", observed: "0755")], action: "repairKeys",
          outcome: "succeeded", message: "of \(Sample.address)", address: Sample.address,
          duration: 0.25, pass: 12, count: 2)))
    let full = try CloudEvent(recorded, shortensAddresses: false).json()
    let golden = """
      {"data":{"action":"repairKeys","address":"ADDRESS","cause":"drift","count":2,\
      "drift":[{"expected":"0700","observed":"0755","what":"mode"}],"duration":0.25,"host":"web-1",\
      "instance":"blog","message":"of ADDRESS","outcome":"succeeded","pass":12,\
      "revision":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","service":"blog"},\
      "datacontenttype":"application/json","epoch":"e1","id":"e1-3","sequence":3,\
      "source":"onionkeeper://web-1","specversion":"1.0","subject":"service/blog",\
      "time":"2027-01-15T08:00:00.000Z","type":"onionkeeper.drift.repaired"}
      """
    #expect(
      String(decoding: full, as: UTF8.self)
        == golden.replacingOccurrences(of: "ADDRESS", with: Sample.address.text))
    let short = try CloudEvent(recorded, shortensAddresses: true).json()
    #expect(
      String(decoding: short, as: UTF8.self)
        == golden.replacingOccurrences(of: "ADDRESS", with: Sample.address.shortened))
  }

  @Test func addressesAreShortenedWhereverTheyStand() {
    let name = Sample.address.identifier
    let short = Sample.address.shortened
    #expect(shorteningAddresses(in: "http://\(name).onion/x") == "http://\(short)/x")
    #expect(shorteningAddresses(in: name.uppercased() + "!").hasSuffix("…!"))
    #expect(shorteningAddresses(in: "\(name)\n\(name)").contains(name) == false)
    let digest = String(repeating: "a", count: 64)
    #expect(shorteningAddresses(in: "größe \(digest)") == "größe \(digest)")
  }

  @Test func aBodyStaysSmall() throws {
    let long = String(repeating: "é\"\\", count: 5_000)
    let drift = Array(repeating: Deviation(long, expected: long, observed: long), count: 500)
    let recorded = RecordedEvent(
      position: 1, epoch: "e", sequence: 1,
      event: Event(
        kind: .driftDetected, subject: "host", time: Timestamp(seconds: 0),
        data: EventData(
          host: Sample.host, drift: drift, error: long, message: long,
          log: Array(repeating: long, count: 500), finding: long)))
    #expect(try CloudEvent(recorded, shortensAddresses: true).json().count < 128 << 10)
  }

  @Test(arguments: [
    "https://hooks.example/x?y=1", "HTTPS://Hooks.Example:8443", "http://127.0.0.1:8080/",
    "http://localhost/", "http://10.213.7.1:9/a", "http://172.31.0.1/", "http://192.168.1.1",
    "http://[::1]:80/", "http://[fd00::1]/", "https://203.0.113.5/", "http://[::ffff:10.0.0.1]/",
  ])
  func addressesThatAreAllowed(url: String) throws {
    let address = try WebhookAddress(url)
    #expect(address.url == url)
    #expect(address.isEncrypted == url.lowercased().hasPrefix("https"))
  }

  @Test(arguments: [
    ("", "begin"), ("ftp://a", "begin"), ("https:/a", "begin"), ("https://", "host or port"),
    ("https://user:hunter2@a.example/", "user or password"), ("https://a.example/#f", "fragment"),
    ("https://a.example:0/", "port"), ("https://a.example:65536/", "port"),
    ("https://a.example:8x/", "port"), ("https://[::1/", "port"), ("https://[zz::]/", "port"),
    ("https://a b/", "blanks"), ("https://ä.example/", "ASCII"),
    ("http://hooks.example/", "http:// is only"), ("http://8.8.8.8/", "http:// is only"),
    ("http://169.254.169.254/", "http:// is only"), ("http://172.32.0.1/", "http:// is only"),
    ("http://2130706433/", "http:// is only"), ("http://[2001:db8::1]/", "http:// is only"),
    ("http://127.0.0.1.example/", "http:// is only"),
    ("https://\(Sample.address)/", "needs `via"), ("http://\(Sample.address)/", "needs `via"),
  ])
  func addressesThatAreRefused(url: String, reason: String) {
    let error = #expect(throws: ReportingError.self) { try WebhookAddress(url) }
    #expect(error?.message.contains(reason) == true, "\(String(describing: error))")
    #expect(error?.description.contains("hunter2") == false)
  }

  @Test func anOnionReceiverIsReachedByProxyOnly() throws {
    #expect(try !WebhookAddress("http://\(Sample.address)/x", isProxied: true).isEncrypted)
    #expect(throws: ReportingError.self) {
      try WebhookAddress("http://a.example/", isProxied: true)
    }
    #expect(try WebhookProxy("socks5h://127.0.0.1:9050").authority == "127.0.0.1:9050")
    for text in [
      "", "http://a:1", "socks5h://a", "socks5h://:9", "socks5h://a:0", "socks5h://u@a:1",
    ] {
      #expect(throws: ReportingError.self) { try WebhookProxy(text) }
    }
  }

  @Test func anEndpointsNameDoesNotShowItsPath() throws {
    let one = WebhookEndpoint(
      address: try WebhookAddress("https://hooks.example/services/T0/hunter2"), secretFile: "/s")
    let two = WebhookEndpoint(
      address: try WebhookAddress("https://hooks.example/services/T1"), secretFile: "/s")
    #expect(one.name.hasPrefix("hooks.example-"))
    #expect(one.name != two.name)
    #expect(!"\(one.specification)".contains("hunter2"))
    #expect(one.specification.digest != two.specification.digest)
  }

  @Test(arguments: [
    (200, Verdict.delivered), (204, .delivered), (410, .gone),
    (413, .refused("answered 413: it does not take this event")),
    (500, .again("answered 500", after: nil)), (404, .again("answered 404", after: nil)),
  ])
  func statuses(status: Int, verdict: Verdict) {
    #expect(Verdict(status: status, headers: [:], now: Timestamp(seconds: 0)) == verdict)
  }

  @Test func aRedirectNamesItsTargetWithoutCredentials() {
    let verdict = Verdict(
      status: 302,
      headers: ["Location": "https://user:hunter2@b.example/new\u{1b}path?token=hunter2#hunter2"],
      now: Timestamp(seconds: 0))
    #expect("\(verdict)".contains("https://b.example/new?path;"))
    #expect(!"\(verdict)".contains("hunter2"))
  }

  @Test(
    arguments: [
      ("120", 120), (" 0 ", 0), ("Sun, 06 Nov 1994 08:49:37 GMT", 37), ("-5", nil), ("soon", nil),
      ("Sun, 06 Nov 1994 08:48:37 GMT", 0), ("99999999999999999999", nil), ("", nil),
      ("Sun, 06 Foo 1994 08:49:37 GMT", nil), ("Tue, 29 Feb 2028 00:00:00 GMT", 1_051_283_460),
    ] as [(String, Double?)])
  func retryAfterIsRead(value: String, seconds: Double?) {
    #expect(retryAfter(value, now: Timestamp(seconds: 784_111_740)) == seconds)
  }

  @Test(arguments: 1...40) func theScheduleIsBounded(failures: Int) {
    let schedule = RetrySchedule()
    for unit in [0, 0.5, 1] {
      let delay = schedule.delay(
        failures: failures, othersWait: false, retryAfter: nil, unit: unit)
      #expect(delay >= 0.8 && delay <= 86_400)
      #expect(delay < Journal.longestWait)
      let behind = schedule.delay(failures: failures, othersWait: true, retryAfter: nil, unit: unit)
      #expect(behind <= schedule.longestWhileOthersWait)
      #expect(
        schedule.delay(failures: failures, othersWait: true, retryAfter: 1e9, unit: unit)
          == schedule.longestRetryAfter)
    }
    #expect(
      schedule.delay(failures: failures, othersWait: false, retryAfter: nil, unit: 0.5)
        <= schedule.delay(failures: failures + 1, othersWait: false, retryAfter: nil, unit: 0.5))
  }

  /// Three days of tries, and the first three within a minute.
  @Test func theScheduleSpansThreeDays() {
    let schedule = RetrySchedule()
    let times = (1...12).reduce(into: [0.0]) { times, failures in
      times.append(
        (times.last ?? 0)
          + schedule.delay(failures: failures, othersWait: false, retryAfter: nil, unit: 0.5))
    }
    #expect(times.filter { $0 <= 60 }.count == 4)
    #expect(times.last(where: { $0 <= schedule.lifetime }).map { $0 > 2 * 86_400 } == true)
  }
}
