import GoopTestKit
import LibP2P
import Testing

/// What the connection manager hears of meshes.
extension PubSubTests {
    /// Room for one connection, and nothing is closed before the test says so.
    private func keepOne(_ node: inout Node.Configuration) {
        node.trimming?.lowWater = 1
        node.trimming?.highWater = 1
        node.trimming?.grace = .zero
        node.trimming?.interval = .seconds(3600)
    }

    /// A connection that is worth more than one that comes in later, if nobody is tagged: we dialled it, and it has a stream.
    private func dial(_ stranger: Node, from node: Node) async throws -> P2PStream {
        stranger.serveEcho()
        try await node.connect(to: stranger.peerID, addresses: stranger.listenAddresses())
        let stream = try await node.openStream(to: stranger.peerID, protocols: ["/echo/1.0.0"])
        try await stream.write("x".utf8)
        _ = try await stream.readExactly(1)
        return stream
    }

    @Test("too many connections: a mesh peer's stays, until the peer is out of the mesh")
    func meshPeersAreTagged() async throws {
        try await withNodes(2) { strangers in
            try await withMembers(2, nodes: keepOne) { members in
                let (one, other) = (members[0], members[1])
                let first = try await dial(strangers[0], from: one.node)
                let heard = try await one.pubsub.subscribe(to: "t")
                let alsoHeard = try await other.pubsub.subscribe(to: "t")
                let spare = try await one.pubsub.subscribe(to: "u")
                let alsoSpare = try await other.pubsub.subscribe(to: "u")
                try await connect(other, one)
                for topic in ["t", "u"] { try await awaitSubscriber(one.peerID, of: topic, at: other) }
                // What comes through the other's mesh comes behind its GRAFT, if it was not we who grafted.
                try await other.pubsub.publish([1], to: "t")
                _ = try await next(1, of: heard)
                #expect(await one.pubsub.meshPeers(of: "t") == [other.peerID])
                try await other.pubsub.publish([2], to: "u")
                _ = try await next(1, of: spare)
                #expect(await one.pubsub.meshPeers(of: "u") == [other.peerID])
                // Out of one of two meshes: it is in the other still.
                var left = await one.pubsub.events().makeAsyncIterator()
                alsoSpare.cancel()
                #expect(await left.next() == .peerUnsubscribed(other.peerID, topic: "u"))
                #expect(await one.pubsub.meshPeers(of: "u") == [])
                one.node.trimConnections()
                await until(one.node) { $0.connections().count == 1 }
                #expect(one.node.connections().map(\.peer) == [other.peerID])
                first.reset()

                let second = try await dial(strangers[1], from: one.node)
                var events = await one.pubsub.events().makeAsyncIterator()
                alsoHeard.cancel()
                #expect(await events.next() == .peerUnsubscribed(other.peerID, topic: "t"))
                // Asked behind the event, so that everything of it is done.
                #expect(await one.pubsub.meshPeers(of: "t") == [])
                one.node.trimConnections()
                await until(one.node) { $0.connections().count == 1 }
                #expect(one.node.connections().map(\.peer) == [strangers[1].peerID])
                second.reset()
                _ = (heard, spare)
            }
        }
    }

    @Test("too many connections: whoever is in all our meshes is worth no more than in four of them")
    func fewMeshesCount() async throws {
        try await withNodes(1) { strangers in
            try await withMembers(2, nodes: keepOne) { members in
                let (one, other) = (members[0], members[1])
                let topics = (0..<6).map { "\($0)" }
                var heard: [PubSubSubscription] = []
                var alsoHeard: [PubSubSubscription] = []
                for topic in topics {
                    heard.append(try await one.pubsub.subscribe(to: topic))
                    alsoHeard.append(try await other.pubsub.subscribe(to: topic))
                }
                let stream = try await dial(strangers[0], from: one.node)
                // A little more than four meshes.
                one.node.tag(strangers[0].peerID, "operator", value: 4 * 20 + 1)
                try await connect(other, one)
                for (topic, subscription) in zip(topics, heard) {
                    try await awaitSubscriber(one.peerID, of: topic, at: other)
                    // What comes through the other's mesh comes behind its GRAFT, if it was not we who grafted.
                    try await other.pubsub.publish([1], to: topic)
                    _ = try await next(1, of: subscription)
                    #expect(await one.pubsub.meshPeers(of: topic) == [other.peerID])
                }
                one.node.trimConnections()
                await until(one.node) { $0.connections().count == 1 }
                #expect(one.node.connections().map(\.peer) == [strangers[0].peerID])
                stream.reset()
                _ = alsoHeard
            }
        }
    }

    @Test("too many connections: a direct peer's stays")
    func directPeersAreProtected() async throws {
        try await withNodes(2) { others in
            let (friend, stranger) = (others[0], others[1])
            try await withMembers(1, nodes: keepOne, configure: { $0.directPeers = [friend.peerID] }) { members in
                let node = members[0].node
                let stream = try await dial(stranger, from: node)
                node.tag(stranger.peerID, "test", value: 1_000)
                try await friend.connect(to: node.peerID, addresses: node.listenAddresses())
                await until(node) { $0.connections().count == 2 }
                node.trimConnections()
                await until(node) { $0.connections().count == 1 }
                #expect(node.connections().map(\.peer) == [friend.peerID])
                stream.reset()
            }
        }
    }
}
