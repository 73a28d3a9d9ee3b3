import GoopTestKit
import P2PCore
import Testing

@Suite struct TokenBucketTests {
    private func at(_ milliseconds: UInt64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: milliseconds * 1_000_000)
    }

    @Test("a burst, then one token an interval, and no more than a burst after any time")
    func rate() {
        var bucket = TokenBucket(capacity: 3, every: .seconds(1))
        let times: [UInt64] = [7, 7, 7, 7, 1_006, 1_007, 1_007, 2_500, 3_006, 3_007, 90_000, 90_000, 90_000, 90_000]
        #expect(
            times.map { bucket.take(now: self.at($0)) } == [
                true, true, true, false, false, true, false, true, false, true, true, true, true, false,
            ])
    }

    @Test("it says when a token will be there, and when all are")
    func availability() {
        var bucket = TokenBucket(capacity: 2, every: .milliseconds(100))
        #expect(bucket.isFull(now: .zero) && bucket.nextAvailable == .zero)
        let first = bucket.take(now: self.at(50))
        #expect(first && !bucket.isFull(now: self.at(149)) && bucket.isFull(now: self.at(150)))
        #expect(bucket.nextAvailable == self.at(50), "there is one")
        let second = bucket.take(now: self.at(50))
        #expect(second && bucket.nextAvailable == self.at(150) && bucket.isFull(now: self.at(250)))
        let tooSoon = bucket.take(now: MonotonicInstant(nanoseconds: self.at(150).nanoseconds - 1))
        let inTime = bucket.take(now: self.at(150))
        #expect(!tooSoon && inTime)
    }

    @Test("a clock that seems to go back brings nothing back")
    func earlierInstants() {
        var bucket = TokenBucket(capacity: 2, every: .seconds(1))
        let times: [UInt64] = [5_000, 4_000, 4_999, 5_000, 5_000]
        #expect(times.map { bucket.take(now: self.at($0)) } == [true, false, false, true, false])
    }

    @Test("figures at the ends of their ranges bound all the same")
    func extremes() {
        for interval in [Duration.seconds(Int64.max), .seconds(Int64.min), .zero, .nanoseconds(1)] {
            for capacity in [Int.min, 0, 1, 2, 1_000] {
                var bucket = TokenBucket(capacity: capacity, every: interval)
                let count = (0..<2_000).count { _ in bucket.take(now: self.at(1)) }
                #expect(count == max(capacity, 1), "\(capacity) every \(interval)")
            }
        }
        var many = TokenBucket(capacity: .max, every: .seconds(Int64.max))
        let isThere = many.take(now: MonotonicInstant(nanoseconds: .max))
        #expect(isThere)
    }

    @Test("in any order no span of time has more than a burst and its part of the rate", arguments: [1, 2, 3, 4])
    func random(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let capacity = Int.random(in: 1...5, using: &random)
        var bucket = TokenBucket(capacity: capacity, every: .milliseconds(10))
        var now: UInt64 = 0
        var taken: [UInt64] = []
        for _ in 0..<2_000 {
            now += UInt64.random(in: 0...9, using: &random)
            let isDue = bucket.nextAvailable <= self.at(now)
            let isTaken = bucket.take(now: self.at(now))
            if isTaken != isDue { Issue.record("another answer than announced, at \(now)") }
            if isTaken { taken.append(now) }
        }
        for (index, first) in taken.enumerated() {
            for (count, last) in taken[index...].enumerated() where count + 1 > capacity + Int(last - first) / 10 {
                Issue.record("\(count + 1) from \(first) to \(last)")
            }
        }
    }
}
