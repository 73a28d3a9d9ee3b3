import P2PCore
import Synchronization
import Testing

@testable import LibP2P

/// Counts the data frames that one node receives, by stream.
private final class DataFrames: YamuxFrameObserver, Sendable {
    private let counts = Mutex<[UInt32: Int]>([:])

    func count(of stream: UInt32) -> Int { self.counts.withLock { $0[stream, default: 0] } }

    func received(_ header: YamuxHeader) {
        guard header.kind == .data, header.length > 0 else { return }
        self.counts.withLock { $0[header.streamID, default: 0] += 1 }
    }

    func received(_ payload: UnsafeRawBufferPointer) {}
    func sent(_ header: YamuxHeader) {}
    func sent(_ payload: UnsafeRawBufferPointer) {}
}

@Suite("Node: how it consents to a protocol", .timeLimit(.minutes(1)))
struct ConsentTests {
    /// The frames that bring the answer to one byte. The least of many: on a busy machine the consent may have to go before it.
    private func least(_ negotiation: StreamOptions.Negotiation) async throws -> Int {
        let frames = DataFrames()
        return try await withNodes(configure: { configuration in
            configuration.frameObserver = { _, role in role == .initiator ? frames : DataFrames() }
        }) { nodes in
            nodes[1].serveEcho()
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            var least = Int.max
            for _ in 0..<50 where least > 1 {
                let stream = try await nodes[0].openStream(
                    to: nodes[1].peerID, protocols: ["/echo/1.0.0"], options: StreamOptions(negotiation: negotiation))
                try await stream.write("x".utf8)
                _ = try await stream.readExactly(1)
                least = min(least, frames.count(of: stream.muxed.id))
                await stream.close()
            }
            return least
        }
    }

    @Test("whoever has sent data with its proposal hears the consent together with the answer")
    func together() async throws { #expect(try await self.least(.lazy) == 1) }

    @Test("whoever waits for the consent hears it at once")
    func alone() async throws { #expect(try await self.least(.eager) == 2) }
}
