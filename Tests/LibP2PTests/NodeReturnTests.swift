import P2PSwarm
import Testing

@testable import LibP2P

@Suite("Node: peers that come back", .timeLimit(.minutes(1)))
struct NodeReturnTests {
    @Test("what a peer said since it came back is kept when the end of its last connection before is told late")
    func lateEnd() async throws {
        try await withNodes { nodes in
            let (node, peer) = (nodes[0], nodes[1].peerID)
            let events = node.events()
            try await node.connect(to: peer, addresses: nodes[1].listenAddresses())
            _ = try await first(of: events) { event -> Bool? in
                if case .identified(peer, _) = event { true } else { nil }
            }
            let connection = try #require(node.swarm.bestConnection(with: peer))
            node.disconnected(connection, isLast: true, reason: .closedByPeer)
            #expect(node.identification(of: peer) != nil)
            await node.disconnect(peer)
            #expect(node.identification(of: peer) == nil)
        }
    }
}
