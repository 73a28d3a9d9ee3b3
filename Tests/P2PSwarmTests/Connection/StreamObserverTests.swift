import NIOCore
import P2PCore
import P2PSwarm
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct StreamObserverTests {
    /// What an observer saw; touched on its stream's loop.
    private final class Echo: StreamObserver, @unchecked Sendable {
        let stream: MuxedStream
        let ended: AsyncStream<StreamError?>.Continuation
        private(set) var calls = 0

        init(_ stream: MuxedStream, ended: AsyncStream<StreamError?>.Continuation) {
            self.stream = stream
            self.ended = ended
        }

        func streamIsReadable() {
            calls += 1
            do throws(StreamError) {
                while true {
                    switch try stream.readNow() {
                    case .bytes(let bytes): _ = try stream.writeNow(bytes)
                    case .end:
                        try stream.finishNow()
                        stream.observe(nil)
                        ended.yield(nil)
                        return
                    case .nothingYet: return stream.flushNow()
                    }
                }
            } catch {
                ended.yield(error)
            }
        }

        func streamIsWritable() {}
    }

    @Test func anObserverServesAStreamToItsEnd() async throws {
        try await ConnectionPair.withTCP { pair in
            let (near, far) = try await pair.stream()
            let (ends, ended) = AsyncStream.makeStream(of: StreamError?.self)
            // What came before there was an observer is for it to fetch.
            try await near.send([1, 2, 3])
            while await pair.listener.connection.currentStatistics().bufferedBytes < 3 {}
            let echo = try await far.connection.eventLoop.submit {
                let echo = Echo(far, ended: ended)
                far.observe(echo)
                echo.streamIsReadable()
                return echo
            }.get()
            #expect(try await near.read() == ByteBuffer(bytes: [1, 2, 3]))
            async let written: Void = near.writePattern(count: 3_000_000, seed: 5)
            try await near.expectPattern(count: 3_000_000, seed: 5)
            try await written
            try await near.closeWrite()
            #expect(try await near.read() == nil)
            #expect(await ends.first { _ in true } == .some(nil))
            // Once for all that one read of the socket brought, not once for each frame.
            let calls = try await far.connection.eventLoop.submit { echo.calls }.get()
            let frames = await pair.listener.connection.currentStatistics().framesReceived
            #expect(calls > 1 && calls <= frames + 1)
        }
    }

    @Test(arguments: [true, false]) func anObserverLearnsOfAResetAndOfTheConnectionsEnd(isReset: Bool) async throws {
        try await ConnectionPair.withTCP { pair in
            let (near, far) = try await pair.stream()
            let (ends, ended) = AsyncStream.makeStream(of: StreamError?.self)
            try await far.connection.eventLoop.submit { far.observe(Echo(far, ended: ended)) }.get()
            if isReset { near.reset(code: 0x1002) } else { near.connection.close(code: 0) }
            let end = try #require(await ends.first { _ in true })
            #expect(
                end == (isReset ? .reset(code: 0x1002, byPeer: true) : .connectionClosed(.remote(code: 0)))
                    || (!isReset && end == .connectionClosed(.closedByPeer)))
        }
    }

    private final class Writer: StreamObserver, @unchecked Sendable {
        let stream: MuxedStream
        let chunk = ByteBuffer(repeating: 7, count: 65_536)
        var left: Int
        private(set) var mostQueued = 0
        init(_ stream: MuxedStream, count: Int) { (self.stream, self.left) = (stream, count) }

        func streamIsReadable() {}

        func streamIsWritable() {
            do throws(StreamError) {
                var hasRoom = true
                var queued = 0
                while left > 0, hasRoom {
                    hasRoom = try stream.writeNow(chunk)
                    left -= chunk.readableBytes
                    queued += chunk.readableBytes
                    mostQueued = max(mostQueued, queued)
                }
                if left == 0 {
                    try stream.finishNow()
                    stream.observe(nil)
                }
            } catch {
                Issue.record(error)
            }
        }
    }

    @Test func aWriterIsToldWhenThereIsRoomAgain() async throws {
        try await ConnectionPair.withTCP { pair in
            let (near, far) = try await pair.stream()
            let size = 64 * 65_536
            let writer = try await near.connection.eventLoop.submit {
                let writer = Writer(near, count: size)
                near.observe(writer)
                writer.streamIsWritable()
                near.flushNow()
                return writer
            }.get()
            var count = 0
            while let bytes = try await far.read() { count += bytes.readableBytes }
            #expect(count == size)
            let mostQueued = try await near.connection.eventLoop.submit { writer.mostQueued }.get()
            #expect(mostQueued <= 256 * 1024 + 65_536)
        }
    }
}
