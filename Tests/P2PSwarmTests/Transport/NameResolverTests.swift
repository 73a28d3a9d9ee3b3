import Dispatch
import Multiformats
import NIOCore
import NIOPosix
import P2PCore
import PeerIdentity
import Synchronization
import Testing

@testable import P2PSwarm

@Suite("Names of strangers", .timeLimit(.minutes(1))) struct NameResolverTests {
    private static let peers = (0..<3).map { _ in PrivateKey.generate().peerID }

    /// A name service in which names that begin with `slow` are answered when the test says so.
    private final class Names: Sendable {
        private let list = Mutex<[String]>([])
        let gate = DispatchSemaphore(value: 0)

        /// The names that were looked up, sorted.
        var asked: [String] { self.list.withLock { $0.sorted() } }

        @Sendable func lookUp(_ name: String, _ family: CInt) -> [IPAddress] {
            self.list.withLock { $0.append(name) }
            if name.hasPrefix("slow") { self.gate.wait() }
            return [.v4(0x0a00_0001)]
        }
    }

    private func request(
        _ name: String, of peer: PeerID?, isWanted: @escaping @Sendable () -> Bool = { true }
    ) throws -> DialRequest {
        DialRequest(
            address: try Multiaddr(text: "/dns4/\(name)/tcp/4001"),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(), timeout: .seconds(5), reusesListeningPort: false,
            peer: peer, isWanted: isWanted
        ) { _ in true }
    }

    @Test("a peer with slow names holds up its own only, and what nobody wants any more is not looked up")
    func slowNames() async throws {
        let threads = NIOThreadPool(numberOfThreads: 2)
        threads.start()
        let names = Names()
        let resolver = NameResolver(threads: threads, maximumRunning: 2, lookUp: names.lookUp)
        let held = Shared()
        let first = resolver.resolve(try self.request("slow1", of: Self.peers[0]))
        let second = resolver.resolve(try self.request("slow2", of: Self.peers[0]))
        let third = resolver.resolve(
            try self.request("slow3", of: Self.peers[0]) { held.flag.load(ordering: .relaxed) })
        let found = [try Multiaddr(text: "/ip4/10.0.0.1/tcp/4001")]
        for name in ["fast1", "fast2"] {
            #expect(try await resolver.resolve(self.request(name, of: Self.peers[1])).get() == found)
        }
        #expect(!names.asked.contains("slow2"))
        held.flag.store(false, ordering: .relaxed)
        for _ in 0..<2 { names.gate.signal() }
        #expect(try await first.get() == found)
        #expect(try await second.get() == found)
        await #expect(throws: DialFailureReason.abandoned) { try await third.get() }
        #expect(names.asked == ["fast1", "fast2", "slow1", "slow2"])
        try await threads.shutdownGracefully()
    }

    @Test("look-ups that wait are bounded; those that nobody wants any more make room")
    func bound() async throws {
        let threads = NIOThreadPool(numberOfThreads: 1)
        threads.start()
        let names = Names()
        let resolver = NameResolver(threads: threads, maximumRunning: 1, maximumWaiting: 2, lookUp: names.lookUp)
        let held = Shared()
        let running = resolver.resolve(try self.request("slow1", of: Self.peers[0]))
        let waiting = resolver.resolve(try self.request("fast1", of: Self.peers[0]))
        let unwanted = resolver.resolve(
            try self.request("fast2", of: Self.peers[1]) { held.flag.load(ordering: .relaxed) })
        await #expect(throws: DialFailureReason.limit(LimitExceeded(.nameLookUps, limit: 2))) {
            try await resolver.resolve(self.request("fast3", of: Self.peers[2])).get()
        }
        held.flag.store(false, ordering: .relaxed)
        let admitted = resolver.resolve(try self.request("fast4", of: Self.peers[2]))
        await #expect(throws: DialFailureReason.abandoned) { try await unwanted.get() }
        names.gate.signal()
        for future in [running, waiting, admitted] { #expect(try await future.get().count == 1) }
        #expect(names.asked == ["fast1", "fast4", "slow1"])
        try await threads.shutdownGracefully()
    }

    @Test("of a name with very many addresses few are taken")
    func addressesOfAName() async throws {
        let threads = NIOThreadPool(numberOfThreads: 1)
        threads.start()
        let resolver = NameResolver(threads: threads) { _, _ in (1...100).map { .v4(0x0a00_0000 + $0) } }
        let found = try await resolver.resolve(self.request("many", of: Self.peers[0])).get()
        #expect(found == (1...16).map { Multiaddr(ip: .v4(0x0a00_0000 + $0), tcpPort: 4001) })
        try await threads.shutdownGracefully()
    }

    @Test("peers take turns, and each has one look-up under way")
    func turns() {
        struct Item: NameLookUp {
            let name: String
            var isWanted: Bool { true }
        }
        var lines = NameLookUpLines<Item>(maximumRunning: 2, maximumWaiting: 9)
        let (a, b, c) = (Self.peers[0], Self.peers[1], Self.peers[2])
        for (name, peer) in [("a1", a), ("a2", a), ("a3", a), ("b1", b), ("c1", c), ("c2", c)] {
            let isQueued = lines.add(Item(name: name), of: peer).isQueued
            #expect(isQueued)
        }
        func next() -> String? { lines.takeNext().next?.lookUp.name }
        #expect([next(), next(), next()] == ["a1", "b1", nil])
        lines.ended(of: b)
        #expect([next(), next()] == ["c1", nil])
        lines.ended(of: c)
        #expect([next(), next()] == ["c2", nil], "of the first peer one is under way")
        lines.ended(of: a)
        #expect([next(), next()] == ["a2", nil])
        lines.ended(of: a)
        lines.ended(of: c)
        #expect([next(), next()] == ["a3", nil])
        #expect(lines.count == 0)
    }
}

/// A flag that a test and a closure of it look at.
private final class Shared: Sendable {
    let flag = Atomic(true)
}
