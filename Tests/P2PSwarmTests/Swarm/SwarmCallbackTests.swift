import Logging
import Multiformats
import NIOCore
import NIOPosix
import P2PCore
import PeerIdentity
import Synchronization
import Testing

@testable import P2PSwarm

@Suite("Swarm: what its owner is told of dials and limits", .timeLimit(.minutes(1))) struct SwarmCallbackTests {
    private let transport = StubTransport()
    private let peers = (0..<3).map { _ in PrivateKey.generate().peerID }

    private final class Told: Sendable {
        let dials = Mutex<[DialError]>([])
        let limits = Mutex<[LimitName]>([])
    }

    private func withSwarm(
        limits configure: (inout ResourceLimits) -> Void = { _ in }, _ body: (Swarm, Told) async throws -> Void
    ) async throws {
        var configuration = SwarmConfiguration(identity: .generate(), security: ["/noise"])
        configure(&configuration.limits)
        let told = Told()
        let swarm = Swarm(
            configuration: configuration, transports: [self.transport], group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test"),
            callbacks: SwarmCallbacks(
                connected: { _ in }, disconnected: { _, _, _ in }, inboundStream: { stream, _, _ in stream.reset() },
                dialFailed: { error in told.dials.withLock { $0.append(error) } },
                limitReached: { exceeded in told.limits.withLock { $0.append(exceeded.name) } }))
        try await swarm.start(listeningOn: [])
        try await body(swarm, told)
        await swarm.close()
        self.transport.refuse()
    }

    private func join(
        _ swarm: Swarm, _ peer: PeerID, _ addresses: String...
    ) throws -> (waiter: UInt64, outcome: EventLoopFuture<SwarmConnection>) {
        let promise = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: SwarmConnection.self)
        do {
            let wanted = try addresses.map { try Multiaddr(text: $0) }
            return (try swarm.join(peer, addresses: wanted, promise: promise), promise.futureResult)
        } catch {
            promise.fail(error)
            throw error
        }
    }

    @Test("a dial that fails is told of once, however many waited for it")
    func once() async throws {
        try await self.withSwarm { swarm, told in
            let one = try self.join(swarm, self.peers[0], "/ip4/10.0.0.1/tcp/1")
            let two = try self.join(swarm, self.peers[0], "/ip4/10.0.0.1/tcp/1")
            self.transport.refuse()
            for waiter in [one, two] {
                await #expect(throws: DialError.self) { _ = try await waiter.outcome.get() }
            }
            let next = try self.join(swarm, self.peers[1], "/ip4/10.0.0.2/tcp/1")
            self.transport.refuse()
            await #expect(throws: DialError.self) { _ = try await next.outcome.get() }
            let dials = told.dials.withLock { $0 }
            #expect(dials.map(\.peer) == [self.peers[0], self.peers[1]])
            #expect(dials.allSatisfy { $0.kind == .allFailed && $0.attempts.map(\.error) == [.refused] })
        }
    }

    @Test(
        "a dial is told of when the last of those who waited has waited long enough, not when nobody wants it any more")
    func patience() async throws {
        try await self.withSwarm { swarm, told in
            let (wanted, unwanted) = (self.peers[0], self.peers[1])
            let one = try self.join(swarm, wanted, "/ip4/10.0.0.1/tcp/1")
            let two = try self.join(swarm, wanted, "/ip4/10.0.0.1/tcp/1")
            let three = try self.join(swarm, unwanted, "/ip4/10.0.0.2/tcp/1")
            swarm.leave(unwanted, waiter: three.waiter) { _ in CancellationError() }
            swarm.leave(wanted, waiter: one.waiter) { DialError(.timedOut, peer: wanted, attempts: $0) }
            #expect(told.dials.withLock { $0.isEmpty })
            swarm.leave(wanted, waiter: two.waiter) { DialError(.timedOut, peer: wanted, attempts: $0) }
            #expect(told.dials.withLock { $0.map(\.peer) } == [wanted])
            #expect(told.dials.withLock { $0.first?.kind } == .timedOut)
        }
    }

    @Test("each limit of dials that refuses something is told of")
    func limits() async throws {
        func configure(_ limits: inout ResourceLimits) {
            limits.dialledPeers = 1
            limits.waitersPerDial = 1
        }
        try await self.withSwarm(limits: configure) { swarm, told in
            let waiting = try self.join(swarm, self.peers[0], "/ip4/10.0.0.1/tcp/1")
            #expect(throws: DialError.self) { _ = try self.join(swarm, self.peers[0]) }
            #expect(throws: DialError.self) { _ = try self.join(swarm, self.peers[1], "/ip4/10.0.0.2/tcp/1") }
            #expect(told.limits.withLock { $0 } == [.waitersPerDial, .dialledPeers])
            self.transport.refuse()
            await #expect(throws: DialError.self) { _ = try await waiting.outcome.get() }
        }
        try await self.withSwarm(limits: { $0.outboundConnections = 0 }) { swarm, told in
            let waiting = try self.join(swarm, self.peers[0], "/ip4/10.0.0.1/tcp/1")
            await #expect(throws: DialError.self) { _ = try await waiting.outcome.get() }
            #expect(told.limits.withLock { $0 } == [.outboundConnections])
            let exceeded = DialFailureReason.limit(LimitExceeded(.outboundConnections, limit: 0))
            #expect(told.dials.withLock { $0.first?.attempts.map(\.error) } == [exceeded])
        }
    }
}
