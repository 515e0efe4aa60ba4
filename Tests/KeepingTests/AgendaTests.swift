import Journaling
import OnionModel
import Synchronization
import Testing

@testable import Keeping

/// When the repository is asked, however often passes come.
struct AgendaTests {
  @Test func driftAndRetriesAskNoRepository() {
    var agenda = Agenda(interval: .seconds(60))
    let start = ContinuousClock.now
    func asks(_ reason: String, _ second: Int) -> Bool {
      agenda.asks([reason], at: start.advanced(by: .seconds(second)))
    }
    let first = asks("start", 0)
    #expect(first)
    let early = (1...50).flatMap { second in
      ["interval", "event", "source"].map { asks($0, second) }
    }
    #expect(!early.contains(true))
    // Events without end keep no question from being put.
    let due = asks("event", 67)
    let after = asks("event", 68)
    #expect(due && !after)
  }

  /// Our own steps make the engine tell: a signal that comes among them still asks.
  @Test func aSignalIsNotLostAmongEvents() {
    var agenda = Agenda(interval: .seconds(60))
    let now = ContinuousClock.now
    let answers = [["start"], ["event", "signal"], ["event"], ["push"]].map {
      agenda.asks($0, at: now)
    }
    #expect(answers == [true, true, false, true])
    #expect(agenda.trigger(of: ["event", "signal"]) == "signal")
    #expect(agenda.trigger(of: ["cancelled"]) == "interval")
  }

  @Test func theNextQuestionIsAnIntervalAway() {
    var agenda = Agenda(interval: .seconds(60))
    let now = ContinuousClock.now
    _ = agenda.asks(["start"], at: now)
    #expect(agenda.pause(at: now) >= .seconds(54))
    #expect(agenda.pause(at: now) <= .seconds(66))
    #expect(agenda.pause(at: now.advanced(by: .seconds(600))) == .zero)
    agenda.interval = .seconds(5)
    #expect(agenda.pause(at: now) <= .seconds(6))
  }

  @Test(arguments: [
    (JournalError.Code.full, true), (.busy, true), (.readOnly, true), (.corrupt, false),
    (.newerSchema, false), (.notThere, false),
  ]) func aFullDiskIsWaitedFor(code: JournalError.Code, isWaitedFor: Bool) {
    #expect(JournalError(code, "store", "…").mayPass == isWaitedFor)
  }
}

struct SourceInquiryTests {
  private final class Calls: Sendable {
    let count = Mutex(0)
    let gate = Doorbell()
  }

  @Test func anAnswerInTimeRingsNobody() async {
    let calls = Calls()
    let inquiry = SourceInquiry(
      { .init(finding: .failed("x")) }, onLateAnswer: { calls.count.withLock { $0 += 1 } })
    #expect(await inquiry.answer(within: .seconds(600)) != nil)
    #expect(await inquiry.answer(within: .seconds(600)) != nil)
    #expect(calls.count.withLock { $0 } == 0)
  }

  @Test func aLateAnswerRingsOnceAndIsFound() async {
    let calls = Calls()
    let late = Doorbell()
    let inquiry = SourceInquiry(
      {
        _ = await calls.gate.wait(upTo: .seconds(600))
        return .init(finding: .failed("x"))
      },
      onLateAnswer: {
        calls.count.withLock { $0 += 1 }
        late.ring("late")
      })
    #expect(await inquiry.answer(within: .zero) == nil)
    #expect(await inquiry.answer(within: .milliseconds(1)) == nil)
    calls.gate.ring("go")
    #expect(await late.wait(upTo: .seconds(600)) == ["late"])
    #expect(await inquiry.answer(within: .seconds(600)) != nil)
    #expect(calls.count.withLock { $0 } == 1)
  }

  @Test func cancellationReachesTheQuestion() async {
    let calls = Calls()
    let inquiry = SourceInquiry(
      {
        let reasons = await calls.gate.wait(upTo: .seconds(600))
        return .init(finding: .failed(reasons.joined()))
      }, onLateAnswer: {})
    inquiry.cancel()
    guard case .failed("cancelled")? = await inquiry.answer(within: nil)?.finding else {
      Issue.record("was not cancelled")
      return
    }
  }
}

struct WallClockTests {
  let noon = Timestamp(seconds: 1_700_000_000)

  @Test func anHourEarlyIsWrong() {
    let clock = WallClock(built: noon)
    #expect(clock.complaint(noon, latest: nil) == nil)
    #expect(clock.complaint(noon.adding(seconds: -3599), latest: nil) == nil)
    #expect(clock.complaint(noon.adding(seconds: -3601), latest: nil)?.contains("built") == true)
    #expect(
      clock.complaint(noon, latest: noon.adding(seconds: 3601))?.contains("journal") == true)
    #expect(clock.complaint(noon.adding(seconds: 9e6), latest: noon) == nil)
  }
}
