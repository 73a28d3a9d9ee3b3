import Testing

@testable import LibP2P

@Suite("Which events of strangers' doing are told") struct EventPaceTests {
    private func at(_ milliseconds: UInt64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: milliseconds * 1_000_000)
    }

    private func pace() -> EventPace {
        var limits = ResourceLimits()
        limits.pacedEventBurst = 3
        limits.pacedEventInterval = .seconds(1)
        return EventPace(limits: limits)
    }

    @Test("of a flood a burst is told, then one for each interval, which stands for those before it")
    func flood() {
        var pace = self.pace()
        // A thousand a second, for ten seconds.
        let told = (UInt64(0)..<10_000).compactMap { pace.admit(.connectionRefused, now: self.at($0)) }
        #expect(told == [1, 1, 1] + [998] + Array(repeating: 1_000, count: 8))
        #expect(pace.withheld == 9_988, "those behind the last that was told are only counted")
    }

    @Test("after a quiet time there is a whole burst again, and no more")
    func quiet() {
        var pace = self.pace()
        for _ in 0..<9 { _ = pace.admit(.dialFailed, now: self.at(0)) }
        let told = (0..<9).compactMap { _ in pace.admit(.dialFailed, now: self.at(3_600_000)) }
        #expect(told == [7, 1, 1])
        #expect(pace.withheld == 12)
    }

    @Test("of each limit one event is told at a time, and each kind has an allowance of its own")
    func kinds() {
        var pace = self.pace()
        let kinds: [EventPace.Kind] = [.limitReached(.streams), .limitReached(.connections), .connectionRefused]
        let told = (0..<5).flatMap { _ in kinds.map { pace.admit($0, now: self.at(5)) } }
        #expect(told == [1, 1, 1, nil, nil, 1, nil, nil, 1] + [nil, nil, nil, nil, nil, nil])
        #expect(pace.admit(.limitReached(.streams), now: self.at(1_004)) == nil)
        #expect(pace.admit(.limitReached(.streams), now: self.at(1_005)) == 6)
    }
}
