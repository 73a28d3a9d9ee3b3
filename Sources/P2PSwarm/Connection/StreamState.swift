import NIOCore
import P2PCore
import Synchronization

/// What a connection keeps of one stream. Touched on the connection's event loop only.
final class StreamState {
    /// Payloads from this size on are handed over as slices of the receive buffer; smaller ones are copied, so that a
    /// kept byte never holds a large buffer alive.
    static let sliceBytes = 16 * 1024
    /// Slices that wait and together are less than this part of their buffer are copied.
    private static let keptPart = 4
    /// Copied payloads that wait are gathered in chunks of up to this size.
    private static let gatherBytes = 64 * 1024

    /// Unsafe continuations, which cost a waiting reader no object of its own: each is taken out of here before it is resumed,
    /// on the loop, and whatever ends the stream ends the wait.
    private enum Waiter<Value: Sendable> {
        case none
        case waiting(ticket: UInt32, UnsafeContinuation<Value, any Error>)
    }

    let id: UInt32
    let connection: MuxedConnection
    let isInbound: Bool

    private var inbox = BufferQueue()
    /// Bytes in the inbox, counted in the connection's as well.
    private var unreadBytes = 0
    private var lastIsGathered = false
    /// How many of the last buffers in the inbox are slices of what is being received, or behind such.
    private var freshBuffers = 0
    private var endReceived = false
    private(set) var readClosed = false
    private var reader = Waiter<ByteBuffer?>.none
    /// A read that was given up before it came here.
    private var cancelledRead: (ticket: UInt32, isLate: Bool)?

    private var outbox = BufferQueue()
    private(set) var pendingBytes = 0
    private(set) var finishRequested = false
    /// Bytes that writers have handed over and that are not on their way. Written from anywhere.
    let accepted = Atomic<Int>(0)
    /// Set once no write can succeed any more. Read from anywhere.
    let refusesWrites = Atomic<Bool>(false)
    private var writer = Waiter<Void>.none
    private var cancelledWrite: UInt32?

    /// Until a protocol is agreed on: nothing is read, and what is written first goes behind the proposal.
    private var gate: NegotiationGate?
    /// Who is called instead of readers and writers that wait.
    private var observer: (any StreamObserver)?
    /// In the connection's list of streams whose observer or gate is to be told of what came.
    var isNoted = false
    private var observerWaitsForRoom = false

    /// The application has read or written.
    var isTouched = false
    /// In the connection's queue of streams with something to send.
    var isQueued = false
    /// What is to be sent is not in that queue: it waits for more, see `MuxedConnection.holdBack`.
    var isHeldBack = false
    private(set) var failure: StreamError?

    init(id: UInt32, connection: MuxedConnection, isInbound: Bool) {
        self.id = id
        self.connection = connection
        self.isInbound = isInbound
    }

    // MARK: Reading

    /// Takes what has arrived, and tells the machine so that credit goes back.
    func readNow() throws(StreamError) -> StreamReading<ByteBuffer> {
        if self.readClosed { throw self.failure ?? .readClosed }
        if self.gate != nil {
            self.passGate()
            if self.gate != nil {
                self.waitAtGate()
                return .nothingYet
            }
        }
        guard let chunk = self.inbox.popFirst() else {
            if self.endReceived { return .end }
            if let failure = self.failure { throw failure }
            return .nothingYet
        }
        self.hasTaken(chunk.readableBytes)
        self.connection.consumed(self, count: chunk.readableBytes)
        return .bytes(chunk)
    }

    /// So many bytes are no longer in the inbox.
    private func hasTaken(_ count: Int) {
        if self.inbox.isEmpty { self.lastIsGathered = false }
        self.freshBuffers = min(self.freshBuffers, self.inbox.count)
        self.unreadBytes -= count
        self.connection.noLongerUnread(count)
    }

    /// Answers now or when something happens.
    func read(ticket: UInt32, _ continuation: UnsafeContinuation<ByteBuffer?, any Error>) {
        var isLate = false
        if let given = self.cancelledRead, given.ticket == ticket {
            self.cancelledRead = nil
            guard given.isLate else { return continuation.resume(throwing: CancellationError()) }
            isLate = true
        }
        if case .waiting = self.reader { return continuation.resume(throwing: StreamError.busy) }
        self.serve(ticket, continuation, isLate: isLate)
    }

    private func serve(_ ticket: UInt32, _ continuation: UnsafeContinuation<ByteBuffer?, any Error>, isLate: Bool) {
        do throws(StreamError) {
            switch try self.readNow() {
            case .bytes(let chunk): continuation.resume(returning: chunk)
            case .end: continuation.resume(returning: nil)
            case .nothingYet where isLate: throw .timedOut
            case .nothingYet:
                self.reader = .waiting(ticket: ticket, continuation)
                self.connection.waitsForPeer(self)
            }
        } catch {
            continuation.resume(throwing: error)
        }
    }

    /// Ends the wait of a read, now or when it comes here.
    /// - Parameter isLate: because its time is up, and not because nobody wants it any more.
    func cancelRead(ticket: UInt32, isLate: Bool = false) {
        guard case .waiting(ticket, let continuation) = self.reader else {
            self.cancelledRead = (ticket, isLate)
            return
        }
        self.reader = .none
        let reason: any Error = isLate ? StreamError.timedOut : CancellationError()
        continuation.resume(throwing: reason)
    }

    /// Payload from the peer: goes to the waiting reader or into the inbox, which the granted window bounds.
    func deliver(_ slice: ByteBuffer) {
        if self.readClosed || self.failure != nil { return }
        if self.observer != nil || self.gate != nil { self.connection.note(self) }
        let isLarge = slice.readableBytes >= Self.sliceBytes
        if case .waiting(_, let continuation) = self.reader, self.gate == nil {
            self.reader = .none
            self.connection.consumed(self, count: slice.readableBytes)
            continuation.resume(returning: isLarge ? slice : Self.copy(slice))
            return
        }
        if isLarge {
            self.inbox.append(slice)
            self.lastIsGathered = false
            if self.freshBuffers == 0 { self.connection.keepsSlices(self) }
            self.freshBuffers += 1
        } else if !self.lastIsGathered || !self.inbox.extendLast(with: slice, limit: Self.gatherBytes) {
            self.inbox.append(Self.copy(slice))
            self.lastIsGathered = true
            if self.freshBuffers > 0 { self.freshBuffers += 1 }
        }
        self.unreadBytes += slice.readableBytes
        // Last: it may reset this very stream.
        self.connection.hasUnread(self, added: slice.readableBytes)
    }

    /// What came is taken apart, and whoever reads on the loop has read: slices that are still here and little of the buffer
    /// they came in are copied, so that they do not hold all of it for as long as nobody reads.
    func settleSlices() {
        guard self.freshBuffers > 0 else { return }
        if self.inbox.gatherLast(self.freshBuffers, unlessPartOfStorage: Self.keptPart) { self.lastIsGathered = true }
        self.freshBuffers = 0
    }

    private static func copy(_ slice: ByteBuffer) -> ByteBuffer {
        var copy = ByteBufferAllocator().buffer(capacity: slice.readableBytes)
        copy.writeImmutableBuffer(slice)
        return copy
    }

    func endOfStream() {
        self.endReceived = true
        if self.observer != nil || self.gate != nil { return self.connection.note(self) }
        guard case .waiting(_, let continuation) = self.reader else { return }
        self.reader = .none
        continuation.resume(returning: nil)
    }

    func closeRead() {
        guard !self.readClosed else { return }
        self.readClosed = true
        let gate = self.gate
        self.gate = nil
        gate?.finish(.failure(.readClosed))
        self.dropUnread()
        guard case .waiting(_, let continuation) = self.reader else { return }
        self.reader = .none
        continuation.resume(throwing: StreamError.readClosed)
    }

    private func dropUnread() {
        let count = self.unreadBytes
        self.inbox.removeAll()
        self.freshBuffers = 0
        self.unreadBytes = 0
        self.connection.noLongerUnread(count)
    }

    // MARK: Writing

    /// Queues bytes. Afterwards the writer has to wait while `mustWait`.
    func enqueue(_ bytes: ByteBuffer) throws(StreamError) {
        if let failure = self.failure { throw failure }
        if self.finishRequested { throw .writeClosed }
        if case .waiting = self.writer { throw .busy }
        self.accepted.add(bytes.readableBytes, ordering: .relaxed)
        self.append(bytes)
    }

    /// Queues bytes that are counted in `accepted` already and whose writer has gone on. A stream that has failed meanwhile
    /// drops them: the writer learns of it with its next call.
    func enqueueAccepted(_ bytes: ByteBuffer) {
        if self.failure == nil, !self.finishRequested {
            self.append(bytes)
        } else {
            self.accepted.subtract(bytes.readableBytes, ordering: .relaxed)
        }
    }

    /// Queues bytes of an observer, which flushes by itself. Whether there is room for more.
    func writeNow(_ bytes: ByteBuffer) throws(StreamError) -> Bool {
        if let failure = self.failure { throw failure }
        if self.finishRequested { throw .writeClosed }
        self.accepted.add(bytes.readableBytes, ordering: .relaxed)
        self.append(bytes, flushing: false)
        self.observerWaitsForRoom = self.mustWait
        return !self.observerWaitsForRoom
    }

    /// Queues bytes that nobody waits for, see `MuxedConnection.holdBack`.
    func writeLater(_ bytes: ByteBuffer) throws(StreamError) {
        if let failure = self.failure { throw failure }
        if self.finishRequested { throw .writeClosed }
        guard bytes.readableBytes > 0 else { return }
        self.accepted.add(bytes.readableBytes, ordering: .relaxed)
        self.outbox.append(bytes)
        self.pendingBytes += bytes.readableBytes
        // What was queued before leaves by itself, and this with it.
        if self.isQueued {
            self.connection.hasPending(self, added: bytes.readableBytes, flushing: true)
        } else {
            self.connection.holdBack(self, added: bytes.readableBytes)
        }
    }

    private func append(_ bytes: ByteBuffer, flushing: Bool = true) {
        if let proposal = self.gate?.takeProposal() {
            return self.append(proposal, before: bytes, flushing: flushing)
        }
        guard bytes.readableBytes > 0 else { return }
        self.outbox.append(bytes)
        self.pendingBytes += bytes.readableBytes
        self.connection.hasPending(self, added: bytes.readableBytes, flushing: flushing)
    }

    private func append(_ proposal: [UInt8], before bytes: ByteBuffer, flushing: Bool) {
        self.accepted.add(proposal.count, ordering: .relaxed)
        // Together, unless that would copy much.
        let isLittle = bytes.readableBytes <= Self.sliceBytes
        var first = ByteBufferAllocator().buffer(capacity: proposal.count + (isLittle ? bytes.readableBytes : 0))
        first.writeBytes(proposal)
        if isLittle { first.writeImmutableBuffer(bytes) }
        self.append(first, flushing: flushing)
        if !isLittle { self.append(bytes, flushing: flushing) }
    }

    /// A proposal that waits for data goes without.
    func propose(flushing: Bool = true) { self.append(ByteBuffer(), flushing: flushing) }

    var mustWait: Bool {
        self.accepted.load(ordering: .relaxed) > self.connection.writeRoom.load(ordering: .relaxed)
    }

    /// Queues bytes and answers when there is room for more.
    func write(_ bytes: ByteBuffer, ticket: UInt32, _ continuation: UnsafeContinuation<Void, any Error>) {
        do throws(StreamError) {
            try self.enqueue(bytes)
            self.waitForRoom(ticket: ticket, continuation)
        } catch {
            continuation.resume(throwing: error)
        }
    }

    func waitForRoom(ticket: UInt32, _ continuation: UnsafeContinuation<Void, any Error>) {
        if self.cancelledWrite == ticket {
            self.cancelledWrite = nil
            continuation.resume(throwing: CancellationError())
        } else if let failure = self.failure {
            continuation.resume(throwing: failure)
        } else if self.mustWait {
            self.writer = .waiting(ticket: ticket, continuation)
        } else {
            continuation.resume()
        }
    }

    func cancelWrite(ticket: UInt32) {
        guard case .waiting(ticket, let continuation) = self.writer else {
            self.cancelledWrite = ticket
            return
        }
        self.writer = .none
        continuation.resume(throwing: CancellationError())
    }

    /// Moves up to `count` pending bytes to `output`, which has room for them. The only copy on the way out.
    func takePending(_ count: Int, into output: UnsafeMutableRawBufferPointer) {
        var copied = 0
        while copied < count, let first = self.outbox.first {
            let size = min(first.readableBytes, count - copied)
            first.withUnsafeReadableBytes { source in
                UnsafeMutableRawBufferPointer(rebasing: output[copied..<(copied + size)])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: source.prefix(size)))
            }
            if size == first.readableBytes {
                _ = self.outbox.popFirst()
            } else {
                self.outbox.dropFromFirst(size)
            }
            copied += size
        }
        self.pendingBytes -= copied
        self.accepted.subtract(copied, ordering: .relaxed)
        guard self.pendingBytes == 0 || !self.mustWait else { return }
        if self.observerWaitsForRoom {
            self.observerWaitsForRoom = false
            self.observer?.streamIsWritable()
        } else if case .waiting(_, let continuation) = self.writer {
            self.writer = .none
            continuation.resume()
        }
    }

    func requestFinish() {
        self.finishRequested = true
        self.refusesWrites.store(true, ordering: .relaxed)
    }

    // MARK: The gate

    /// See `MuxedStream.install`.
    func install(_ gate: NegotiationGate) {
        if let failure = self.failure { return gate.finish(.failure(failure)) }
        self.gate = gate
        guard !gate.isLazy else { return }
        self.waitAtGate()
        self.passGate()
    }

    /// Sets or takes away the observer, which waits for the peer as a reader does; what it writes, it flushes.
    func observe(_ observer: (any StreamObserver)?) {
        self.observer = observer
        if observer != nil { self.waitAtGate(flushing: false) }
    }

    /// All that one read of the socket brought is here.
    func hasReceived() {
        self.passGate()
        self.observer?.streamIsReadable()
    }

    /// Somebody waits: the proposal goes out, and the time for the answer runs.
    private func waitAtGate(flushing: Bool = true) {
        guard let gate = self.gate else { return }
        gate.startTimer(of: self)
        self.propose(flushing: flushing)
    }

    /// With an outcome the gate goes, and a reader that waits is served.
    private func passGate() {
        guard let gate = self.gate, let result = self.show(gate, atEnd: self.endReceived) else { return }
        self.removeGate(gate, result)
    }

    /// Shows the gate what has come. With an outcome it is off, and the bytes behind that are still here.
    ///
    /// - Parameter atEnd: the peer has ended its side, and that counts.
    private func show(_ gate: NegotiationGate, atEnd: Bool) -> Result<ProtocolID, StreamError>? {
        var result: Result<ProtocolID, StreamError>?
        var taken = 0
        while result == nil, let bytes = self.inbox.first {
            let step = gate.received(bytes)
            result = step.outcome.map(gate.result)
            var left = 0
            if case .agreed(_, let leftover)? = step.outcome { left = leftover.count }
            let used = bytes.readableBytes - left
            if left > 0 { self.inbox.dropFromFirst(used) } else { _ = self.inbox.popFirst() }
            self.hasTaken(used)
            taken += used
            guard !step.send.isEmpty else { continue }
            // Nobody else writes yet, so it is taken. A peer that has sent data behind its proposal does not wait for our consent,
            // which then leaves with our first data: alone it would cost a write here and a read there, and nobody would be the
            // wiser for it.
            let answer = ByteBuffer(bytes: step.send)
            if left > 0 { try? self.writeLater(answer) } else { try? self.enqueue(answer) }
        }
        if result == nil, let failure = gate.silence(atEnd: atEnd) { result = .failure(.notAgreed(failure)) }
        if result != nil { self.gate = nil }
        // Last: it may end the connection.
        if taken > 0 { self.connection.consumed(self, count: taken) }
        return result
    }

    private func removeGate(_ gate: NegotiationGate, _ result: Result<ProtocolID, StreamError>) {
        self.gate = nil
        gate.finish(result)
        switch result {
        case .success:
            guard case .waiting(let ticket, let continuation) = self.reader else { return }
            self.reader = .none
            self.serve(ticket, continuation, isLate: false)
        case .failure(let error) where !self.isInbound:
            self.connection.reset(self, code: YamuxCode.streamNegotiationFailed, failing: error)
        case .failure: break
        }
    }

    /// Whoever waits does so no longer.
    func failGate(_ error: StreamError) {
        if let gate = self.gate { self.removeGate(gate, .failure(error)) }
    }

    /// The gate as the stream fails, and its outcome: what of the peer's answer had come before counts.
    private func takeGate(
        failing error: StreamError, keepingUnread: Bool
    ) -> (NegotiationGate, Result<ProtocolID, StreamError>)? {
        guard let gate = self.gate else { return nil }
        // A reset says more than the end before it.
        let atEnd = keepingUnread && self.endReceived
        if !self.isInbound, let result = self.show(gate, atEnd: atEnd) { return (gate, result) }
        guard self.gate === gate else { return nil }
        self.gate = nil
        return (gate, .failure(gate.reason(error)))
    }

    // MARK: The end

    /// Whether nothing can happen on this stream any more.
    private(set) var isOver = false
    /// Somebody may still read what is in the inbox.
    private var isHeld = true
    private var onEnding: (@Sendable (StreamEnding) -> Void)?
    private var hasToldServed = false

    /// See `MuxedStream.whenEnding`.
    func whenEnding(_ body: @escaping @Sendable (StreamEnding) -> Void) {
        self.onEnding = body
        self.hasToldServed = false
        self.tellEnding()
    }

    /// The user has closed, reset or dropped the stream.
    func letGo() {
        self.isHeld = false
        self.tellEnding()
    }

    /// Our FIN is behind all that was written.
    func hasFinished() { self.tellEnding() }

    private func tellEnding() {
        guard !self.isHeld else { return }
        if self.isOver {
            self.dropUnread()
            guard let body = self.onEnding else { return }
            self.onEnding = nil
            body(.over)
        } else if self.finishRequested, self.pendingBytes == 0, !self.hasToldServed, let body = self.onEnding {
            self.hasToldServed = true
            body(.served)
        }
    }

    /// Both directions finished in order: unread bytes stay readable.
    func closed() {
        self.isOver = true
        self.tellEnding()
    }

    /// The stream is gone; everyone who waits learns of it.
    /// - Parameter keepingUnread: what arrived before can still be read: right when the connection ends, wrong for a reset.
    /// - Returns: the bytes that will not be sent.
    func fail(_ error: StreamError, keepingUnread: Bool) -> Int {
        let gate = self.takeGate(failing: error, keepingUnread: keepingUnread)
        var error = error
        if case .failure(let reason)? = gate?.1 { error = reason }
        let unsent = self.pendingBytes
        self.isOver = true
        if self.failure == nil { self.failure = error }
        if !keepingUnread {
            self.endReceived = false
            self.dropUnread()
        }
        self.outbox.removeAll()
        self.pendingBytes = 0
        self.accepted.subtract(unsent, ordering: .relaxed)
        self.requestFinish()
        if let (gate, result) = gate { gate.finish(result) }
        if let observer = self.observer {
            self.observer = nil
            observer.streamIsReadable()
        }
        if case .waiting(_, let continuation) = self.reader {
            self.reader = .none
            continuation.resume(throwing: error)
        }
        if case .waiting(_, let continuation) = self.writer {
            self.writer = .none
            continuation.resume(throwing: error)
        }
        self.tellEnding()
        return unsent
    }
}
