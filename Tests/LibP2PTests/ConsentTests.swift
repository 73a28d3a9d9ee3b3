import P2PCore
import Synchronization
import P2PSwarm
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
    /// The frames that bring the answer to one byte, of many streams, fewest first: on a busy machine the consent may have to go
    /// before it. Seldom, since the handler does not wait for a thread.
    private func counts(_ negotiation: StreamOptions.Negotiation) async throws -> [Int] {
        let frames = DataFrames()
        return try await withNodes(configure: { configuration in
            configuration.frameObserver = { _, role in role == .initiator ? frames : DataFrames() }
        }) { nodes in
            var limits = HandlerLimits()
            limits.runsOnEventLoop = true
            nodes[1].serveEcho(limits: limits)
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            var counts: [Int] = []
            for _ in 0..<50 {
                let stream = try await nodes[0].openStream(
                    to: nodes[1].peerID, protocols: ["/echo/1.0.0"], options: StreamOptions(negotiation: negotiation))
                try await stream.write("x".utf8)
                _ = try await stream.readExactly(1)
                counts.append(frames.count(of: stream.muxed.id))
                await stream.close()
            }
            return counts.sorted()
        }
    }

    @Test("whoever has sent data with its proposal hears the consent together with the answer")
    func together() async throws {
        let counts = try await self.counts(.lazy)
        #expect(counts[counts.count / 2] == 1, "\(counts)")
    }

    @Test("whoever waits for the consent hears it at once")
    func alone() async throws { #expect(try await self.counts(.eager).first == 2) }
}
