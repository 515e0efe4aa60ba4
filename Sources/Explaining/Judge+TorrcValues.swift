/// Values and names of a torrc that tor refuses, or takes and should not have been given.
extension Judge {
  func torrcValueFindings(_ codes: Set<String>) -> [Finding] {
    var mine: [Finding] = []
    for service in facts.torrc.services {
      if !codes.contains("config.option") { mine += unknownNames(service) }
      if !codes.contains("config.port") { mine += ports(service) }
      if !codes.contains("config.range") { mine += numbers(service) }
    }
    if !codes.contains("config.single-hop") { mine += halves() }
    if !codes.contains("control.open") { mine += control() }
    if !codes.contains("guards.off") { mine += guards() }
    return mine
  }

  private func value(
    _ code: String, _ impact: Impact, _ title: String, _ cause: String, _ evidence: [Evidence],
    _ position: Int, _ fix: String
  ) -> Finding {
    finding(
      code, impact, impact == .risk ? .running : .configuration, title, cause, .high, evidence,
      position, [Fix(.configuration, fix)], verifyTorrc)
  }

  private func unknownNames(_ service: TorrcFacts.Service) -> [Finding] {
    service.options.sorted { $0.value.evidence.line < $1.value.evidence.line }.compactMap {
      name, option in
      guard !TorOptionHistory.isKnown(name), name != "hiddenserviceauthorizeclient" else {
        return nil
      }
      let written = option.evidence.text.words.first.map(String.init) ?? name
      let near = TorOptionHistory.nearest(name)
      return value(
        "config.option", .blocks, "tor does not know the option \(written).",
        "It is misspelled, or of another tor. One unknown option stops every service of this tor.",
        [option.evidence], service.position,
        near.map { "Write `\($0)`." }
          ?? "Look the name up in `man tor`, and mend the line or take it out.")
    }
  }

  /// `HiddenServicePort VIRTUAL [TARGET]` (src/feature/hs/hs_common.c, hs_parse_port_config).
  private func ports(_ service: TorrcFacts.Service) -> [Finding] {
    service.ports.compactMap { port in
      let reason: String
      if !isPort(port.virtual) {
        reason = "`\(port.virtual)` is no port"
      } else if port.target.hasSuffix(",") || port.rest > 0 && !port.target.hasPrefix("unix:\"") {
        reason = "there is more than one target behind it"
      } else if !port.target.hasPrefix("unix:"), let last = targetPort(port.target), !isPort(last) {
        reason = "`\(last)` is no port"
      } else if port.target.hasPrefix("unix:"), !port.target.dropFirst(5).hasPrefix("/"),
        !port.target.dropFirst(5).hasPrefix("\"/")
      {
        reason = "a socket's path begins at /"
      } else {
        return nil
      }
      return value(
        "config.port", .blocks,
        "A HiddenServicePort of \(service.directory) cannot be read: \(reason).",
        "It is `HiddenServicePort VIRTUAL [TARGET]`: ports are numbers from 1 to 65535, and there is one target. tor refuses the whole torrc.",
        [port.evidence], service.position,
        "Write `HiddenServicePort <virtual port> <address>:<port>`, or `unix:/absolute/path`; one line for each port."
      )
    }
  }

  private func isPort(_ text: String) -> Bool {
    text.utf8.allSatisfy { (0x30...0x39).contains($0) }
      && Int(text).map { (1...65535).contains($0) } ?? false
  }

  /// Behind the last colon; a lone number is a port itself.
  private func targetPort(_ target: String) -> String? {
    if target.utf8.allSatisfy({ (0x30...0x39).contains($0) }) { return target }
    guard let colon = target.lastIndex(of: ":"), !target.hasSuffix("]") else { return nil }
    return String(target[target.index(after: colon)...])
  }

  /// Ranges of src/feature/hs/hs_config.c and hs_options.inc.
  private static let ranges: [(name: String, shown: String, range: ClosedRange<Int>)] = [
    ("hiddenservicenumintroductionpoints", "HiddenServiceNumIntroductionPoints", 3...20),
    ("hiddenservicemaxstreams", "HiddenServiceMaxStreams", 0...65535),
    (
      "hiddenserviceenableintrodosratepersec", "HiddenServiceEnableIntroDoSRatePerSec",
      0...Int(Int32.max)
    ),
    (
      "hiddenserviceenableintrodosburstpersec", "HiddenServiceEnableIntroDoSBurstPerSec",
      0...Int(Int32.max)
    ),
  ]

  private func numbers(_ service: TorrcFacts.Service) -> [Finding] {
    var mine: [Finding] = []
    for (name, shown, range) in Self.ranges {
      guard let option = service.options[name] else { continue }
      guard let number = Int(option.value), range.contains(number) else {
        mine.append(
          value(
            "config.range", .blocks,
            "\(shown) is \(option.value); tor takes \(range.lowerBound) to \(range.upperBound).",
            "tor refuses a whole torrc for one value out of its range.", [option.evidence],
            service.position,
            "Set it to a value from \(range.lowerBound) to \(range.upperBound), or take the line out."
          ))
        continue
      }
    }
    let pairs = [
      ("hiddenserviceenableintrodosratepersec", "hiddenserviceenableintrodosburstpersec", 25, 200),
      ("hiddenservicepowqueuerate", "hiddenservicepowqueueburst", 250, 2500),
    ]
    for (rate, burst, usualRate, usualBurst) in pairs {
      let lines = [service.options[rate], service.options[burst]]
      guard lines.contains(where: { $0 != nil }) else { continue }
      let low = lines[0].map { Int($0.value) } ?? usualRate
      let high = lines[1].map { Int($0.value) } ?? usualBurst
      guard let low, let high, high < low else { continue }
      mine.append(
        value(
          "config.range", .blocks,
          "A burst (\(high)) of \(service.directory) is smaller than its rate (\(low)).",
          "tor refuses a burst below the rate. What is not written has tor's default (\(usualRate) and \(usualBurst)).",
          lines.compactMap { $0?.evidence }, service.position,
          "Raise the burst to the rate, or lower the rate."))
    }
    return mine
  }

  private func halves() -> [Finding] {
    let names = ["hiddenservicesinglehopmode", "hiddenservicenonanonymousmode"]
    let on = names.compactMap { name in
      facts.torrc.options[name].flatMap { $0.value == "1" ? $0.evidence : nil }
    }
    guard on.count == 1, let first = on.first else { return [] }
    return [
      value(
        "config.single-hop", .blocks,
        "One of the two options of a non-anonymous service stands alone.",
        "HiddenServiceSingleHopMode and HiddenServiceNonAnonymousMode must both be 1 or both 0; tor refuses the torrc.",
        [first], 0,
        "Take it out, unless the service shall be found. If it shall: both 1 and `SocksPort 0`.")
    ]
  }

  private func control() -> [Finding] {
    guard let option = facts.torrc.options["controlport"] else { return [] }
    let address = option.value.words.first.map(String.init) ?? ""
    guard address.has(":"), !address.hasPrefix("unix:"), !TorrcFacts.isLoopback(address) else {
      return []
    }
    return [
      value(
        "control.open", .risk, "tor's control port is open to whoever can reach \(address).",
        "Whoever speaks to it rules this tor: adds services, reads addresses, changes the configuration. Its protocol is not encrypted.",
        [option.evidence], 0,
        "Use a unix socket in a folder of tor's own (`ControlSocket /run/tor/control`, `CookieAuthentication 1`), or bind it to 127.0.0.1."
      )
    ]
  }

  private func guards() -> [Finding] {
    guard let option = facts.torrc.options["useentryguards"], option.value == "0",
      !facts.torrc.services.isEmpty
    else { return [] }
    return [
      value(
        "guards.off", .risk, "The services of this tor are easy to locate: UseEntryGuards is 0.",
        "Without entry guards each circuit begins at another relay, so sooner or later at one that watches.",
        [option.evidence], 0, "Take `UseEntryGuards 0` out of the torrc.")
    ]
  }
}
