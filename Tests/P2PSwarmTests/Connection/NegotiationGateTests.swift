import NIOCore
import P2PCore
import P2PSwarm
import Synchronization
import Testing

/// How a stream agrees on its protocol, on a clock that the test moves.
@Suite("The agreement on a stream's protocol") struct NegotiationGateTests {
    private typealias Outcome = Result<ProtocolID, StreamError>

    private static let header = "\u{13}/multistream/1.0.0\n"
    private static let patience = Duration.seconds(10)

    private final class Outcomes: Sendable {
        private let said = Mutex<[Outcome]>([])
        /// The streams that the peer has opened: a dropped one would be reset.
        private let streams = Mutex<[MuxedStream]>([])

        var all: [Outcome] { self.said.withLock { $0 } }
        var first: MuxedStream? { self.streams.withLock { $0.first } }

        func note(_ outcome: Outcome) { self.said.withLock { $0.append(outcome) } }
        func hold(_ stream: MuxedStream) { self.streams.withLock { $0.append(stream) } }
    }

    /// The data frames that the peer has received behind `start`.
    private func data(_ rig: VirtualSiege, from start: Int) throws -> [String] {
        var frames: [String] = []
        var rest = rig.peer.received[start...]
        while rest.count >= YamuxHeader.length {
            let header = try YamuxHeader(Array(rest.prefix(YamuxHeader.length)))
            rest = rest.dropFirst(YamuxHeader.length)
            guard header.kind == .data else { continue }
            frames.append(String(decoding: rest.prefix(Int(header.length)), as: UTF8.self))
            rest = rest.dropFirst(Int(header.length))
        }
        return frames
    }

    private func say(_ text: String, _ flags: YamuxHeader.Flags = [], on id: UInt32, _ rig: VirtualSiege) {
        rig.peer.say(rig.peer.frame(.data, flags, id, UInt32(text.utf8.count)) + Array(text.utf8))
        rig.loop.run()
    }

    /// What a reader would be given now.
    private func read(_ stream: MuxedStream) throws -> String {
        switch try stream.readNow() {
        case .bytes(let bytes): String(buffer: bytes)
        case .end: "(the end)"
        case .nothingYet: "(nothing yet)"
        }
    }

    /// A peer that answers nothing by itself is none that is dead.
    private func siege(_ configure: (inout ConnectionConfiguration) -> Void = { _ in }) throws -> VirtualSiege {
        try VirtualSiege { configuration in
            configuration.yamux.keepAliveInterval = .seconds(3600)
            configuration.yamux.keepAliveTimeout = .seconds(3600)
            configure(&configuration)
        }
    }

    private func lastFrame(_ rig: VirtualSiege) throws -> YamuxHeader {
        try YamuxHeader(Array(rig.peer.received.suffix(YamuxHeader.length)))
    }

    // MARK: Ours

    /// A stream of ours that proposes `/a` lazily.
    private func lazy() throws -> (VirtualSiege, MuxedStream, Outcomes) {
        let outcomes = Outcomes()
        let rig = try self.siege()
        let stream = try #require(try rig.connection?.openNow())
        stream.install(NegotiationGate(proposing: ["/a"], lazily: true, patience: Self.patience) { outcomes.note($0) })
        return (rig, stream, outcomes)
    }

    @Test("a lazy proposal leaves with the first data, and what comes behind the consent is read")
    func lazyWithData() throws {
        let (rig, stream, outcomes) = try self.lazy()
        let start = rig.peer.received.count
        _ = try stream.writeNow(ByteBuffer(string: "x"))
        stream.flushNow()
        rig.loop.run()
        #expect(try self.data(rig, from: start) == [Self.header + "\u{3}/a\nx"])
        // Nobody waits, so no time runs.
        rig.loop.advanceTime(by: .seconds(100))
        self.say(Self.header + "\u{3}/", .ack, on: stream.id, rig)
        #expect(outcomes.all.isEmpty)
        self.say("a\nyes", on: stream.id, rig)
        #expect(outcomes.all == [.success("/a")])
        #expect(try self.read(stream) == "yes")
        #expect(try self.read(stream) == "(nothing yet)")
        stream.reset()
    }

    @Test("a lazy proposal leaves alone if somebody reads, or ends the stream, and only once")
    func lazyAlone() throws {
        for reads in [true, false] {
            let (rig, stream, _) = try self.lazy()
            let start = rig.peer.received.count
            if reads { #expect(try self.read(stream) == "(nothing yet)") }
            try stream.finishNow()
            rig.loop.run()
            #expect(try self.data(rig, from: start) == [Self.header + "\u{3}/a\n"])
            #expect(try self.lastFrame(rig).flags.contains(.fin))
            // What is closed by now has its answer all the same.
            self.say(Self.header + "\u{3}/a\nyes", [.ack, .fin], on: stream.id, rig)
            #expect(try self.read(stream) == "yes")
            #expect(try self.read(stream) == "(the end)")
            stream.closeNow()
        }
    }

    enum End: CaseIterable, Sendable { case refusal, refusalAndReset, nonsense, fin, resetForWant, otherReset, silence }

    @Test("a proposal that is not answered by consent ends the stream, with the reason", arguments: End.allCases)
    func ends(end: End) throws {
        let (rig, stream, outcomes) = try self.lazy()
        #expect(try self.read(stream) == "(nothing yet)")
        rig.loop.run()
        let id = stream.id
        let refused = StreamError.notAgreed(.refused(["/a"]))
        let failure: StreamError
        switch end {
        case .refusal:
            self.say(Self.header + "\u{3}na\n", .ack, on: id, rig)
            failure = refused
        case .refusalAndReset:
            // In one read: what was said first is not lost.
            let refusal = Array((Self.header + "\u{3}na\n").utf8)
            rig.peer.say(
                rig.peer.frame(.data, .ack, id, UInt32(refusal.count)) + refusal
                    + rig.peer.frame(.windowUpdate, .rst, id, YamuxCode.streamRateLimited))
            rig.loop.run()
            failure = refused
        case .nonsense:
            self.say("\u{3}Hi!", .ack, on: id, rig)
            failure = refused
        case .fin:
            self.say(Self.header, [.ack, .fin], on: id, rig)
            failure = .notAgreed(.ended)
        case .resetForWant:
            rig.peer.say(rig.peer.frame(.windowUpdate, [.ack, .rst], id, YamuxCode.streamNegotiationFailed))
            rig.loop.run()
            failure = refused
        case .otherReset:
            rig.peer.say(rig.peer.frame(.windowUpdate, [.ack, .rst], id, YamuxCode.streamRateLimited))
            rig.loop.run()
            failure = .reset(code: YamuxCode.streamRateLimited, byPeer: true)
        case .silence:
            // Asking again does not make the time longer.
            rig.loop.advanceTime(by: .seconds(9))
            #expect(try self.read(stream) == "(nothing yet)")
            rig.loop.advanceTime(by: .seconds(1))
            failure = .notAgreed(.timedOut(after: Self.patience))
        }
        rig.loop.run()
        #expect(outcomes.all == [.failure(failure)])
        #expect(throws: failure) { try self.read(stream) }
        #expect(throws: failure) { try stream.writeNow(ByteBuffer(string: "x")) }
        if [End.refusal, .nonsense, .fin, .silence].contains(end) {
            let last = try self.lastFrame(rig)
            #expect(last.flags == .rst && last.length == YamuxCode.streamNegotiationFailed)
        }
    }

    @Test("a name that fits no message is refused without a word")
    func vain() throws {
        let outcomes = Outcomes()
        let rig = try self.siege()
        let stream = try #require(try rig.connection?.openNow())
        let start = rig.peer.received.count
        let name = ProtocolID(String(repeating: "/", count: Multistream.maximumMessageBytes))
        stream.install(NegotiationGate(proposing: [name], lazily: true, patience: Self.patience) { outcomes.note($0) })
        #expect(throws: StreamError.notAgreed(.refused([name]))) { try self.read(stream) }
        rig.loop.run()
        #expect(outcomes.all == [.failure(.notAgreed(.refused([name])))] && rig.peer.received.count == start)
    }

    @Test("a reader that waits is served once the peer agrees, with what came behind", .timeLimit(.minutes(1)))
    func waitingReader() async throws {
        try await ConnectionPair.withTCP { pair in
            let near = try await pair.dialer.connection.openStream()
            try await near.connection.eventLoop.submit {
                near.install(NegotiationGate(proposing: ["/a"], lazily: true, patience: .seconds(50)) { _ in })
            }.get()
            async let answer = near.read()
            let far = try await pair.listener.nextStream()
            #expect(try await far.read() == ByteBuffer(string: Self.header + "\u{3}/a\n"))
            try await far.write(ByteBuffer(string: Self.header + "\u{3}/a\n"))
            try await far.write(ByteBuffer(string: "yes"))
            #expect(try await answer == ByteBuffer(string: "yes"))
        }
    }

    @Test("whoever waits for the agreement may be cancelled; the stream is reset then", .timeLimit(.minutes(1)))
    func cancelled() async throws {
        try await ConnectionPair.withTCP { pair in
            let near = try await pair.dialer.connection.openStream()
            let asking = Task(executorPreference: near.connection.taskExecutor) {
                try await near.agree(on: ["/a", "/b"], patience: .seconds(50))
            }
            let far = try await pair.listener.nextStream()
            #expect(try await far.read() == ByteBuffer(string: Self.header + "\u{3}/a\n"))
            asking.cancel()
            await #expect(throws: CancellationError.self) { try await asking.value }
            await #expect(throws: StreamError.reset(code: YamuxCode.streamNegotiationFailed, byPeer: true)) {
                try await far.read()
            }
            // And one that is cancelled before it asks says nothing.
            let other = try await pair.dialer.connection.openStream()
            let never = Task(executorPreference: other.connection.taskExecutor) {
                while !Task.isCancelled { await Task.yield() }
                return try await other.agree(on: ["/a"], patience: .seconds(50))
            }
            never.cancel()
            await #expect(throws: CancellationError.self) { try await never.value }
        }
    }

    // MARK: The peer's

    /// A peer that opens streams, which speak `/a` here.
    private func answering() throws -> (VirtualSiege, Outcomes) {
        let outcomes = Outcomes()
        let rig = try self.siege { configuration in
            configuration.onInboundStream = { stream in
                outcomes.hold(stream)
                stream.install(NegotiationGate(answering: ["/a"], patience: Self.patience) { outcomes.note($0) })
            }
        }
        return (rig, outcomes)
    }

    @Test("data behind a proposal stays in the stream, and what was refused before is answered")
    func leftover() throws {
        let (rig, outcomes) = try self.answering()
        let start = rig.peer.received.count
        self.say(Self.header + "\u{3}/b\n", .syn, on: 1, rig)
        #expect(try self.data(rig, from: start) == [Self.header + "\u{3}na\n"] && outcomes.all.isEmpty)
        self.say("\u{3}/a\nmore", on: 1, rig)
        #expect(outcomes.all == [.success("/a")])
        let stream = try #require(outcomes.first)
        #expect(try self.read(stream) == "more")
        stream.reset()
    }

    @Test("a peer that names nothing, or ends its side, is told apart")
    func inboundEnds() throws {
        for (text, flags, failure) in [
            ("", .syn, .timedOut(after: Self.patience)), (Self.header, [.syn, .fin], .ended),
            (Self.header + "\u{3}/b\n", [.syn, .fin], .declined),
            (Self.header + "\u{1}x", .syn, .failed(.missingNewline)),
        ] as [(String, YamuxHeader.Flags, NegotiationFailure)] {
            let (rig, outcomes) = try self.answering()
            self.say(text, flags, on: 1, rig)
            if case .timedOut = failure { rig.loop.advanceTime(by: .seconds(10)) }
            #expect(outcomes.all == [.failure(.notAgreed(failure))])
            outcomes.first?.refuse(code: YamuxCode.streamNegotiationFailed)
        }
    }
}
