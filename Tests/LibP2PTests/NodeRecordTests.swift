import Foundation
import Synchronization
import P2PSwarm
import Testing

@testable import LibP2P

@Suite("Node: what peers are told of our addresses", .timeLimit(.minutes(1)))
struct NodeRecordTests {
    @Test("a change of our addresses has one number for all peers, and whoever is late does not get a later one")
    func numbers() async throws {
        let (first, second) = (try #require(IPAddress("10.0.0.1")), try #require(IPAddress("10.0.0.2")))
        let loopback = try #require(IPAddress("127.0.0.1"))
        let interfaces = Mutex([loopback, first])
        var configuration = Node.Configuration(
            identity: .generate(), listen: [try Multiaddr(text: "/ip4/0.0.0.0/tcp/0")])
        configuration.interfaceAddresses = { interfaces.withLock { $0 } }
        let node = Node(configuration: configuration)
        try await node.start()
        func record(to remote: String) throws -> PeerRecord {
            try self.record(node.identifyMessage(to: Multiaddr(text: remote)).signedPeerRecord)
        }
        func change(to address: IPAddress) {
            interfaces.withLock { $0 = [loopback, address] }
            node.interfacesChanged()
        }
        let (near, far) = (try record(to: "/ip4/127.0.0.1/tcp/1"), try record(to: "/ip4/10.0.0.9/tcp/1"))
        #expect(near.addresses.count == 2 && far.addresses.count == 1)
        #expect(near.sequence == far.sequence)

        change(to: second)
        let changed = try record(to: "/ip4/10.0.0.9/tcp/1")
        #expect(changed.sequence > far.sequence && changed.addresses != far.addresses)
        // An answer that was begun before the change.
        let late = try self.record(node.signedRecord(for: far.addresses, sequence: far.sequence))
        #expect(late.sequence == far.sequence)

        change(to: first)
        let again = try record(to: "/ip4/10.0.0.9/tcp/1")
        #expect(again.addresses == far.addresses && again.sequence > changed.sequence)
        await node.stop()
    }

    @Test("a push whose peers have all gone comes to its end, however many they are")
    func everybodyGone() async throws {
        let node = Node(configuration: .init(identity: .generate()))
        let peers = try (0..<10_000).map { number in
            let digest = [UInt8](repeating: 0, count: 30) + [UInt8(number >> 8), UInt8(number & 0xff)]
            return try PeerID(multihash: [0x12, 0x20] + digest)
        }
        let later = MonotonicInstant.now().advanced(by: .seconds(3600))
        let first = node.state.withLock { state in
            for peer in peers { state.pushes.peerAcceptsPushes(peer) }
            state.pushes.changed(now: .now())
            return state.pushes.poll(now: later)
        }
        #expect(!first.isEmpty && first.count < peers.count)
        // One call within the other for each of them would need several megabytes: here it has half of one, wherever the test runs.
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let thread = Thread {
                node.push(to: first)
                continuation.resume()
            }
            thread.stackSize = 512 * 1_024
            thread.start()
        }
        #expect(node.state.withLock { $0.pushes.poll(now: later) } == [])
    }

    private func record(_ sealed: [UInt8]?) throws -> PeerRecord {
        try PeerRecord(verifying: SignedEnvelope(protobuf: try #require(sealed)))
    }
}
