import NIOCore
import P2PSwarm
import Testing

@testable import LibP2P

@Suite("Node: streams that end with their user, and reads that end in time", .timeLimit(.minutes(1)))
struct ScopedStreamTests {
    private struct Fault: Error {}

    /// Answers the first bytes with one, and tells how the other side ended the stream: nil for in good order.
    private func serveEnds(_ node: Node) -> AsyncStream<P2PError.Code?> {
        let (ends, end) = AsyncStream.makeStream(of: P2PError.Code?.self)
        node.setHandler(for: "/ends") { stream in
            do {
                _ = try await stream.read()
                try await stream.write("y".utf8)
                while try await stream.read() != nil {}
                end.yield(nil)
            } catch {
                end.yield((error as? P2PError)?.code)
            }
            await stream.close()
        }
        return ends
    }

    @Test("a scope's stream is closed when the body returns, and reset when it throws or is cancelled")
    func scope() async throws {
        try await withNodes { nodes in
            let (node, peer) = (nodes[0], nodes[1].peerID)
            var ends = self.serveEnds(nodes[1]).makeAsyncIterator()
            try await node.connect(to: peer, addresses: nodes[1].listenAddresses())
            @Sendable func talk(_ stream: P2PStream) async throws -> ByteBuffer {
                try await stream.write("x".utf8)
                return try await stream.readExactly(1)
            }

            let answer = try await node.withStream(to: peer, protocols: ["/ends"]) { try await talk($0) }
            #expect(answer == ByteBuffer(string: "y"))
            #expect(await ends.next() == .some(nil))

            await #expect(throws: Fault.self) {
                try await node.withStream(to: peer, protocols: ["/ends"]) { stream in
                    _ = try await talk(stream)
                    throw Fault()
                }
            }
            #expect(await ends.next() == .streamReset)

            let (talks, talked) = AsyncStream.makeStream(of: Void.self)
            let waiting = Task {
                try await node.withStream(to: peer, protocols: ["/ends"]) { stream in
                    _ = try await talk(stream)
                    talked.yield()
                    _ = try await stream.read()
                }
            }
            _ = await talks.first { _ in true }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
            #expect(await ends.next() == .streamReset)
        }
    }

    @Test("whoever serves a stream closes it by returning and resets it by throwing")
    func serve() async throws {
        try await withNodes { nodes in
            nodes[1].serve("/a-only") { stream in
                guard try await stream.readExactly(1) == ByteBuffer(string: "a") else { throw Fault() }
                try await stream.write("yes".utf8)
            }
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            func ask(_ text: String) async throws -> String {
                try await nodes[0].withStream(to: nodes[1].peerID, protocols: ["/a-only"]) { stream in
                    try await stream.write(text.utf8)
                    return String(buffer: try await stream.readToEnd(max: 100))
                }
            }
            #expect(try await ask("a") == "yes")
            let refused = await #expect(throws: P2PError.self) { try await ask("b") }
            #expect(refused?.code == .streamReset)
        }
    }

    @Test(
        "a read whose time is up throws and loses nothing, on the stream's event loop and off it",
        arguments: [false, true])
    func timedReads(onLoop: Bool) async throws {
        try await withNodes { nodes in
            nodes[1].serve("/halves") { stream in
                try await stream.write("hel".utf8)
                _ = try await stream.readExactly(1)
                try await stream.write("lo\nrest".utf8)
            }
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            let stream = try await nodes[0].openStream(to: nodes[1].peerID, protocols: ["/halves"])
            let reading = Task(executorPreference: onLoop ? stream.executor : nil) {
                let long = Duration.seconds(50)
                #expect(try await stream.readExactly(1, timeout: long) == ByteBuffer(string: "h"))
                let late = await #expect(throws: P2PError.self) {
                    try await stream.readLine(max: 10, timeout: .milliseconds(20))
                }
                #expect(late?.code == .timedOut)
                // What is there is given, however little time there is.
                #expect(try await stream.read(timeout: .zero) == ByteBuffer(string: "el"))
                let empty = await #expect(throws: P2PError.self) { try await stream.read(timeout: .zero) }
                #expect(empty?.code == .timedOut)
                try await stream.write("x".utf8)
                #expect(try await stream.readLine(max: 10, timeout: long) == ByteBuffer(string: "lo"))
                #expect(try await stream.readToEnd(max: 10, timeout: long) == ByteBuffer(string: "rest"))
                #expect(try await stream.read(timeout: long) == nil)
                await stream.close()
            }
            try await reading.value
        }
    }

    @Test("a timed read of a lazy stream that is not answered leaves it as it is")
    func timedReadOfALazyStream() async throws {
        try await withNodes { nodes in
            let (waits, wait) = AsyncStream.makeStream(of: Void.self)
            nodes[1].serve("/quiet") { stream in
                for await _ in waits {}
                try await stream.write("at last".utf8)
            }
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            let stream = try await nodes[0].openStream(
                to: nodes[1].peerID, protocols: ["/quiet"], options: StreamOptions(negotiation: .lazy))
            for _ in 0..<3 {
                let late = await #expect(throws: P2PError.self) { try await stream.read(timeout: .milliseconds(5)) }
                #expect(late?.code == .timedOut)
            }
            wait.finish()
            #expect(try await stream.readToEnd(max: 100, timeout: .seconds(50)) == ByteBuffer(string: "at last"))
            await stream.close()
        }
    }

    @Test("a second reader beside one that waits is told so")
    func twoReaders() async throws {
        try await withNodes { nodes in
            nodes[1].serveEcho()
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            let stream = try await nodes[0].openStream(
                to: nodes[1].peerID, protocols: ["/echo/1.0.0"], options: StreamOptions(negotiation: .eager))
            try await withThrowingTaskGroup(of: ByteBuffer?.self) { readers in
                for _ in 0..<2 { readers.addTask { try await stream.read() } }
                // Nothing was sent, so the first to end is the one that is refused.
                let refused = await #expect(throws: P2PError.self) { _ = try await readers.next() }
                #expect(refused?.code == .streamBusy)
                try await stream.write("x".utf8)
                #expect(try await readers.next() == ByteBuffer(string: "x"))
            }
            await stream.close()
        }
    }

    @Test("an address that says whose it is is enough to connect; another is refused")
    func connectToAnAddress() async throws {
        try await withNodes { nodes in
            let address = try #require(nodes[1].listenAddresses().first)
            let refused = await #expect(throws: P2PError.self) { try await nodes[0].connect(to: address) }
            #expect(refused?.code == .invalidAddress)
            let connection = try await nodes[0].connect(to: address.appending(nodes[1].peerID))
            #expect(connection.peer == nodes[1].peerID && connection.remoteAddress == address)
            // Somebody else is there.
            let wrong = await #expect(throws: P2PError.self) {
                try await nodes[0].connect(to: address.appending(PrivateKey.generate().peerID))
            }
            #expect(wrong?.code == .unreachable)
        }
    }

    @Test("what has come by then is read together, in order, up to a limit, and the end is told behind it")
    func available() async throws {
        try await withNodes { nodes in
            let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 / 251) }
            nodes[1].setHandler(for: "/many") { stream in
                _ = try? await stream.read()
                try? await stream.write(bytes)
                await stream.close()
            }
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            for limit in [1, 100_000, 1 << 20] {
                let stream = try await nodes[0].openStream(to: nodes[1].peerID, protocols: ["/many"])
                try await stream.write("x".utf8)
                while await stream.muxed.connection.currentStatistics().bufferedBytes < bytes.count {}
                // Nothing of it is read yet: one call takes as much as it may.
                let received = try await withTaskExecutorPreference(stream.executor) {
                    var received: [UInt8] = []
                    while let buffers = try await stream.readAvailable(upTo: limit) {
                        #expect(stream.eventLoop.inEventLoop)
                        let sizes = buffers.map(\.readableBytes)
                        #expect(!sizes.contains(0) && sizes.dropLast().reduce(0, +) < limit)
                        if received.isEmpty { #expect(sizes.reduce(0, +) >= min(limit, bytes.count)) }
                        for buffer in buffers { received += buffer.readableBytesView }
                    }
                    return received
                }
                #expect(received == bytes)
                await stream.close()
            }
        }
    }
}
