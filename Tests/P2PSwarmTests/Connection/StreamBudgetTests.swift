import NIOCore
import P2PCore
import PeerIdentity
import Synchronization
import Testing

@testable import P2PSwarm

extension ByteBudget {
    /// Whether a peer that holds nothing could have so many bytes now.
    func hasRoom(for bytes: Int) -> Bool { self.share(of: PrivateKey.generate().peerID, at: nil).reserve(bytes) }
}

@Suite("Bytes that wait in streams", .timeLimit(.minutes(1))) final class StreamBudgetTests: Sendable {
    private static let piece = 64 * 1024
    /// An eighth is what one connection gets of an empty budget.
    private static let share = 1 << 20
    private let budget = ByteBudget(maximumBytes: 8 << 20)
    private let reached = Mutex(0)

    private func siege(
        by identity: PrivateKey = .generate(), creditPatience: Duration = .seconds(10)
    ) async throws -> Siege {
        try await Siege(by: identity) {
            $0.yamux.creditPatience = creditPatience
            // The peer answers no pings.
            $0.yamux.keepAliveTimeout = .seconds(3600)
            $0.streamBudget = self.budget
            $0.onRefusal = { limit in if limit == .streamBytes { self.reached.withLock { $0 += 1 } } }
        }
    }

    @Test(
        "of two hundred answers that a peer does not take a share is kept: writers wait, or what was closed makes room",
        arguments: [Duration.zero, .seconds(3600)])
    func unsent(patience: Duration) async throws {
        let siege = try await self.siege(creditPatience: patience)
        try await siege.attack { peer in
            for n in 0..<200 { peer.say(peer.frame(.windowUpdate, .syn, UInt32(n * 2 + 1))) }
            peer.isDeaf = true
        }
        var streams: [MuxedStream] = []
        for await stream in siege.inbound.prefix(200) { streams.append(stream) }
        let waiting = try await siege.connection.eventLoop.submit { [streams] in
            var waiting = 0
            for stream in streams { if try !self.answer(on: stream) { waiting += 1 } }
            return waiting
        }.get()
        let statistics = await siege.connection.currentStatistics()
        let bound = Self.share + MuxedConnection.freePendingBytes
        #expect(statistics.pendingBytes > Self.share / 2)
        #expect(statistics.pendingBytes <= bound + waiting * Self.piece)
        let reached = self.reached.withLock { $0 }
        if patience == .zero {
            #expect(waiting == 0 && statistics.resets > 150 && reached == Int(statistics.resets))
        } else {
            #expect(waiting > 150 && statistics.resets == 0 && reached == 1)
        }
        for stream in streams { stream.reset() }
        siege.connection.close()
        _ = try await siege.connection.closeFuture.get()
        #expect(self.budget.hasRoom(for: Self.share), "nothing was kept")
    }

    /// Writes twice a window and closes, as far as it need not wait. On the loop.
    /// - Returns: whether it came to the end.
    private func answer(on stream: MuxedStream) throws -> Bool {
        for _ in 0..<8 {
            let hasRoom = try stream.writeNow(ByteBuffer(repeating: 0, count: Self.piece))
            stream.flushNow()
            // What there was no room for may be on its way all the same.
            if !hasRoom, stream.onLoopNow({ $0.pendingBytes > 0 }) { return false }
        }
        stream.closeNow()
        return true
    }

    /// Sends a hundred streams of almost a window each, which nobody reads; returns when all of it was looked at.
    private func fill(_ siege: Siege) async throws {
        try await siege.attack { peer in
            for n in 0..<100 {
                for piece in 0..<4 {
                    peer.say(
                        peer.frame(.data, piece == 0 ? .syn : [], UInt32(n * 2 + 1), 60_000)
                            + [UInt8](repeating: 1, count: 60_000))
                }
            }
            peer.say(peer.frame(.ping, .syn, 0, 77))
        }
        try await siege.heard { $0.kind == .ping && $0.flags.contains(.ack) && $0.length == 77 }
    }

    @Test("what arrives and nobody reads is kept up to the share; past it the stream is reset")
    func unread() async throws {
        let siege = try await self.siege()
        try await self.fill(siege)
        try await siege.heard { $0.flags.contains(.rst) && $0.length == YamuxCode.streamResourceLimit }
        let statistics = await siege.connection.currentStatistics()
        #expect(statistics.bufferedBytes <= Self.share + MuxedConnection.freeUnreadBytes)
        #expect(statistics.bufferedBytes > MuxedConnection.freeUnreadBytes)
        #expect(self.reached.withLock { UInt64($0) } == statistics.resets)
        // Whatever ends makes room.
        var iterator = siege.inbound.makeAsyncIterator()
        for _ in 0..<100 { try #require(await iterator.next()).reset() }
        #expect(await siege.connection.currentStatistics().bufferedBytes == 0)
        #expect(self.budget.hasRoom(for: Self.share), "nothing was kept")
        siege.connection.close()
        _ = try await siege.connection.closeFuture.get()
    }

    @Test("the connections of one peer have together what one of them may have; another peer has its own")
    func connectionsOfOnePeer() async throws {
        let identity = PrivateKey.generate()
        let sieges = [try await self.siege(by: identity), try await self.siege(by: identity), try await self.siege()]
        var held: [Int] = []
        for siege in sieges {
            try await self.fill(siege)
            held.append(await siege.connection.currentStatistics().bufferedBytes)
        }
        let free = MuxedConnection.freeUnreadBytes
        #expect(held[0] > Self.share)
        #expect(held[1] <= free)
        #expect(held[2] > Self.share / 2 + free)
        for siege in sieges {
            siege.connection.close()
            _ = try await siege.connection.closeFuture.get()
        }
    }

    @Test("a window that may not grow is counted once, until one may again")
    func refusedGrowth() async throws {
        let refused = Mutex<[LimitName]>([])
        let siege = try await Siege {
            $0.windowBudget = self.budget
            $0.onRefusal = { limit in refused.withLock { $0.append(limit) } }
        }
        let counted = try await siege.connection.eventLoop.submit {
            [Self.share + 1, Self.share + 1, Self.share, 1, 1].map { bytes in
                _ = siege.connection.mayGrow(by: bytes)
                return refused.withLock { $0.count }
            }
        }.get()
        #expect(counted == [1, 1, 1, 2, 2])
        #expect(refused.withLock { $0.allSatisfy { $0 == .windowBytes } })
        siege.connection.close()
        _ = try await siege.connection.closeFuture.get()
    }

    @Test("what is unread when its connection ends stays in the budget until nobody holds it")
    func unreadPastTheEnd() async throws {
        let siege = try await self.siege()
        try await siege.attack { peer in
            for n in 0..<12 {
                peer.say(
                    peer.frame(.data, .syn, UInt32(n * 2 + 1), 60_000) + [UInt8](repeating: 1, count: 60_000))
            }
            peer.say(peer.frame(.ping, .syn, 0, 77))
        }
        try await siege.heard { $0.kind == .ping && $0.flags.contains(.ack) && $0.length == 77 }
        var streams: [MuxedStream] = []
        for await stream in siege.inbound.prefix(12) { streams.append(stream) }
        siege.connection.close()
        _ = try await siege.connection.closeFuture.get()
        // An eighth of what is free is less than the share.
        #expect(!self.budget.hasRoom(for: Self.share))
        for stream in streams { stream.reset() }
        _ = await siege.connection.currentStatistics()
        #expect(self.budget.hasRoom(for: Self.share), "nothing was kept")
    }

    @Test("a slice that waits does not hold the large buffer it came in")
    func slices() async throws {
        let siege = try await self.siege()
        let kept = StreamState.sliceBytes
        try await siege.attack { peer in
            peer.say(peer.frame(.windowUpdate, .syn, 1))
            for _ in 0..<15 {
                // One read of the socket: a little for the stream, and much for one that is not there.
                var read = peer.seal(peer.frame(.data, [], 1, UInt32(kept)) + [UInt8](repeating: 7, count: kept))
                for _ in 0..<4 {
                    var frame = peer.seal(peer.frame(.data, [], 99, 60_000) + [UInt8](repeating: 0, count: 60_000))
                    read.writeBuffer(&frame)
                }
                peer.sayUnsealed(read)
            }
            peer.say(peer.frame(.data, .fin, 1))
            peer.say(peer.frame(.ping, .syn, 0, 77))
        }
        try await siege.heard { $0.kind == .ping && $0.flags.contains(.ack) && $0.length == 77 }
        var iterator = siege.inbound.makeAsyncIterator()
        let stream = try #require(await iterator.next())
        var (bytes, storage) = (0, 0)
        var chunks: [ByteBuffer] = []
        while let chunk = try await stream.read() {
            bytes += chunk.readableBytes
            storage += chunk.storageCapacity
            #expect(chunk.readableBytesView.allSatisfy { $0 == 7 })
            chunks.append(chunk)
        }
        #expect(bytes == 15 * kept)
        #expect(storage <= 4 * bytes)
        await stream.close()
        siege.connection.close()
        _ = try await siege.connection.closeFuture.get()
    }
}
