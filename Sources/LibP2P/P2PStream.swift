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
    public var remotePeer: PeerID { self.connection.peer }
    /// The connection it runs on.
    public let connection: ConnectionInfo
    /// Who opened it.
    public let direction: Direction

    let muxed: MuxedStream
    /// Taken out of the stream and not yet read by the application.
    private let unread: Mutex<ByteBuffer?> = Mutex(nil)

    init(muxed: MuxedStream, protocol: ProtocolID, connection: ConnectionInfo, direction: Direction) {
        self.muxed = muxed
        self.protocol = `protocol`
        self.connection = connection
        self.direction = direction
    }

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
        try await self.read(behind: ByteBuffer(), until: .now().advanced(by: timeout))
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
        if let ready = self.takeUnread() { return ready }
        do {
            guard let deadline else { return try await self.muxed.read() }
            return try await self.muxed.read(until: deadline)
        } catch {
            self.putBack(gathered)
            throw P2PError.translating(error, peer: self.remotePeer)
        }
    }

    // MARK: Writing

    /// Sends bytes; returns once they are on their way or in a bounded buffer, suspends while the peer gives no credit.
    ///
    /// - Throws: `P2PError` with `.streamReset`, `.streamClosed` after `closeWrite`, `.connectionClosed`, `.streamBusy`, or, on a
    ///   lazily opened stream, `.protocolNotSupported`; `CancellationError`, after which part of the bytes may be on their way.
    public nonisolated(nonsending) func write(_ bytes: ByteBuffer) async throws {
        do { try await self.muxed.write(bytes) } catch { throw P2PError.translating(error, peer: self.remotePeer) }
    }

    /// Sends bytes, for instance the `utf8` of a string; else as the other form.
    public nonisolated(nonsending) func write(_ bytes: some Sequence<UInt8> & Sendable) async throws {
        try await self.write(ByteBuffer(bytes: bytes))
    }

    /// Tells the peer that nothing more will come. Reading goes on. A second call changes nothing.
    ///
    /// - Throws: `P2PError` with `.streamReset`, `.connectionClosed`, or, on a lazily opened stream, `.protocolNotSupported`.
    public nonisolated(nonsending) func closeWrite() async throws {
        do { try await self.muxed.closeWrite() } catch { throw P2PError.translating(error, peer: self.remotePeer) }
    }

    // MARK: Ending

    /// Ends the stream in good order: what was written still arrives, what is unread is dropped.
    public nonisolated(nonsending) func close() async { self.closeNow() }

    /// Ends the stream at once, in both directions; what is under way is lost.
    ///
    /// - Parameter code: tells the peer why; libp2p's own codes are 0x1001 to 0x1009.
    public func reset(code: UInt32 = 0) {
        self.muxed.reset(code: code)
        self.dropUnread()
    }

    /// As `reset`, of a stream that the peer opened and that is not taken; see `MuxedStream.refuse`.
    package func refuse(code: UInt32) { self.muxed.refuse(code: code) }

    /// Resets the stream unless cancelled in time.
    func deadline(after time: Duration, _ cause: StreamDeadline.Cause) -> StreamDeadline {
        StreamDeadline(self.muxed, after: time, cause)
    }

    // MARK: Private

    /// What was gathered and put back is held by nobody else.
    func dropUnread() { self.unread.withLock { $0 = nil } }

    func takeUnread() -> ByteBuffer? {
        self.unread.withLock { unread in
            defer { unread = nil }
            return unread
        }
    }

    private func putBack(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        self.unread.withLock { $0 = bytes }
    }

    private func putBack(_ gathered: ByteBuffer, _ next: ByteBuffer) {
        guard gathered.readableBytes > 0 else { return self.putBack(next) }
        var both = gathered
        both.writeImmutableBuffer(next)
        self.putBack(both)
    }

    private func error(_ code: P2PError.Code, _ message: String) -> P2PError {
        P2PError(code, message, peer: self.remotePeer)
    }
}
