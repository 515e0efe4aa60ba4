import Keeping
import Testing

/// Wake-ups only shorten a wait; none is lost and none is kept twice.
struct DoorbellTests {
  @Test func ringsBeforeTheWaitEndItAtOnce() async {
    let bell = Doorbell()
    bell.ring("signal")
    bell.ring("event")
    bell.ring("event")
    #expect(await bell.wait(upTo: .seconds(600)) == ["signal", "event"])
  }

  @Test func aRingEndsTheWait() async {
    let bell = Doorbell()
    async let reasons = bell.wait(upTo: .seconds(600))
    bell.ring("event")
    #expect(await reasons == ["event"])
  }

  @Test func timeEndsTheWait() async {
    #expect(await Doorbell().wait(upTo: .milliseconds(1)) == ["interval"])
  }

  @Test func cancellationEndsTheWait() async {
    let bell = Doorbell()
    let task = Task { await bell.wait(upTo: .seconds(600)) }
    task.cancel()
    #expect(await task.value == ["cancelled"])
  }
}
