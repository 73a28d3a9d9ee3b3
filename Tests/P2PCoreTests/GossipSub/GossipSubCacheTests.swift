import GoopTestKit
import PeerIdentity
import Synchronization
import Testing

@testable import P2PCore

/// What is kept to be gossiped about, and what looking it up costs.
@Suite struct GossipSubCacheTests {
    private func at(_ milliseconds: Int) -> MonotonicInstant { .zero.advanced(by: .milliseconds(milliseconds)) }

    @Test func anOfferIsOfOneTopicNewestHeartbeatFirst() {
        var cache = MessageCache(windows: 5, gossipWindows: 3, maximumBytes: 1 << 20)
        // Five heartbeats with three messages of each of two topics.
        for beat in 0..<5 {
            for step in 0..<3 {
                for (index, topic) in ["t", "u"].enumerated() {
                    let number = UInt64(index * 1_000 + beat * 10 + step)
                    cache.insert(testMessage(number, topic: topic), now: at(beat * 1_000 + step * 100))
                }
            }
            if beat < 4 { cache.shift() }
        }
        func ids(_ topic: String, by milliseconds: Int, atMost limit: Int = .max) -> [MessageID] {
            cache.offer(of: TopicName(topic)).ids(arrivedBy: at(milliseconds), atMost: limit)
        }
        func messages(_ numbers: [UInt64], _ topic: String) -> [MessageID] {
            numbers.map { testMessage($0, topic: topic).id }
        }
        #expect(ids("t", by: 9_999) == messages([40, 41, 42, 30, 31, 32, 20, 21, 22], "t"))
        #expect(ids("u", by: 4_100) == messages([1_040, 1_041, 1_030, 1_031, 1_032, 1_020, 1_021, 1_022], "u"))
        #expect(ids("t", by: 3_099) == messages([30, 20, 21, 22], "t"))
        #expect(ids("t", by: 1_999).isEmpty && ids("v", by: 9_999).isEmpty)
        #expect(ids("t", by: 4_100, atMost: 4) == messages([40, 41, 30, 31], "t"))
        #expect(ids("t", by: 4_100, atMost: 0).isEmpty)
        #expect(cache.count == 30)
        for left in [24, 18, 12, 6, 0, 0] {
            cache.shift()
            #expect(cache.count == left)
        }
        #expect(cache.bytes == 0 && cache.offer(of: "t").count == 0)
    }

    @Test func whatIsDroppedIsOfferedNoMore() {
        var random = SeededGenerator(seed: 3)
        var cache = MessageCache(windows: 5, gossipWindows: 5, maximumBytes: 20_000)
        var inserted: [(topic: String, id: MessageID)] = []
        for number in UInt64(0)..<500 {
            let topic = ["t", "u", "v"][Int.random(in: 0..<3, using: &random)]
            let message = testMessage(number, topic: topic, size: Int.random(in: 0..<2_000, using: &random))
            cache.insert(message, now: at(Int(number)))
            inserted.append((topic, message.id))
            #expect(cache.bytes <= 20_000)
            if number % 30 == 29 { cache.shift() }
            // What is left are the last ones, and each is offered once.
            let left = inserted.suffix(cache.count)
            for topic in ["t", "u", "v"] {
                let offered = cache.offer(of: TopicName(topic)).ids(arrivedBy: at(1_000))
                #expect(offered.count == cache.offer(of: TopicName(topic)).count)
                #expect(Set(offered) == Set(left.filter { $0.topic == topic }.map(\.id)), "message \(number)")
            }
        }
    }

    @Test func anOfferLooksAtItsOwnTopicOnly() {
        var cache = MessageCache(windows: 5, gossipWindows: 3, maximumBytes: 64 << 20)
        for number in UInt64(0)..<20_000 {
            cache.insert(testMessage(number, topic: number % 1_000 == 0 ? "rare" : "common"), now: at(Int(number)))
        }
        #expect(cache.offer(of: "rare").count == 20 && cache.offer(of: "common").count == 19_980)
        #expect(cache.offer(of: "rare").ids(arrivedBy: at(9_500)).count == 10)
    }

    @Test func aTimeBeforeTheLastCountsAsTheLast() {
        var cache = MessageCache(windows: 5, gossipWindows: 3, maximumBytes: 1 << 20)
        for (number, time) in [(UInt64(1), 100), (2, 50), (3, 200)] { cache.insert(testMessage(number), now: at(time)) }
        #expect(cache.offer(of: "t").ids(arrivedBy: at(99)).isEmpty)
        #expect(cache.offer(of: "t").ids(arrivedBy: at(100)).count == 2)
    }

    @Test func smallMessagesCountWithAllThatTheyTake() {
        var cache = MessageCache(windows: 5, gossipWindows: 3, maximumBytes: 1_000_000)
        for number in UInt64(0)..<3_000 { cache.insert(testMessage(number, size: 0), now: at(Int(number))) }
        #expect((1_000...1_500).contains(cache.count))
        let last = testMessage(2_999, size: 0)
        #expect(cache.message(last.id, for: testPeer(1), limit: 1) == last)
        // Who has been sent it is remembered, and takes room as well: once for each peer, however often.
        let before = cache.bytes
        for _ in 0..<3 { cache.sent(last.id, to: testPeer(1)) }
        #expect(cache.message(last.id, for: testPeer(1), limit: 3) == nil)
        #expect(cache.bytes - before <= MessageCache.bytesPerTransmission)
        for number in 2..<20_000 { cache.sent(last.id, to: testPeer(number)) }
        #expect(cache.bytes <= 1_000_000)
        for _ in 0..<5 { cache.shift() }
        #expect(cache.bytes == 0 && cache.count == 0)
    }

    @Test func whatIsNotThereTakesNothing() {
        var cache = MessageCache(windows: 2, gossipWindows: 1, maximumBytes: 1_000)
        cache.sent(testMessage(1).id, to: testPeer(1))
        cache.insert(testMessage(1, size: 1_000), now: at(0))
        #expect(cache.bytes == 0 && cache.count == 0)
    }

    // MARK: - Heartbeats

    /// Counts what is drawn of it.
    private struct CountingGenerator: RandomNumberGenerator, Sendable {
        final class Counter: Sendable {
            let draws = Atomic(0)
        }

        var random = SeededGenerator(seed: 1)
        let counter: Counter

        mutating func next() -> UInt64 {
            counter.draws.wrappingAdd(1, ordering: .relaxed)
            return random.next()
        }
    }

    @Test func adverts() throws {
        var limits = GossipSubLimits()
        limits.maximumWantedIDsPerHeartbeat = 10
        let counter = CountingGenerator.Counter()
        var bench = RouterBench()
        bench.router = GossipSub(
            localPeer: RouterBench.key.peerID, limits: limits, random: CountingGenerator(counter: counter), now: .zero)
        try bench.join("t")
        for number in 1...40 { bench.open(testPeer(number), topics: ["t"]) }
        bench.advance(by: .milliseconds(200))
        let messages = (UInt64(0)..<2_000).map { testMessage($0, source: RouterBench.key.peerID) }
        for message in messages { bench.perform(try bench.router.publish(message, now: bench.now)) }
        bench.clearSent()
        let before = counter.draws.load(ordering: .relaxed)
        bench.advance(by: .seconds(1))
        // Some for each that is told, and for the choice of those: not some for each message.
        #expect(counter.draws.load(ordering: .relaxed) - before < 1_000)
        let adverts = (1...40).map { (bench.sent[testPeer($0)] ?? []).flatMap(\.have).flatMap(\.ids) }
            .filter { !$0.isEmpty }
        #expect(adverts.count >= 8)
        #expect(adverts.allSatisfy { $0.count == 10 && Set($0).count == 10 })
        #expect(Set(adverts.flatMap(\.self)).count > 50, "each is told something else")
        #expect(Set(adverts.flatMap(\.self)).isSubset(of: Set(messages.map(\.id))))
    }

    @Test func anIDHashesItsBytesAtOnce() {
        let id = testMessage(1).id
        var hasher = Hasher()
        id.bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
        #expect(id.hashValue == hasher.finalize())
    }
}
