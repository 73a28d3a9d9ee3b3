public import NIOCore
package import P2PCore
import Synchronization

/// How far the end of a stream has come, for the books of who pays for it.
package enum StreamEnding: Sendable {
    /// The user has closed or dropped it, and our FIN is on its way behind all that was written: nobody of ours has to do with it
    /// any more. The peer has not ended its own side.
    case served
    /// It costs nothing any more: both directions have ended on the wire, and the user has closed, reset or dropped it. What was
    /// closed with bytes that the peer does not take lives on until then.
    case over
}

/// One stream of a connection: ordered bytes in both directions, each of which ends on its own.
///
/// One reader and one writer at a time, from any task; reading while writing is always possible, and neither waits for
/// the other. Back-pressure: `write` suspends while more than `ConnectionConfiguration.streamWriteBuffer` bytes wait for
/// the peer's credit, or any while the connection holds more than it may (`ConnectionConfiguration.streamBudget`); the
/// peer gets credit back only for what `read` has returned. Calls from a task that runs on the
/// connection's event loop (`MuxedConnection.taskExecutor`) change no thread.
///
/// A stream that is dropped without `close` or `reset` is reset.
public final class MuxedStream: Sendable {
    /// The number on the wire.
    public let id: UInt32
    /// The connection it belongs to.
    public let connection: MuxedConnection
    /// Whether the peer opened it.
    public let isInbound: Bool

    /// Confined to the event loop: reached only through `onLoop` and behind `inEventLoop`.
    private nonisolated(unsafe) let state: StreamState
    private let readTickets = Atomic<UInt32>(0)
    private let writeTickets = Atomic<UInt32>(0)
    private let isReleased = Atomic<Bool>(false)

    init(_ state: StreamState) {
        self.id = state.id
        self.connection = state.connection
        self.isInbound = state.isInbound
        self.state = state
    }

    deinit {
        guard !self.isReleased.load(ordering: .relaxed) else { return }
        // The last reference is gone: only the loop uses it from here on.
        nonisolated(unsafe) let state = self.state
        let loop = self.connection.eventLoop
        if loop.inEventLoop {
            state.connection.abandoned(state)
            state.letGo()
        } else {
            loop.execute {
                state.connection.abandoned(state)
                state.letGo()
            }
        }
    }

    /// The next bytes as they came, without a copy if they are many; nil once the peer has finished and all is read.
    ///
    /// Safe to cancel: nothing is lost, a later read goes on.
    /// - Throws: `StreamError`; `CancellationError`.
    public nonisolated(nonsending) func read() async throws -> ByteBuffer? {
        switch try self.readAtOnce() {
        case .bytes(let bytes): return bytes
        case .end: return nil
        case .nothingYet: return try await self.wait(self.readTickets.add(1, ordering: .relaxed).newValue)
        }
    }

    /// As `read`, but waits no longer than until `deadline`. What is there already is given even past it.
    ///
    /// - Throws: also `StreamError.timedOut`: nothing is lost, a later read goes on.
    package nonisolated(nonsending) func read(until deadline: MonotonicInstant) async throws -> ByteBuffer? {
        switch try self.readAtOnce() {
        case .bytes(let bytes): return bytes
        case .end: return nil
        case .nothingYet: break
        }
        let ticket = self.readTickets.add(1, ordering: .relaxed).newValue
        let timer = self.connection.eventLoop.scheduleTask(deadline: .uptimeNanoseconds(deadline.nanoseconds)) {
            self.onLoop { state in state.cancelRead(ticket: ticket, isLate: true) }
        }
        defer { timer.cancel() }
        return try await self.wait(ticket)
    }

    /// What is here, as far as that can be told without a hop.
    private func readAtOnce() throws(StreamError) -> StreamReading<ByteBuffer> {
        guard self.connection.eventLoop.inEventLoop else { return .nothingYet }
        return try self.state.readNow()
    }

    /// Inlined: a task that waits keeps the frames of all calls.
    @inline(__always)
    private nonisolated(nonsending) func wait(_ ticket: UInt32) async throws -> ByteBuffer? {
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                self.onLoop { state in state.read(ticket: ticket, continuation) }
            }
        } onCancel: {
            self.onLoop { state in state.cancelRead(ticket: ticket) }
        }
    }

    /// Sends `bytes`, or queues them and waits until little is queued. Empty bytes change nothing.
    ///
    /// A cancelled write may have sent its bytes. A stream that fails after bytes were taken over says so to the next call.
    /// - Throws: `StreamError`; `CancellationError`.
    public nonisolated(nonsending) func write(_ bytes: ByteBuffer) async throws {
        let ticket = self.writeTickets.add(1, ordering: .relaxed).newValue
        if self.connection.eventLoop.inEventLoop {
            try self.state.enqueue(bytes)
            guard self.state.mustWait else { return }
            return try await withTaskCancellationHandler {
                try await withUnsafeThrowingContinuation { continuation in
                    self.onLoop { state in state.waitForRoom(ticket: ticket, continuation) }
                }
            } onCancel: {
                self.onLoop { state in state.cancelWrite(ticket: ticket) }
            }
        }
        if self.accept(bytes) { return }
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                self.onLoop { state in state.write(bytes, ticket: ticket, continuation) }
            }
        } onCancel: {
            self.onLoop { state in state.cancelWrite(ticket: ticket) }
        }
    }

    /// Hands bytes to the event loop without waiting for it, while the buffer has room: saves a writer elsewhere two thread
    /// changes for each call.
    private func accept(_ bytes: ByteBuffer) -> Bool {
        let count = bytes.readableBytes
        let limit = self.connection.writeRoom.load(ordering: .relaxed)
        guard !self.state.refusesWrites.load(ordering: .relaxed),
            self.state.accepted.load(ordering: .relaxed) + count <= limit
        else { return false }
        self.state.accepted.add(count, ordering: .relaxed)
        self.onLoop { state in state.enqueueAccepted(bytes) }
        return true
    }

    /// Writes no more: the peer reads to the end of what was written. Returns when that is queued behind the data; does
    /// not wait for the peer. A second call changes nothing.
    /// - Throws: `StreamError` if the stream has failed.
    public nonisolated(nonsending) func closeWrite() async throws {
        if self.connection.eventLoop.inEventLoop { return try self.state.connection.finish(self.state) }
        try await withUnsafeThrowingContinuation { (continuation: UnsafeContinuation<Void, any Error>) in
            self.onLoop { state in continuation.resume(with: Result { try state.connection.finish(state) }) }
        }
    }

    /// Writes and reads no more, in order: what was written still reaches the peer, what it sends from now on is dropped.
    /// Does not wait for the peer.
    public nonisolated(nonsending) func close() async { self.closeNow() }

    /// The same; not asynchronous, from anywhere.
    /// - Parameter patience: a peer that has been sent everything and does not end its side for this long is reset; nil for as
    ///   long as others get, see `YamuxConfiguration`.
    package func closeNow(patience: Duration? = nil) {
        self.isReleased.store(true, ordering: .relaxed)
        // At once, so that a write after this call is refused and not handed over.
        self.state.refusesWrites.store(true, ordering: .relaxed)
        self.onLoop { state in
            // A stream that has failed is closed already.
            try? state.connection.finish(state)
            state.connection.closeRead(state, patience: patience)
            state.letGo()
        }
    }

    /// Ends both directions at once; bytes on their way are lost.
    /// - Parameter code: told to the peer, see `YamuxCode`.
    public func reset(code: UInt32 = 0) {
        self.isReleased.store(true, ordering: .relaxed)
        self.onLoop { state in
            state.connection.reset(state, code: code)
            state.letGo()
        }
    }

    /// As `reset`, of a stream that the peer opened and that is not taken: because of a limit, or for want of a common protocol.
    /// Counts with the streams that the peer resets itself, of which too many end the connection (`LimitName.streamResets`).
    /// - Parameter code: told to the peer, see `YamuxCode`.
    package func refuse(code: UInt32) {
        self.isReleased.store(true, ordering: .relaxed)
        self.onLoop { state in
            state.connection.refuse(state, code: code)
            state.letGo()
        }
    }

    /// As `refuse`, of a stream whose peer has ended its own side: closed in order, so that what was written still arrives.
    package func decline() {
        self.isReleased.store(true, ordering: .relaxed)
        self.state.refusesWrites.store(true, ordering: .relaxed)
        self.onLoop { state in
            state.connection.decline(state)
            state.letGo()
        }
    }

    /// Calls `body` on the loop as the stream comes to its end: with `.served`, unless it is over by then, and once with `.over`,
    /// behind which nothing follows. At once if that is so already. In place of an earlier `body`.
    package func whenEnding(_ body: @escaping @Sendable (StreamEnding) -> Void) {
        self.onLoop { state in state.whenEnding(body) }
    }

    /// For what may only be called on the loop.
    func onLoopNow<Value, Failure: Error>(_ body: (StreamState) throws(Failure) -> Value) throws(Failure) -> Value {
        self.connection.eventLoop.assertInEventLoop()
        return try body(self.state)
    }

    func onLoop(_ body: @escaping @Sendable (StreamState) -> Void) {
        if self.connection.eventLoop.inEventLoop {
            body(self.state)
        } else {
            self.connection.eventLoop.execute { body(self.state) }
        }
    }
}
