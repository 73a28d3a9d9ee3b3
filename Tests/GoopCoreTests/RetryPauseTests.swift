import GoopCore
import Testing

@Suite struct RetryPauseTests {
    @Test func eachFailureMakesItLongerUpToAMinute() {
        var pause = RetryPause()
        var now = Duration.zero
        for seconds in [4, 8, 16, 32, 60, 60] {
            #expect(pause.isOver(now: now))
            pause.failed(now: now)
            // What fails together is one failure.
            pause.failed(now: now + RetryPause.oneFailure)
            now += .seconds(seconds)
            #expect(!pause.isOver(now: now - .milliseconds(1)), "\(seconds) s")
        }
        #expect(pause.isOver(now: now))
    }
}
