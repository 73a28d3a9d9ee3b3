import NIOCore
import P2PCore
import Synchronization
import Testing

@testable import P2PSwarm

/// Bytes that the peer does not wait for, on a clock that the test moves.
@Suite("Bytes that are held back") struct HeldBackTests {
    /// An engine of ours with streams of the peer's.
    private func siege(streams: Int = 1) throws -> (VirtualSiege, [MuxedStream]) {
        let opened = Mutex<[MuxedStream]>([])
        let rig = try VirtualSiege { configuration in
            configuration.yamux.maximumUnaccepted = streams
            configuration.onInboundStream = { stream in opened.withLock { $0.append(stream) } }
        }
        for number in 0..<streams { rig.peer.say(rig.peer.frame(.windowUpdate, .syn, UInt32(2 * number + 1))) }
        rig.loop.run()
        let all = opened.withLock { streams in
            defer { streams = [] }
            return streams
        }
        #expect(all.count == streams)
        return (rig, all)
    }

    /// The data frames that the peer has received behind `start`.
    private func data(_ rig: VirtualSiege, from start: Int) throws -> [(flags: YamuxHeader.Flags, payload: [UInt8])] {
        var frames: [(YamuxHeader.Flags, [UInt8])] = []
        var rest = rig.peer.received[start...]
        while rest.count >= YamuxHeader.length {
            let header = try YamuxHeader(Array(rest.prefix(YamuxHeader.length)))
            rest = rest.dropFirst(YamuxHeader.length)
            guard header.kind == .data else { continue }
            frames.append((header.flags, Array(rest.prefix(Int(header.length)))))
            rest = rest.dropFirst(Int(header.length))
        }
        return frames
    }

    @Test("they leave in one frame with what follows, and not before")
    func withTheNext() throws {
        let (rig, streams) = try self.siege()
        let start = rig.peer.received.count
        try streams[0].writeLater(ByteBuffer(bytes: [1, 2]))
        streams[0].flushNow()
        rig.loop.advanceTime(by: .milliseconds(19))
        #expect(rig.peer.received.count == start)
        _ = try streams[0].writeNow(ByteBuffer(bytes: [3]))
        streams[0].flushNow()
        rig.loop.run()
        let frames = try self.data(rig, from: start)
        #expect(frames.map(\.payload) == [[1, 2, 3]])
        #expect(frames.first?.flags == .ack)
        // Nothing is sent twice.
        rig.loop.advanceTime(by: .seconds(1))
        #expect(try self.data(rig, from: start).count == 1)
    }

    @Test("they leave by themselves when nothing follows")
    func alone() throws {
        let (rig, streams) = try self.siege(streams: 2)
        let start = rig.peer.received.count
        try streams[0].writeLater(ByteBuffer(bytes: [1]))
        rig.loop.advanceTime(by: .milliseconds(10))
        try streams[1].writeLater(ByteBuffer(bytes: [2]))
        rig.loop.advanceTime(by: .milliseconds(10))
        #expect(try self.data(rig, from: start).map(\.payload) == [[1]])
        rig.loop.advanceTime(by: .milliseconds(10))
        #expect(try self.data(rig, from: start).map(\.payload) == [[1], [2]])
    }

    @Test("they leave before the end of their stream")
    func withTheEnd() throws {
        let (rig, streams) = try self.siege()
        let start = rig.peer.received.count
        try streams[0].writeLater(ByteBuffer(bytes: [1]))
        streams[0].closeNow()
        rig.loop.run()
        #expect(try self.data(rig, from: start).map(\.payload) == [[1]])
        #expect(try YamuxHeader(Array(rig.peer.received.suffix(YamuxHeader.length))).flags == .fin)
        #expect(throws: StreamError.writeClosed) { try streams[0].writeLater(ByteBuffer(bytes: [2])) }
    }

    @Test("they do not keep a connection that is closed")
    func whenClosed() throws {
        let (rig, streams) = try self.siege()
        let start = rig.peer.received.count
        try streams[0].writeLater(ByteBuffer(bytes: [1]))
        rig.connection?.close()
        rig.loop.run()
        #expect(try self.data(rig, from: start).map(\.payload) == [[1]])
        #expect(rig.reason == .local(code: 0))
    }

    @Test("a stream that is reset sends none of them")
    func reset() throws {
        let (rig, streams) = try self.siege()
        let start = rig.peer.received.count
        try streams[0].writeLater(ByteBuffer(bytes: [1]))
        streams[0].reset()
        rig.loop.advanceTime(by: .seconds(1))
        #expect(try self.data(rig, from: start).isEmpty)
        #expect(rig.connection?.statistics.pendingBytes == 0)
    }

    @Test("of more streams than may be held back, those beyond send at once; those that are gone make room")
    func bound() throws {
        let most = MuxedConnection.maximumHeldBack
        let (rig, streams) = try self.siege(streams: most + 2)
        let start = rig.peer.received.count
        for stream in streams.prefix(most) { try stream.writeLater(ByteBuffer(bytes: [0])) }
        rig.loop.run()
        #expect(try self.data(rig, from: start).isEmpty)
        try streams[most].writeLater(ByteBuffer(bytes: [1]))
        rig.loop.run()
        #expect(try self.data(rig, from: start).map(\.payload) == [[1]])
        streams[0].reset()
        try streams[most + 1].writeLater(ByteBuffer(bytes: [2]))
        rig.loop.run()
        #expect(try self.data(rig, from: start).map(\.payload) == [[1]])
        #expect(rig.connection?.heldBack.count == most)
    }

    @Test("they leave when their stream's reader waits", .timeLimit(.minutes(1)))
    func whenAReaderWaits() async throws {
        try await ConnectionPair.withTCP({ $0.yamux.acknowledgementDelay = .seconds(3600) }) { pair in
            let near = try await pair.dialer.connection.openStream()
            try await near.send([1])
            let far = try await pair.listener.nextStream()
            #expect(try await far.read() == ByteBuffer(bytes: [1]))
            try await far.connection.eventLoop.submit { try far.writeLater(ByteBuffer(bytes: [2])) }.get()
            async let last = far.read()
            #expect(try await near.read() == ByteBuffer(bytes: [2]))
            try await near.closeWrite()
            #expect(try await last == nil)
        }
    }
}
