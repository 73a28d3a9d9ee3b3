import NIOCore
import P2PCore
import PeerIdentity
import Testing

@testable import P2PSwarm

@Suite("Connections that are ending", .timeLimit(.minutes(1))) struct EndingConnectionTests {
    private let local = PrivateKey.generate().peerID
    private let remote = PrivateKey.generate().peerID

    private func siege() async throws -> Siege {
        // The peer answers no pings.
        try await Siege { $0.yamux.keepAliveTimeout = .seconds(3600) }
    }

    /// The swarm's tables with these connections of one peer.
    private func state(_ sieges: [Siege]) throws -> SwarmState {
        var state = SwarmState(configuration: SwarmConfiguration(identity: .generate(), security: []))
        for siege in sieges {
            let slot = try state.ledger.reserveOutbound(to: nil)
            state.connections[self.remote, default: []].append(
                SwarmConnection(
                    id: state.takeNumber(), muxed: siege.connection, direction: .outbound, opened: .now(),
                    usesListeningPort: false, slot: slot))
        }
        return state
    }

    private func best(_ state: SwarmState) -> SwarmConnection? {
        state.best(of: self.remote, local: self.local, allowsLimited: true)
    }

    @Test("a connection of which the peer says go-away, and stays, gets no new streams: the next best does, or a dial")
    func goAway() async throws {
        let sieges = [try await self.siege(), try await self.siege()]
        let state = try self.state(sieges)
        for left in [1, 0] {
            let before = try #require(self.best(state))
            let said = try #require(sieges.firstIndex { $0.connection === before.muxed })
            // Says it is going, and answers on: the connection lives.
            try await sieges[said].attack { peer in
                peer.say(peer.frame(.goAway, [], 0))
                peer.say(peer.frame(.ping, .syn, 0, 5))
            }
            try await sieges[said].heard { $0.kind == .ping && $0.flags.contains(.ack) && $0.length == 5 }
            #expect(self.best(state)?.muxed !== before.muxed)
            #expect(state.candidates(of: self.remote).count == left)
        }
        #expect(self.best(state) == nil)
        for siege in sieges {
            siege.connection.close()
            _ = try await siege.connection.closeFuture.get()
        }
    }

    @Test("a connection that we close is out of the question at once")
    func closing() async throws {
        let siege = try await self.siege()
        let state = try self.state([siege])
        #expect(self.best(state)?.muxed === siege.connection)
        siege.connection.close()
        #expect(self.best(state) == nil)
        _ = try await siege.connection.closeFuture.get()
    }

    @Test("one that has ended by itself as well")
    func ended() async throws {
        let siege = try await self.siege()
        let state = try self.state([siege])
        try await siege.attack { $0.sayUnsealed(ByteBuffer(bytes: [0, 3, 1, 2, 3])) }
        _ = try await siege.connection.closeFuture.get()
        #expect(self.best(state) == nil)
    }
}
