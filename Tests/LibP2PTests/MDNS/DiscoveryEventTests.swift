import GoopTestKit
import Synchronization
import Testing

@testable import LibP2P

/// What is told of discoveries; that packets lead to them is checked between network namespaces by `lab/run`.
@Suite("Discovery: events", .timeLimit(.minutes(1))) struct DiscoveryEventTests {
    private let peers = (0..<4).map { _ in PrivateKey.generate().peerID }

    private func feed(
        eventsPerListener: Int = 8, onDiscovered: @escaping @Sendable (PeerID, [Multiaddr]) -> Void = { _, _ in },
        onLost: @escaping @Sendable (PeerID) -> Void = { _ in }
    ) -> DiscoveryFeed {
        DiscoveryFeed(eventsPerListener: eventsPerListener, onDiscovered: onDiscovered, onLost: onLost)
    }

    private func all(_ events: AsyncStream<DiscoveryEvent>) async -> [DiscoveryEvent] {
        var told: [DiscoveryEvent] = []
        for await event in events { told.append(event) }
        return told
    }

    @Test("discoveries and losses are told to everybody, in order, and the stream ends with the service")
    func order() async throws {
        let places = [try Multiaddr(text: "/ip4/192.0.2.1/tcp/1")]
        let called = Mutex<[String]>([])
        let feed = self.feed(
            onDiscovered: { peer, addresses in called.withLock { $0.append("\(peer) \(addresses)") } },
            onLost: { peer in called.withLock { $0.append("\(peer)") } })
        let streams = [feed.events(), feed.events()]
        feed.discovered(peers[0], at: places)
        for (peer, reason) in zip(peers, [MDNSLossReason.goodbye, .expired, .interfaceDown]) {
            feed.lost(peer, because: reason)
        }
        feed.finish()
        for events in streams {
            #expect(
                await all(events) == [
                    .discovered(peers[0], addresses: places), .lost(peers[0], reason: .goodbye),
                    .lost(peers[1], reason: .expired), .lost(peers[2], reason: .interfaceDown),
                ])
        }
        #expect(called.withLock { $0 } == ["\(peers[0]) \(places)"] + peers.prefix(3).map { "\($0)" })
        #expect(feed.droppedEvents == 0)
        #expect(await all(feed.events()) == [], "whoever comes late waits for nothing")
    }

    @Test("that the table made room for others is nobody's loss")
    func evictions() async {
        let feed = self.feed(onLost: { _ in Issue.record("told as a loss") })
        let events = feed.events()
        feed.lost(peers[0], because: .evicted)
        feed.finish()
        #expect(await all(events) == [])
    }

    @Test("a slow reader loses the oldest, which are counted; others lose nothing", arguments: [2, 1, 0])
    func bound(eventsPerListener: Int) async {
        let feed = self.feed(eventsPerListener: eventsPerListener)
        let slow = feed.events()
        for peer in peers { feed.discovered(peer, at: []) }
        let kept = max(1, eventsPerListener)
        #expect(feed.droppedEvents == peers.count - kept)
        let prompt = feed.events()
        feed.lost(peers[0], because: .goodbye)
        feed.finish()
        let last = DiscoveryEvent.lost(peers[0], reason: .goodbye)
        #expect(await all(prompt) == [last])
        let expected = peers.map { DiscoveryEvent.discovered($0, addresses: []) } + [last]
        #expect(await all(slow) == Array(expected.suffix(kept)))
        #expect(feed.droppedEvents == peers.count - kept + 1)
    }

    @Test("a reader whose task is cancelled is told nothing more, and nothing is kept for it")
    func cancelledReader() async {
        let feed = self.feed(eventsPerListener: 1)
        let events = feed.events()
        #expect(feed.listenerCount == 1)
        let reader = Task { await all(events) }
        reader.cancel()
        #expect(await reader.value == [])
        #expect(feed.listenerCount == 0)
    }

    @Test("the events of a service that never ran end with it")
    func service() async throws {
        var service: MDNSService? = try MDNSService(peer: peers[0], addresses: { [] })
        let events = try #require(service?.events())
        #expect(service?.droppedEvents == 0)
        service = nil
        #expect(await all(events) == [])
    }

    @Test("events are sentences")
    func words() throws {
        let places = [try Multiaddr(text: "/ip4/192.0.2.1/tcp/1"), try Multiaddr(text: "/ip4/192.0.2.2/tcp/2")]
        let discovered = DiscoveryEvent.discovered(peers[0], addresses: places)
        #expect(discovered.description == "discovered \(peers[0]) at \(places[0]), \(places[1])")
        for reason in DiscoveryEvent.LossReason.allCases {
            #expect(isInWords(reason))
            #expect(DiscoveryEvent.lost(peers[0], reason: reason).description == "lost \(peers[0]): \(reason)")
        }
    }
}
