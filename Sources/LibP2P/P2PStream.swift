public import NIOCore
import P2PSwarm
import Synchronization

/// A stream of bytes with a peer, under a protocol both have agreed on.
///
/// One reader and one writer at a time; reading while writing is always possible. Back-pressure works both ways: `write`
/// suspends while the peer gives no credit, and a peer that is not read from gets none. A stream that is dropped without
/// `close` or `reset` is reset; `Node.withStream` and `Node.serve` see to its end. A read waits for as long as it takes unless
/// it is given a `timeout`. Cancelling a task that waits in `write` or a form of `read` ends the wait with
/// `CancellationError` and leaves the stream usable, with all that had come still unread, but for a write that was cut in the
/// middle: reset it.
public final class P2PStream: Sendable {
    /// What was agreed on. On a lazily opened stream, what was proposed.
    public let `protocol`: ProtocolID
    /// The other side.
    public let remotePeer: PeerID
    /// The connection it runs on.
    public let connection: ConnectionInfo
    /// Who opened it.
    public let direction: Direction

    let muxed: MuxedStream
    let state: Mutex<State>
    private let onRefusal: @Sendable () -> Void

    struct State {
        /// Received but not yet read by the application.
        var unread: ByteBuffer?
        /// Whether header and proposal of a lazy stream have been sent.
        var hasProposed = false
        /// The open negotiation of a lazy stream.
        var negotiation: LazyNegotiation?
        /// For the answer to a lazy proposal, of a stream with an observer.
        var deadline: StreamDeadline?
    }

    /// - Parameters:
    ///   - unread: bytes that came behind the negotiation.
    ///   - negotiation: for a lazy stream: what is still to be sent and answered.
    ///   - onRefusal: called when a lazy proposal was refused.
    init(
        muxed: MuxedStream, protocol: ProtocolID, connection: ConnectionInfo, direction: Direction, unread: ByteBuffer?,
        negotiation: LazyNegotiation? = nil, onRefusal: @escaping @Sendable () -> Void = {}
    ) {
        self.muxed = muxed
        self.protocol = `protocol`
        self.remotePeer = connection.peer
        self.connection = connection
        self.direction = direction
        self.onRefusal = onRefusal
        self.state = Mutex(State(unread: unread, negotiation: negotiation))
    }

    deinit { self.cancelDeadline() }

    /// Runs tasks on the event loop of the stream's connection: there, reading and writing change no thread.
    ///
    /// For tasks that mostly move bytes; one that blocks or computes holds up every connection of the loop.
    public var executor: any TaskExecutor { self.muxed.connection.taskExecutor }

    // MARK: Reading

    /// The next bytes as they came, at least one; nil once the peer has closed its side and all was read.
    ///
    /// - Throws: `P2PError` with `.streamReset`, `.connectionClosed`, `.streamBusy`, or, on a lazily opened stream,
    ///   `.protocolNotSupported`; `CancellationError`.
    public nonisolated(nonsending) func read() async throws -> ByteBuffer? {
        if let ready = self.takeUnread() { return ready }
        if self.state.withLock({ $0.negotiation != nil }) {
            try await self.settle()
            if let ready = self.takeUnread() { return ready }
        }
        // Written out, not called: a task that waits here keeps the frames of all calls.
        do { return try await self.muxed.read() } catch { throw P2PError.translating(error, peer: self.remotePeer) }
    }

    /// The next bytes, and with them what else is here by then, in order; nil as from `read()`.
    ///
    /// All that one turn of the connection's event loop has brought comes together where the task runs on that loop
    /// (`executor`). Elsewhere it is what `read()` gives, alone.
    /// - Parameter limit: when so many bytes are gathered, no further buffer is taken; the last may go beyond it.
    /// - Throws: as `read()`. What fails behind the first bytes fails the next call.
    package nonisolated(nonsending) func readAvailable(upTo limit: Int) async throws -> [ByteBuffer]? {
        guard let first = try await self.read() else { return nil }
        var buffers = [first]
        guard self.eventLoop.inEventLoop else { return buffers }
        var count = first.readableBytes
        // The end and a failure are told by the next call too.
        while count < limit, case .bytes(let next)? = try? self.readNow() {
            buffers.append(next)
            count += next.readableBytes
        }
        // The peer has its credit before these bytes are handed on, and sends meanwhile.
        self.flushNow()
        return buffers
    }

    /// The next bytes, as `read()`, if they come in time; what is there already is given even if `timeout` is zero.
    ///
    /// - Throws: also `.timedOut`. The stream is none the worse for it: a later read goes on. Whoever has no more patience
    ///   resets the stream, which leaving `Node.withStream` or a handler of `Node.serve` with the error does.
    public nonisolated(nonsending) func read(timeout: Duration) async throws -> ByteBuffer? {
        try await self.read(until: .now().advanced(by: timeout))
    }

    /// Exactly `count` bytes.
    ///
    /// - Parameter timeout: for all of them together; nil to wait for as long as it takes.
    /// - Throws: also `.endOfStream` if the peer closes before, and `.timedOut`; what had come is unread then.
    public nonisolated(nonsending) func readExactly(
        _ count: Int, timeout: Duration? = nil
    ) async throws -> ByteBuffer {
        let deadline = timeout.map { MonotonicInstant.now().advanced(by: $0) }
        var gathered = ByteBuffer()
        while gathered.readableBytes < count {
            guard var next = try await self.read(behind: gathered, until: deadline) else {
                self.putBack(gathered)
                throw self.error(.endOfStream, "\(gathered.readableBytes) of \(count) bytes came")
            }
            let missing = count - gathered.readableBytes
            if gathered.readableBytes == 0, next.readableBytes == count { return next }
            if let part = next.readSlice(length: min(missing, next.readableBytes)) {
                gathered.writeImmutableBuffer(part)
            }
            self.putBack(next)
        }
        return gathered
    }

    /// Bytes up to a line feed, which is taken off; nil if the peer closed before any byte.
    ///
    /// - Parameters:
    ///   - max: longest line in bytes without the line feed.
    ///   - timeout: for the whole line; nil to wait for as long as it takes.
    /// - Throws: also `.tooLong`, `.endOfStream` if the peer closes within the line, and `.timedOut`; what had come is unread
    ///   then, the beginning of the line with it.
    public nonisolated(nonsending) func readLine(max: Int, timeout: Duration? = nil) async throws -> ByteBuffer? {
        let deadline = timeout.map { MonotonicInstant.now().advanced(by: $0) }
        return try await self.readLine(max: max, until: deadline) { _ in }
    }

    /// The same, for a reader that counts what it holds.
    ///
    /// - Parameter gathering: called with the length of the line so far before more is put to it; what it throws ends the read.
    package nonisolated(nonsending) func readLine(
        max: Int, until deadline: MonotonicInstant? = nil, gathering: (Int) throws -> Void
    ) async throws -> ByteBuffer? {
        var line = ByteBuffer()
        while true {
            guard var next = try await self.read(behind: line, until: deadline) else {
                if line.readableBytes == 0 { return nil }
                self.putBack(line)
                throw self.error(.endOfStream, "\(line.readableBytes) bytes without line feed")
            }
            let end = next.readableBytesView.firstIndex(of: UInt8(ascii: "\n"))
            let length = end.map { $0 - next.readerIndex } ?? next.readableBytes
            guard line.readableBytes + length <= max else {
                self.putBack(line, next)
                throw self.error(.tooLong, "line longer than \(max) bytes")
            }
            do { try gathering(line.readableBytes + length) } catch {
                self.putBack(line, next)
                throw error
            }
            if let part = next.readSlice(length: length) { line.writeImmutableBuffer(part) }
            if end != nil {
                next.moveReaderIndex(forwardBy: 1)
                self.putBack(next)
                return line
            }
        }
    }

    /// Everything until the peer closes its side.
    ///
    /// - Parameters:
    ///   - max: most bytes that are taken.
    ///   - timeout: for all of them together; nil to wait for as long as it takes.
    /// - Throws: also `.tooLong` as soon as more than `max` bytes have come, and `.timedOut`; what had come is unread then.
    public nonisolated(nonsending) func readToEnd(max: Int, timeout: Duration? = nil) async throws -> ByteBuffer {
        let deadline = timeout.map { MonotonicInstant.now().advanced(by: $0) }
        return try await self.readToEnd(max: max, until: deadline) { _ in }
    }

    /// The same, for a reader that counts what it holds.
    ///
    /// - Parameter gathering: called with the number of all bytes so far before more are put to them; what it throws ends the
    ///   read.
    package nonisolated(nonsending) func readToEnd(
        max: Int, until deadline: MonotonicInstant? = nil, gathering: (Int) throws -> Void
    ) async throws -> ByteBuffer {
        var all = ByteBuffer()
        while let next = try await self.read(behind: all, until: deadline) {
            guard all.readableBytes + next.readableBytes <= max else {
                self.putBack(all, next)
                throw self.error(.tooLong, "more than \(max) bytes")
            }
            do { try gathering(all.readableBytes + next.readableBytes) } catch {
                self.putBack(all, next)
                throw error
            }
            if all.readableBytes == 0 { all = next } else { all.writeImmutableBuffer(next) }
        }
        return all
    }

    /// The next bytes. What was gathered before them is unread again if they do not come: whoever was cancelled and comes back
    /// finds it.
    private nonisolated(nonsending) func read(
        behind gathered: ByteBuffer, until deadline: MonotonicInstant?
    ) async throws -> ByteBuffer? {
        do {
            guard let deadline else { return try await self.read() }
            return try await self.read(until: deadline)
        } catch {
            self.putBack(gathered)
            throw error
        }
    }

    /// The next bytes, if they come in time.
    private nonisolated(nonsending) func read(until deadline: MonotonicInstant) async throws -> ByteBuffer? {
        if let ready = self.takeUnread() { return ready }
        if self.state.withLock({ $0.negotiation != nil }) {
            try await self.settle(until: deadline)
            if let ready = self.takeUnread() { return ready }
        }
        return try await self.receive(until: deadline)
    }

    // MARK: Writing

    /// Sends bytes; returns once they are on their way or in a bounded buffer, suspends while the peer gives no credit.
    ///
    /// - Throws: `P2PError` with `.streamReset`, `.streamClosed` after `closeWrite`, `.connectionClosed`, `.streamBusy`, or, on a
    ///   lazily opened stream, `.protocolNotSupported`; `CancellationError`, after which part of the bytes may be on their way.
    public nonisolated(nonsending) func write(_ bytes: ByteBuffer) async throws {
        guard let proposal = self.takeProposal() else {
            return try await self.send(bytes)
        }
        if bytes.readableBytes <= 16_384 {
            var both = ByteBufferAllocator().buffer(capacity: proposal.count + bytes.readableBytes)
            both.writeBytes(proposal)
            both.writeImmutableBuffer(bytes)
            try await self.send(both)
        } else {
            try await self.send(ByteBuffer(bytes: proposal))
            try await self.send(bytes)
        }
    }

    /// Sends bytes, for instance the `utf8` of a string; else as the other form.
    public nonisolated(nonsending) func write(_ bytes: some Sequence<UInt8> & Sendable) async throws {
        try await self.write(ByteBuffer(bytes: bytes))
    }

    /// Tells the peer that nothing more will come. Reading goes on. A second call changes nothing.
    ///
    /// - Throws: `P2PError` with `.streamReset`, `.connectionClosed`, or, on a lazily opened stream, `.protocolNotSupported`.
    public nonisolated(nonsending) func closeWrite() async throws {
        try await self.flushProposal()
        do { try await self.muxed.closeWrite() } catch { throw self.translated(error) }
    }

    // MARK: Ending

    /// Ends the stream in good order: what was written still arrives, what is unread is dropped.
    public nonisolated(nonsending) func close() async {
        // A stream that is already reset has nothing to close: the outcome is the same.
        try? await self.flushProposal()
        await self.muxed.close()
        self.cancelDeadline()
        self.dropUnread()
    }

    /// Ends the stream at once, in both directions; what is under way is lost.
    ///
    /// - Parameter code: tells the peer why; libp2p's own codes are 0x1001 to 0x1009.
    public func reset(code: UInt32 = 0) {
        self.muxed.reset(code: code)
        self.cancelDeadline()
        self.dropUnread()
    }

    /// As `reset`, of a stream that the peer opened and that is not taken; see `MuxedStream.refuse`.
    package func refuse(code: UInt32) {
        self.muxed.refuse(code: code)
        self.cancelDeadline()
    }

    /// Resets the stream unless cancelled in time.
    func deadline(after time: Duration, _ cause: StreamDeadline.Cause) -> StreamDeadline {
        StreamDeadline(self.muxed, after: time, cause)
    }

    // MARK: Private

    /// What was gathered and put back is held by nobody else.
    func dropUnread() { self.state.withLock { $0.unread = nil } }

    func cancelDeadline() {
        self.state.withLock { state in
            state.deadline?.cancel()
            state.deadline = nil
        }
    }

    func takeUnread() -> ByteBuffer? {
        self.state.withLock { state in
            guard state.negotiation == nil, let unread = state.unread else { return nil }
            state.unread = nil
            return unread.readableBytes > 0 ? unread : nil
        }
    }

    private func putBack(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        self.state.withLock { $0.unread = bytes }
    }

    private func putBack(_ gathered: ByteBuffer, _ next: ByteBuffer) {
        guard gathered.readableBytes > 0 else { return self.putBack(next) }
        var both = gathered
        both.writeImmutableBuffer(next)
        self.putBack(both)
    }

    func takeProposal() -> [UInt8]? {
        self.state.withLock { state in
            guard !state.hasProposed else { return nil }
            state.hasProposed = true
            return state.negotiation?.proposal
        }
    }

    /// A reader comes here beside a writer. It takes the proposal on the loop and queues it in the same turn: whatever a writer
    /// hands over once it sees the proposal taken comes behind it. (A writer takes and hands over in one go of its own.)
    private nonisolated(nonsending) func flushProposal() async throws {
        guard self.state.withLock({ !$0.hasProposed && $0.negotiation != nil }) else { return }
        do { try await self.muxed.enqueue { self.takeProposal().map { ByteBuffer(bytes: $0) } } } catch {
            throw self.translated(error)
        }
    }

    /// On a lazy stream: sends the proposal if nothing was written yet, and reads until it is answered.
    ///
    /// - Parameter deadline: the reader's, if it has one; the negotiation has a time of its own, whose end is the stream's.
    private nonisolated(nonsending) func settle(until deadline: MonotonicInstant? = nil) async throws {
        guard let open = self.state.withLock({ $0.negotiation }) else { return }
        try await self.flushProposal()
        // Since the first reader asked: one that reads again and again with little patience does not make it longer.
        let due = self.state.withLock { state in
            let due = state.negotiation?.due ?? .now().advanced(by: open.timeout)
            state.negotiation?.due = due
            return due
        }
        let end = self.deadline(after: MonotonicInstant.now().duration(to: due), .negotiation)
        defer { end.cancel() }
        while true {
            let received: ByteBuffer?
            do { received = try await self.receive(until: deadline) } catch {
                guard end.hasFired else { throw error }
                throw self.error(.timedOut, "\(self.protocol) was not answered within \(open.timeout)")
            }
            guard let bytes = received else {
                throw self.error(.endOfStream, "closed before the protocol was agreed on")
            }
            if try self.isSettled(by: bytes) { return }
        }
    }

    /// Whether these bytes complete the peer's consent to a lazy proposal. What came behind it is `unread` then.
    func isSettled(by bytes: ByteBuffer) throws(P2PError) -> Bool {
        let outcome = self.state.withLock { state -> MultistreamOutcome? in
            guard var negotiation = state.negotiation else { return nil }
            let step = negotiation.initiator.received(Array(bytes.readableBytesView)[...])
            state.negotiation = negotiation
            if case .agreed(_, let leftover) = step.outcome {
                state.negotiation = nil
                state.unread = ByteBuffer(bytes: leftover)
            }
            return step.outcome
        }
        switch outcome {
        case nil: return false
        case .agreed: return true
        case .failed(let cause):
            self.onRefusal()
            self.reset(code: YamuxCode.streamNegotiationFailed)
            throw self.error(.protocolNotSupported, "\(self.protocol) was refused", cause: cause)
        }
    }

    private nonisolated(nonsending) func receive(until deadline: MonotonicInstant?) async throws -> ByteBuffer? {
        do {
            guard let deadline else { return try await self.muxed.read() }
            return try await self.muxed.read(until: deadline)
        } catch {
            throw self.translated(error)
        }
    }

    private nonisolated(nonsending) func send(_ bytes: ByteBuffer) async throws {
        do { try await self.muxed.write(bytes) } catch { throw self.translated(error) }
    }

    /// What the stream threw, in the terms of this API.
    private func translated(_ error: any Error) -> any Error {
        guard let error = error as? StreamError else { return P2PError.translating(error, peer: self.remotePeer) }
        return self.translated(error)
    }

    /// The same. A peer that refuses a lazy proposal may take the data behind it for another, and reset the stream; its refusal is
    /// lost with that. So until the proposal is answered, the reset says the same by its code.
    func translated(_ error: StreamError) -> P2PError {
        guard error == .reset(code: YamuxCode.streamNegotiationFailed, byPeer: true) else {
            return P2PError(stream: error, peer: self.remotePeer)
        }
        let isNews = self.state.withLock { state -> Bool? in
            guard let open = state.negotiation else { return nil }
            state.negotiation?.isRefused = true
            return !open.isRefused
        }
        guard let isNews else { return P2PError(stream: error, peer: self.remotePeer) }
        if isNews { self.onRefusal() }
        return self.error(.protocolNotSupported, "\(self.protocol) was refused", cause: error)
    }

    func error(_ code: P2PError.Code, _ message: String, cause: (any Error)? = nil) -> P2PError {
        P2PError(code, message, cause: cause, peer: self.remotePeer)
    }
}

/// The part of a negotiation that a lazily opened stream still has before it.
struct LazyNegotiation: Sendable {
    /// Started.
    var initiator: MultistreamInitiator
    /// Header and proposal; they go out together with the first data.
    let proposal: [UInt8]
    /// For the answer, once somebody waits for it.
    let timeout: Duration
    /// When that is over.
    var due: MonotonicInstant?
    /// Whether the peer has reset the stream instead of answering.
    var isRefused = false
}
