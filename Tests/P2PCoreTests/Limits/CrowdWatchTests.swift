import P2PCore
import Testing

@Suite struct CrowdWatchTests {
    private func watch() -> CrowdWatch {
        var limits = ResourceLimits()
        limits.crowdWaiting = 4
        limits.crowdBurst = 3
        limits.crowdInterval = .milliseconds(10)
        return CrowdWatch(limits: limits)
    }

    private func at(_ milliseconds: UInt64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: 1_000_000_000 + milliseconds * 1_000_000)
    }

    @Test("who comes while few wait is no crowd, however many have come in time")
    func inTime() {
        var watch = self.watch()
        let crowds = (0..<1_000).filter { watch.came(waiting: 3, now: self.at($0 * 10)) }
        #expect(crowds.isEmpty && !watch.isCrowd)
        let isOver = watch.isOver(waiting: 0, now: self.at(20_000))
        #expect(!isOver, "what has not begun is not over")
    }

    @Test("who comes too soon after others makes a crowd, once")
    func tooSoon() {
        var watch = self.watch()
        let begins = (0..<6).map { _ in watch.came(waiting: 0, now: self.at(0)) }
        #expect(begins == [false, false, false, true, false, false])
        #expect(watch.isCrowd)
    }

    @Test("so does who comes while many wait")
    func waiting() {
        var watch = self.watch()
        let begins = [3, 4, 5].map { watch.came(waiting: $0, now: self.at(0)) }
        #expect(begins == [false, true, false])
    }

    @Test("it is over when few wait and nobody has come too soon for as long as a burst takes")
    func over() {
        var watch = self.watch()
        for _ in 0..<3 { _ = watch.came(waiting: 9, now: self.at(0)) }
        let looks: [(waiting: Int, at: UInt64)] = [(3, 100), (2, 29), (2, 30), (2, 31)]
        let ends = looks.map { watch.isOver(waiting: $0.waiting, now: self.at($0.at)) }
        #expect(ends == [false, false, true, false])
        #expect(!watch.isCrowd)
        let beginsAgain = watch.came(waiting: 4, now: self.at(200))
        #expect(beginsAgain)
    }
}
