import Engine
import Foundation
import Journaling
import Keeping
import OnionModel
import Transport

/// A pass with nothing to do, in a resident agent, beside the engine's bare list call.
struct PassBenchmark {
  static let passes = 40

  let bench: Workbench
  let counts: [Int]

  func run() async throws {
    print(
      "pass with nothing to do, \(bench.kind), medians of \(Self.passes), git over a local path")
    print("services   pass ms   bare list ms   ratio   CPU ms a pass   resident MB")
    for count in counts { try await measure(count) }
  }

  private func measure(_ count: Int) async throws {
    let configuration = try await bench.host(count: count)
    let house = try await AgentHouse.open(configuration) { _ in }
    let cold = ContinuousClock.now
    let first = try await house.keeper.pass(trigger: "bench", patience: nil)
    guard !first.hasFailed, first.plan.isEmpty else {
      throw KeepingError("\(count) services did not come up: \(first.plan.waiting.map(\.message))")
    }
    let coldSeconds = Self.milliseconds(cold.duration(to: .now)) / 1000
    let engine = try await EngineClient.connect(socket: bench.socket, http: try HTTPClient())
    var passes: [Double] = []
    var lists: [Double] = []
    var used = 0.0
    for _ in 0..<Self.passes {
      lists.append(try await Self.time { _ = try await engine.containers() })
      let before = Self.processorMilliseconds()
      passes.append(
        try await Self.time {
          let report = try await house.keeper.pass(trigger: "interval", patience: nil)
          guard report.plan.isEmpty, report.outcomes.isEmpty else {
            throw KeepingError("there was something to do")
          }
        })
      used += Self.processorMilliseconds() - before
    }
    let pass = Self.median(passes)
    let list = Self.median(lists)
    print(
      String(
        format: "%8d %9.1f %14.1f %7.1f %15.1f %13.1f   (cold %.1f s)", count, pass, list,
        pass / list, used / Double(Self.passes), Self.residentMegabytes(), coldSeconds))
    _ = try await house.down()
    try await house.journal.close()
  }

  static func time(_ body: () async throws -> Void) async throws -> Double {
    let start = ContinuousClock.now
    try await body()
    return milliseconds(start.duration(to: .now))
  }

  static func milliseconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) * 1000
      + Double(duration.components.attoseconds) / 1e15
  }

  static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
  }

  /// User and system time of this process.
  static func processorMilliseconds() -> Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000
      + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000
  }

  static func residentMegabytes() -> Double {
    do {
      let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
      let pages = text.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0
      return pages * 4096 / 1_048_576
    } catch { return 0 }
  }
}
