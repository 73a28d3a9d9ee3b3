import GoopTestKit
import P2PCore
import Testing

/// Links that take so many bytes a second and no more.
@Suite struct ThinLinkTests {
    @Test func aWireWithARateTakesOnePacketAfterTheOther() {
        var network = VirtualNetwork<String>(seed: 1)
        network.connect(0, 1, quality: .init(latency: .milliseconds(20), bytesPerSecond: 1_000))
        var log: [String] = []
        func run(for duration: Duration) {
            let end = network.now.advanced(by: duration)
            while let event = network.next(until: end) {
                let time = network.now.nanoseconds / 1_000_000
                switch event {
                case .packet(let packet, _, let receiver): log.append("\(packet) at \(receiver) after \(time) ms")
                case .sent(let bytes, let sender, _): log.append("\(bytes) bytes from \(sender) after \(time) ms")
                case .timer, .step: break
                }
            }
        }
        network.send("one", bytes: 1_000, from: 0, to: 1)
        network.send("two", bytes: 500, from: 0, to: 1)
        // The other direction is a wire of its own.
        network.send("back", bytes: 100, from: 1, to: 0)
        run(for: .seconds(10))
        // An idle wire owes nothing.
        network.send("three", bytes: 1_000, from: 0, to: 1)
        run(for: .seconds(10))
        #expect(
            log == [
                "100 bytes from 1 after 100 ms", "back at 0 after 120 ms", "1000 bytes from 0 after 1000 ms",
                "one at 1 after 1020 ms", "500 bytes from 0 after 1500 ms", "two at 1 after 1520 ms",
                "1000 bytes from 0 after 11000 ms", "three at 1 after 11020 ms",
            ])
    }

    /// What the sender's socket holds of its data is before every ping, and the receiver says something once half a window is
    /// read: each of them may hear nothing of the other for long.
    @Test(arguments: [(10_000, 1), (10_000, 4), (100_000, 4)])
    func aFullLinkIsNotADeadOne(bytesPerSecond: Int, streams: Int) throws {
        var wire = YamuxWire(bytesPerSecond: bytesPerSecond, latency: .milliseconds(50))
        wire.run(for: .seconds(1))
        wire.write(from: 1, streams: streams)
        wire.run(for: .seconds(600))
        #expect(wire.ends.allSatisfy { $0.failure == nil })
        #expect(wire.ends[0].received > bytesPerSecond * 600 * 95 / 100)
        // The way through what is full is no longer path: windows that grew with it would make it longer still.
        #expect(wire.ends[0].machine.grownWindowBytes == 0)
        let longest = try #require(wire.ends.flatMap(\.roundTrips).max())
        #expect(longest < .seconds(Double(YamuxWire.fullAt) / Double(bytesPerSecond) + 2))
    }

    @Test func aWideLinkIsFilledByOneStream() {
        let bytesPerSecond = 20_000_000
        var wire = YamuxWire(bytesPerSecond: bytesPerSecond, latency: .milliseconds(50))
        wire.run(for: .seconds(1))
        wire.write(from: 1, streams: 1)
        wire.run(for: .seconds(10))
        #expect(wire.ends[0].machine.grownWindowBytes > 0)
        #expect(wire.ends[0].received > bytesPerSecond * 10 * 80 / 100)
    }

    /// Its neighbours have twice as much to say as its wires take.
    @Test func aPeerOnThinLinksHoldsUpNobodyAndMissesNothingInTheEnd() {
        var world = GossipWorld(seed: 1)
        let nodes = (0..<20).map { _ in world.addNode() }
        let (thin, others) = (nodes[0], Array(nodes.dropFirst()))
        world.connectRandomly(others, degree: 5)
        for other in others.prefix(8) { world.connect(thin, to: other, quality: .init(bytesPerSecond: 50_000)) }
        world.run(for: .seconds(5))
        for _ in 0..<100 {
            let author = others[Int.random(in: 0..<others.count, using: &world.network.random)]
            world.publish(from: author, size: 10_000)
            world.run(for: .milliseconds(100))
        }
        func missing(_ numbers: [Int]) -> Int {
            numbers.reduce(0) { sum, number in
                sum
                    + world.publications.map(\.publication).count {
                        $0.author != number && $0.deliveries[number] == nil
                    }
            }
        }
        #expect(missing([thin]) > 10, "the wires were thin")
        world.run(for: .seconds(1))
        #expect(missing(others) == 0)
        let delays = world.publications.map(\.publication).flatMap { publication in
            others.compactMap { publication.deliveries[$0].map { publication.time.duration(to: $0) } }
        }.sorted()
        #expect(delays[delays.count * 99 / 100] <= .milliseconds(500))
        world.run(for: .seconds(60))
        #expect(missing([thin]) == 0)
        world.publish(from: others[7])
        world.run(for: .seconds(1))
        #expect(missing([thin]) == 0, "and it is in its place")
    }
}
