import GoopCore
import GoopHTTP
import LibP2P
import NIOCore

/// Fetches files of other peers' sites: by `/goop/site/2.0.0` where the peer speaks it, else by upstream's protocol.
struct SiteClient: Sendable {
    /// How long the head of an answer may take, connecting included.
    var answerTimeout = Duration.milliseconds(4700)
    /// The longest pause within a body.
    var patience = Duration.seconds(20)
    /// The largest file that is accepted by upstream's protocol, in bytes.
    var maximumFileBytes = SiteProtocol.maximumFileBytes

    /// The reset code of a peer that has no room for another stream.
    private static let resourceLimitCode: UInt32 = 0x1002
    /// Ours first.
    private static let protocols = [ProtocolID(SiteProtocol.querySiteID), ProtocolID(SiteProtocol.siteID)]

    let node: Node

    /// Opens a whole file; a folder means its index, and a page that says "not found" is not a file.
    func open(_ path: SitePath, of peer: PeerID) async throws(SiteError) -> SiteBody {
        let body = try await open(SiteQuery(path.description), of: peer)
        switch body.head.status {
        case .whole: return body
        case .folder where !path.namesFolder:
            body.discard()
            return try await open(try SitePath("\(path)/"), of: peer)
        default:
            body.discard()
            throw SiteError(kind: body.head.status == .missing ? .notFound : .protocolViolation)
        }
    }

    /// Sends a query: connects if needed, asks, and reads the head.
    ///
    /// A peer that speaks upstream's protocol only gives the whole file whatever part is asked for, and never a tag.
    func open(_ query: SiteQuery, of peer: PeerID) async throws(SiteError) -> SiteBody {
        let path = try SitePath(query.path)
        let started = ContinuousClock.now
        do {
            return try await ask(query, path: path, of: peer, negotiation: .automatic, started: started)
        } catch let error as P2PError where error.code == .protocolNotSupported {
            // What the peer was known to speak it speaks no longer; now it is asked first.
            do {
                return try await ask(query, path: path, of: peer, negotiation: .eager, started: started)
            } catch {
                throw SiteClient.siteError(error, peer: peer, elapsed: ContinuousClock.now - started)
            }
        } catch {
            throw SiteClient.siteError(error, peer: peer, elapsed: ContinuousClock.now - started)
        }
    }

    private func ask(
        _ query: SiteQuery, path: SitePath, of peer: PeerID, negotiation: StreamOptions.Negotiation,
        started: ContinuousClock.Instant
    ) async throws -> SiteBody {
        var options = StreamOptions()
        options.timeout = max(.milliseconds(200), answerTimeout - (ContinuousClock.now - started))
        options.allowsLimitedConnection = true
        options.negotiation = negotiation
        // From the first byte to the head on the loop of the connection, if there is one: one change of thread there, one
        // back, and none where the caller is on that loop already.
        return try await withTaskExecutorPreference(node.executor(for: peer)) {
            let stream = try await node.openStream(to: peer, protocols: SiteClient.protocols, options: options)
            do {
                let left = max(.milliseconds(200), answerTimeout - (ContinuousClock.now - started))
                let isQuery = stream.protocol == SiteClient.protocols[0]
                return try await StallWatch.run(limit: left, onStall: { stream.reset() }) { _ in
                    isQuery
                        ? try await askByQuery(query, on: stream) : try await askByLine(path, query.method, on: stream)
                }
            } catch {
                stream.reset()
                throw error
            }
        }
    }

    private func askByQuery(_ query: SiteQuery, on stream: P2PStream) async throws -> SiteBody {
        try await stream.write(ByteBuffer(bytes: query.encoded))
        var reader = SiteAnswerReader(method: query.method)
        while var bytes = try await stream.read() {
            // No more is copied than a head can have; what is behind it stays where it is.
            let front = bytes.readableBytesView.prefix(SiteHead.maximumBytes + 16)
            guard let (head, consumed) = try reader.headReceived(Array(front)[...]) else { continue }
            bytes.moveReaderIndex(forwardBy: consumed)
            let isWhole = bytes.readableBytes == reader.left
            // Closed and not reset: a peer counts resets, for they may be an attack.
            if isWhole { stream.closeNow() }
            let chunks = SiteStreamChunks(stream: stream, reader: reader, unread: bytes, patience: patience)
            return SiteBody(
                head: head, chunks: chunks, runs: SiteStreamRuns(chunks: chunks), whole: isWhole ? bytes : nil,
                discard: { if !isWhole { stream.reset() } })
        }
        try reader.ended()
        throw SiteError(kind: .protocolViolation, detail: "the peer closed without an answer")
    }

    private func askByLine(
        _ path: SitePath, _ method: SiteQuery.Method, on stream: P2PStream
    ) async throws -> SiteBody {
        try await stream.write(ByteBuffer(bytes: SiteProtocol.requestLine(path: path)))
        guard let line = try await stream.readLine(max: SiteProtocol.maximumHeadLine) else {
            throw SiteError(kind: .protocolViolation, detail: "the peer closed without an answer")
        }
        let head = try SiteProtocol.head(inLine: line.readableBytesView, limit: maximumFileBytes)
        let reader = SiteAnswerReader(bodyOf: method == .get ? head.size : 0)
        let chunks = SiteStreamChunks(stream: stream, reader: reader, unread: nil, patience: patience)
        return SiteBody(
            head: head, chunks: chunks, runs: SiteStreamRuns(chunks: chunks), discard: { stream.reset() })
    }

    /// What an error of the network means for somebody who wants a page.
    static func siteError(_ error: any Error, peer: PeerID, elapsed: Duration) -> SiteError {
        if let error = error as? SiteError { return error }
        guard let error = error as? P2PError else {
            if error is CancellationError { return SiteError(kind: .timedOut, detail: "no answer in time") }
            return SiteError(kind: .unreachable, detail: String("\(error)".prefix(256)))
        }
        let attempts = error.attempts.prefix(32).map {
            DialFailure(address: $0.place, reason: "\($0.error)", elapsed: $0.elapsed)
        }
        let kind: SiteError.Kind =
            switch error.code {
            case .streamReset where error.resetCode == SiteClient.resourceLimitCode: .busy
            case .timedOut, .streamReset: attempts.isEmpty ? .timedOut : .unreachable
            case .protocolNotSupported: .disabled
            case .protocolViolation, .endOfStream, .tooLong: .protocolViolation
            case .limitReached: .busy
            case .refusedPeer: .blocked
            default: .unreachable
            }
        let detail =
            error.code == .connectionClosed ? SiteError.endedConnection : String(error.message.prefix(256))
        return SiteError(kind: kind, detail: detail, attempts: Array(attempts))
    }
}

/// The body of an answer as it comes from the peer.
///
/// Ends after exactly the announced bytes; fails if the peer ends before, sends nothing for too long, or more.
struct SiteStreamChunks: AsyncSequence, Sendable {
    let stream: P2PStream
    let reader: SiteAnswerReader
    /// What came together with the head.
    let unread: ByteBuffer?
    let patience: Duration

    func makeAsyncIterator() -> Iterator {
        Iterator(stream: stream, patience: patience, reader: reader, unread: unread)
    }

    struct Iterator: AsyncIteratorProtocol {
        let stream: P2PStream
        let patience: Duration
        var reader: SiteAnswerReader
        var unread: ByteBuffer?
        private var isDone = false

        init(stream: P2PStream, patience: Duration, reader: SiteAnswerReader, unread: ByteBuffer?) {
            self.stream = stream
            self.patience = patience
            self.reader = reader
            self.unread = unread
        }

        mutating func next() async throws -> ByteBuffer? { try await next(upTo: 1)?.first }

        /// The next bytes, and with them what else has come, about `limit` bytes in all.
        mutating func next(upTo limit: Int) async throws -> [ByteBuffer]? {
            do {
                guard let run = try await receive(upTo: limit) else {
                    try reader.ended()
                    close()
                    return nil
                }
                for chunk in run { try reader.bodyReceived(chunk.readableBytes) }
                // With the last byte, for who knows the size may not ask for more.
                if reader.left == 0 { close() }
                return run
            } catch {
                stream.reset()
                throw SiteClient.siteError(error, peer: stream.remotePeer, elapsed: .zero)
            }
        }

        private mutating func close() {
            guard !isDone else { return }
            isDone = true
            stream.closeNow()
        }

        private mutating func receive(upTo limit: Int) async throws -> [ByteBuffer]? {
            if let unread, unread.readableBytes > 0 {
                self.unread = nil
                return [unread]
            }
            guard reader.left != 0 else { return nil }
            // Not beyond the last byte: what follows it is none of ours.
            let most = Swift.min(limit, reader.left ?? limit)
            let (stream, patience) = (stream, patience)
            // Where the loop is another, all that has come for one change of thread there and one back.
            let executor: (any TaskExecutor)? = stream.eventLoop.inEventLoop ? nil : stream.executor
            return try await withTaskExecutorPreference(executor) {
                try await StallWatch.run(limit: patience, onStall: { stream.reset() }) { _ in
                    try await stream.readAvailable(upTo: most)
                }
            }
        }
    }
}

/// The same, each time all that has come: one write to the browser for a turn of the loop, not for each frame.
struct SiteStreamRuns: AsyncSequence, Sendable {
    /// Behind so many bytes no further chunk is taken: what a turn of the loop reads at most, and what a browser that stops
    /// reading leaves in memory beside what its connection holds.
    static let mostBytes = 256 * 1024

    let chunks: SiteStreamChunks

    func makeAsyncIterator() -> Iterator { Iterator(chunks: chunks.makeAsyncIterator()) }

    struct Iterator: AsyncIteratorProtocol {
        var chunks: SiteStreamChunks.Iterator

        mutating func next() async throws -> [ByteBuffer]? { try await chunks.next(upTo: SiteStreamRuns.mostBytes) }
    }
}
