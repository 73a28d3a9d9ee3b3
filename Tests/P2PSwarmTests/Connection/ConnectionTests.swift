import NIOCore
import P2PCore
import P2PSwarm
import Testing

@Suite(.timeLimit(.minutes(1))) struct ConnectionTests {
    @Test func aHundredStreamsOfAMegabyteBothWays() async throws {
        try await ConnectionPair.withTCP { pair in
            let size = 1_000_000
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for _ in 0..<100 {
                    tasks.addTask {
                        let stream = try await pair.dialer.connection.openStream()
                        try await withThrowingTaskGroup(of: Void.self) { directions in
                            directions.addTask { try await stream.writePattern(count: size, seed: 1) }
                            directions.addTask { try await stream.expectPattern(count: size, seed: 2) }
                            try await directions.waitForAll()
                        }
                    }
                }
                tasks.addTask {
                    try await withThrowingTaskGroup(of: Void.self) { handlers in
                        var accepted = 0
                        for await stream in pair.listener.inbound {
                            handlers.addTask { try await stream.writePattern(count: size, seed: 2) }
                            handlers.addTask { try await stream.expectPattern(count: size, seed: 1) }
                            accepted += 1
                            if accepted == 100 { break }
                        }
                        try await handlers.waitForAll()
                    }
                }
                try await tasks.waitForAll()
            }
            for end in [pair.dialer, pair.listener] {
                let statistics = await end.connection.currentStatistics()
                #expect(statistics.streams == 0)
                #expect(statistics.bufferedBytes == 0)
                #expect(statistics.pendingBytes == 0)
                #expect(statistics.payloadReceived == 100 * UInt64(size))
                #expect(statistics.resets == 0)
            }
        }
    }

    /// Both sides write far more than a window before either reads a byte.
    @Test func writingMoreThanAWindowWhileNobodyReadsIsNoDeadlock() async throws {
        let tap = FrameTap()
        try await ConnectionPair.withTCP(tap.configure) { pair in
            let (near, far) = try await pair.stream()
            let size = 3_000_000
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await near.writePattern(count: size, seed: 3) }
                tasks.addTask { try await far.writePattern(count: size, seed: 4) }
                // Reads begin only when both writers can go no further.
                for role in [ConnectionRole.initiator, .responder] { await tap.received(262_144, by: role) }
                tasks.addTask { try await near.expectPattern(count: size, seed: 4) }
                tasks.addTask { try await far.expectPattern(count: size, seed: 3) }
                try await tasks.waitForAll()
            }
        }
    }

    @Test(arguments: [true, false]) func halfCloseInBothOrders(dialerFirst: Bool) async throws {
        try await ConnectionPair.withTCP { pair in
            let (near, far) = try await pair.stream()
            let (first, second) = dialerFirst ? (near, far) : (far, near)
            try await first.send([1, 2, 3])
            try await first.closeWrite()
            #expect(try await second.read() == ByteBuffer(bytes: [1, 2, 3]))
            #expect(try await second.read() == nil)
            #expect(try await second.read() == nil)
            await #expect(throws: StreamError.writeClosed) { try await first.send([9]) }
            // The other direction goes on, beyond a window.
            let size = 1_000_000
            async let written: Void = second.writePattern(count: size, seed: 5)
            try await first.expectPattern(count: size, seed: 5)
            try await written
        }
    }

    @Test func resetReachesReaderAndWriterOfTheOtherSide() async throws {
        try await ConnectionPair.withTCP { pair in
            let (near, far) = try await pair.stream()
            let reading = Task { try await far.read() }
            let writing = Task { try await far.writePattern(count: 5_000_000, seed: 0) }
            while try await near.read()?.readableBytes == 0 {}
            near.reset(code: 0x1002)
            await #expect(throws: StreamError.reset(code: 0x1002, byPeer: true)) { try await reading.value }
            await #expect(throws: StreamError.reset(code: 0x1002, byPeer: true)) { try await writing.value }
            await #expect(throws: StreamError.reset(code: 0x1002, byPeer: false)) { try await near.read() }
            await #expect(throws: StreamError.reset(code: 0x1002, byPeer: false)) { try await near.send([1]) }
            // The connection is none the worse for it.
            let (again, farAgain) = try await pair.stream()
            try await again.closeWrite()
            #expect(try await farAgain.read() == nil)
        }
    }

    @Test func aDroppedStreamIsReset() async throws {
        try await ConnectionPair.withTCP { pair in
            let far: MuxedStream
            do {
                let near: MuxedStream
                (near, far) = try await pair.stream()
                #expect(near.id == far.id)
            }
            await #expect(throws: StreamError.reset(code: YamuxCode.streamGarbageCollected, byPeer: true)) {
                while try await far.read() != nil {}
            }
            #expect(await pair.dialer.connection.currentStatistics().streams == 0)
        }
    }

    @Test func closeDeliversWhatWasWritten() async throws {
        try await ConnectionPair.withTCP { pair in
            let (near, far) = try await pair.stream()
            let size = 200_000
            try await near.write(Pattern.buffer(0..<size, seed: 6))
            await near.close()
            await #expect(throws: StreamError.writeClosed) { try await near.send([1]) }
            await #expect(throws: StreamError.readClosed) { try await near.read() }
            try await far.expectPattern(count: size, seed: 6)
            // What is sent against a closed reader is swallowed; our end closes in order.
            try await far.send([1, 2, 3])
            await far.close()
            await near.isOver()
            #expect(await pair.dialer.connection.currentStatistics().streams == 0)
        }
    }

    /// The window less the one byte read to begin with, for which no credit is due yet.
    private let fullWindow = 262_143

    @Test func aStalledReaderHoldsUpOnlyItself() async throws {
        let tap = FrameTap()
        try await ConnectionPair.withTCP(tap.configure) { pair in
            let (stalled, farStalled) = try await pair.stream()
            let blocked = Task { try await stalled.writePattern(count: 10_000_000, seed: 1) }
            await tap.received(1 + self.fullWindow, by: .responder)
            let (live, farLive) = try await pair.stream()
            let size = 5_000_000
            async let written: Void = live.writePattern(count: size, seed: 2)
            try await farLive.expectPattern(count: size, seed: 2)
            try await written
            let statistics = await pair.listener.connection.currentStatistics()
            #expect(statistics.bufferedBytes == self.fullWindow)
            // And it can still catch up.
            try await farStalled.expectPattern(count: 10_000_000, seed: 1)
            try await blocked.value
        }
    }

    @Test func manySmallWritesShareFrames() async throws {
        try await ConnectionPair.withTCP { pair in
            let (near, far) = try await pair.stream()
            let before = await pair.listener.connection.currentStatistics().framesReceived
            let sender = Task(executorPreference: pair.dialer.connection.taskExecutor) {
                for n in 0..<1000 { try await near.send([UInt8(truncatingIfNeeded: n)]) }
                try await near.closeWrite()
            }
            var count = 0
            while let chunk = try await far.read() { count += chunk.readableBytes }
            try await sender.value
            #expect(count == 1000)
            #expect(await pair.listener.connection.currentStatistics().framesReceived - before < 20)
        }
    }

    @Test func readsAndWritesCanBeCancelled() async throws {
        let tap = FrameTap()
        try await ConnectionPair.withTCP(tap.configure) { pair in
            let (near, far) = try await pair.stream()
            for _ in 0..<50 {
                let reading = Task { try await near.read() }
                if Bool.random() { await Task.yield() }
                reading.cancel()
                await #expect(throws: CancellationError.self) { try await reading.value }
            }
            try await far.send([7])
            #expect(try await near.read() == ByteBuffer(bytes: [7]))
            let writing = Task { try await near.write(ByteBuffer(repeating: 0, count: 2_000_000)) }
            await tap.received(1 + self.fullWindow, by: .responder)
            writing.cancel()
            await #expect(throws: CancellationError.self) { try await writing.value }
            near.reset()
        }
    }

    @Test func oneReaderAtATime() async throws {
        try await ConnectionPair.withTCP { pair in
            let (near, far) = try await pair.stream()
            try await withThrowingTaskGroup(of: ByteBuffer?.self) { readers in
                for _ in 0..<2 { readers.addTask { try await near.read() } }
                // Nothing was sent, so the first to end is the one that is refused.
                await #expect(throws: StreamError.busy) { _ = try await readers.next() }
                try await far.send([1])
                #expect(try await readers.next() == ByteBuffer(bytes: [1]))
            }
            near.reset()
        }
    }

    @Test func openingWaitsForAcknowledgements() async throws {
        try await ConnectionPair.withTCP { pair in
            var streams: [MuxedStream] = []
            for _ in 0..<256 {
                let stream = try await pair.dialer.connection.openStream()
                try await stream.send([1])
                streams.append(stream)
            }
            let waiting = Task { try await pair.dialer.connection.openStream() }
            let cancelled = Task { try await pair.dialer.connection.openStream() }
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await cancelled.value }
            // The listener touches one stream: its acknowledgement lets one more be opened.
            let taken = try await pair.listener.nextStream()
            _ = try await taken.read()
            #expect(try await waiting.value.id == 513)
        }
    }

    @Test func thoseWhoWaitToOpenAreBounded() async throws {
        let configure: @Sendable (inout ConnectionConfiguration) -> Void = {
            $0.yamux.maximumUnacknowledged = 1
            $0.maximumOpening = 2
        }
        try await ConnectionPair.withTCP(configure) { pair in
            // The listener never takes it up, so nobody else's turn comes.
            let first = try await pair.dialer.connection.openStream()
            await withThrowingTaskGroup(of: Void.self) { openers in
                for _ in 0..<3 { openers.addTask { _ = try await pair.dialer.connection.openStream() } }
                let refused = await #expect(throws: ConnectionError.self) { _ = try await openers.next() }
                guard case .tooManyOpening(limit: 2)? = refused else {
                    Issue.record("not refused for want of room: \(String(describing: refused))")
                    return
                }
                // The other two wait, and are cancelled.
                openers.cancelAll()
                for _ in 0..<2 {
                    await #expect(throws: CancellationError.self) { _ = try await openers.next() }
                }
            }
            first.reset()
        }
    }

    @Test func closingSaysGoodbyeAndFailsWhatIsLeft() async throws {
        try await ConnectionPair.withTCP { pair in
            let (near, far) = try await pair.stream()
            let size = 150_000
            try await near.write(Pattern.buffer(0..<size, seed: 8))
            let reading = Task { try await near.read() }
            pair.dialer.connection.close()
            var received = 0
            await #expect(throws: StreamError.connectionClosed(.remote(code: 0))) {
                while let chunk = try await far.read() { received += chunk.readableBytes }
            }
            #expect(received == size)
            await #expect(throws: StreamError.connectionClosed(.local(code: 0))) { try await reading.value }
            #expect(try await pair.dialer.connection.closeFuture.get() == .local(code: 0))
            #expect(try await pair.listener.connection.closeFuture.get() == .remote(code: 0))
            await #expect(throws: ConnectionError.self) { try await pair.dialer.connection.openStream() }
            await #expect(throws: ConnectionError.self) { try await pair.listener.connection.openStream() }
        }
    }

    @Test func roundTripIsMeasured() async throws {
        let tap = FrameTap()
        try await ConnectionPair.withTCP(tap.configure) { pair in
            // Each side asks by itself to begin with.
            await tap.received(by: .initiator) { $0.kind == .ping && $0.flags.contains(.ack) }
            let measured = try #require(await pair.dialer.connection.currentStatistics().roundTripTime)
            #expect(measured > .zero)
        }
    }

    // MARK: Split points

    @Test(arguments: [1, 2, 7, 1000]) func bytesMayComeInAnyPieces(pieceBytes: Int) async throws {
        try await ConnectionPair.withMemory(pieceBytes: pieceBytes) { pair in
            let (near, far) = try await pair.stream()
            let size = pieceBytes < 10 ? 20_000 : 100_000
            async let there: Void = near.writePattern(count: size, seed: 1, piece: 9_999)
            async let back: Void = far.writePattern(count: size, seed: 2, piece: 70_000)
            async let nearRead: Void = near.expectPattern(count: size, seed: 2)
            async let farRead: Void = far.expectPattern(count: size, seed: 1)
            _ = try await (there, back, nearRead, farRead)
        }
    }

    /// Wherever the link breaks, everybody who waits is told.
    @Test func aLinkMayBreakAnywhere() async throws {
        for bytes in stride(from: 0, through: 1400, by: 7) {
            await #expect(throws: (any Error).self, "after \(bytes) bytes") {
                try await ConnectionPair.withMemory(pieceBytes: 5, breaksAfter: bytes) { pair in
                    async let serving: Void = {
                        for await stream in pair.listener.inbound {
                            try await stream.send([2])
                            while try await stream.read() != nil {}
                        }
                    }()
                    let stream = try await pair.dialer.connection.openStream()
                    async let reading: Void = { while try await stream.read() != nil {} }()
                    for _ in 0..<20 { try await stream.write(ByteBuffer(repeating: 1, count: 100)) }
                    try await reading
                    try await serving
                }
            }
        }
    }
}
