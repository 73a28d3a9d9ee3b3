import NIOCore
import P2PSwarm
import Testing

@testable import LibP2P

@Suite("Node: lazily proposed protocols that the peer has given up", .timeLimit(.minutes(1)))
struct LazyRefusalTests {
    private static let name: ProtocolID = "/given/up"

    /// Two nodes of which the first believes that the second speaks what it does not, and a stream that proposes it.
    private func withStream(_ body: (Node, P2PStream) async throws -> Void) async throws {
        try await withNodes { nodes in
            let (node, peer) = (nodes[0], nodes[1].peerID)
            let events = node.events()
            try await node.connect(to: peer, addresses: nodes[1].listenAddresses())
            _ = try await first(of: events) { event -> Bool? in
                if case .identified = event { true } else { nil }
            }
            node.swarm.withAddressBook { book, now in book.setProtocols([Self.name], of: peer, now: now) }
            let stream = try await node.openStream(
                to: peer, protocols: [Self.name], options: StreamOptions(negotiation: .lazy))
            try await body(node, stream)
            let known = node.swarm.withAddressBook { book, _ in book.protocols(of: peer) ?? [] }
            #expect(!known.contains(Self.name), "the next stream asks first")
        }
    }

    /// Behind its refusal the peer finds what is no proposal, and resets the stream: its refusal is lost.
    @Test(
        "a refusal is a refusal, also if the peer takes what follows for a broken proposal",
        arguments: [([0, 0, 0], false), ([0, 0, 0], true), ([0x78], true), ([], true)] as [([UInt8], Bool)])
    func refusal(data: [UInt8], closes: Bool) async throws {
        try await self.withStream { _, stream in
            let refused = await #expect(throws: P2PError.self) {
                try await stream.write(data)
                if closes { try await stream.closeWrite() }
                _ = try await stream.read()
            }
            #expect(refused?.code == .protocolNotSupported)
        }
    }

    @Test("who writes and does not read hears of the refusal too")
    func onlyWriting() async throws {
        try await self.withStream { _, stream in
            // The beginning of a message: the peer waits for its end, and says nothing but the refusal.
            try await stream.write([0x78])
            let refused = await #expect(throws: P2PError.self) {
                while true {
                    try await stream.write([UInt8]())
                    await Task.yield()
                }
            }
            #expect(refused?.code == .protocolNotSupported)
        }
    }

    @Test("who proposes in vain and ends its side in the same breath hears the refusal, and the end behind it")
    func refusedAndEnded() async throws {
        try await withNodes { nodes in
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            let connection = try #require(nodes[0].swarm.bestConnection(with: nodes[1].peerID))
            let stream = try await connection.muxed.openStream()
            try await connection.eventLoop.submit {
                _ = try stream.writeNow(ByteBuffer(string: "\u{13}/multistream/1.0.0\n\u{9}/lacking\n"))
                try stream.finishNow()
                stream.flushNow()
            }.get()
            var answer = ""
            while let bytes = try await stream.read() { answer += String(buffer: bytes) }
            #expect(answer == "\u{13}/multistream/1.0.0\n\u{3}na\n")
            await stream.close()
            for node in nodes { await until(node) { $0.usage.streams == 0 } }
        }
    }

    @Test("whoever reads on the loop is told the same")
    func observed() async throws {
        try await self.withStream { _, stream in
            let (outcomes, outcome) = AsyncStream.makeStream(of: P2PError.Code?.self)
            try await stream.eventLoop.submit {
                stream.observe(Reader(stream, outcome))
                _ = try stream.writeNow(ByteBuffer(bytes: [0, 0, 0]))
                stream.flushNow()
            }.get()
            #expect(await outcomes.first { _ in true } == .protocolNotSupported)
            stream.reset()
        }
    }

    /// Reads until there is something to tell: the error, or nil if none comes.
    private final class Reader: P2PSwarm.StreamObserver {
        private let stream: P2PStream
        private let outcome: AsyncStream<P2PError.Code?>.Continuation

        init(_ stream: P2PStream, _ outcome: AsyncStream<P2PError.Code?>.Continuation) {
            self.stream = stream
            self.outcome = outcome
        }

        func streamIsReadable() {
            do throws(P2PError) {
                if case .nothingYet = try self.stream.readNow() { return }
                self.outcome.yield(nil)
            } catch {
                self.outcome.yield(error.code)
            }
        }

        func streamIsWritable() {}
    }
}
