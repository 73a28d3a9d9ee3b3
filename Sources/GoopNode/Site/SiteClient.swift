import GoopCore
import GoopHTTP
import LibP2P
import NIOCore

/// Fetches files of other peers' sites.
struct SiteClient: Sendable {
    /// How long the head of an answer may take, connecting included.
    var answerTimeout = Duration.milliseconds(4700)
    /// The longest pause within a body.
    var patience = Duration.seconds(20)
    /// The largest file that is accepted, in bytes.
    var maximumFileBytes = SiteProtocol.maximumFileBytes

    let node: Node

    /// Opens a file: connects if needed, asks, and reads the head.
    func open(_ path: SitePath, of peer: PeerID) async throws(SiteError) -> SiteBody {
        let started = ContinuousClock.now
        let stream: P2PStream
        do {
            var options = StreamOptions()
            options.timeout = answerTimeout
            options.allowsLimitedConnection = true
            stream = try await node.openStream(to: peer, protocols: [ProtocolID(SiteProtocol.siteID)], options: options)
        } catch {
            throw SiteClient.siteError(error, peer: peer, elapsed: ContinuousClock.now - started)
        }
        do {
            let left = max(.milliseconds(200), answerTimeout - (ContinuousClock.now - started))
            let limit = maximumFileBytes
            let line = try await StallWatch.run(limit: left, onStall: { stream.reset() }) { _ in
                try await stream.write(ByteBuffer(bytes: SiteProtocol.requestLine(path: path)))
                return try await stream.readLine(max: SiteProtocol.maximumHeadLine)
            }
            guard let line else {
                throw SiteError(kind: .protocolViolation, detail: "the peer closed without an answer")
            }
            let head = try SiteProtocol.head(inLine: line.readableBytesView, limit: limit)
            return SiteBody(
                head: head, chunks: SiteStreamChunks(stream: stream, size: head.size, patience: patience),
                discard: { stream.reset() })
        } catch {
            stream.reset()
            throw SiteClient.siteError(error, peer: peer, elapsed: ContinuousClock.now - started)
        }
    }

    /// What an error of the network means for somebody who wants a page.
    static func siteError(_ error: any Error, peer: PeerID, elapsed: Duration) -> SiteError {
        if let error = error as? SiteError { return error }
        guard let error = error as? P2PError else {
            if error is CancellationError { return SiteError(kind: .timedOut, detail: "no answer in time") }
            return SiteError(kind: .unreachable, detail: String("\(error)".prefix(256)))
        }
        let attempts = error.attempts.prefix(32).map {
            DialFailure(address: $0.address.description, reason: "\($0.error)", elapsed: $0.elapsed)
        }
        let kind: SiteError.Kind =
            switch error.code {
            case .timedOut, .streamReset: attempts.isEmpty ? .timedOut : .unreachable
            case .protocolNotSupported: .disabled
            case .protocolViolation, .endOfStream, .tooLong: .protocolViolation
            case .limitReached: .busy
            default: .unreachable
            }
        return SiteError(kind: kind, detail: String(error.message.prefix(256)), attempts: Array(attempts))
    }
}

/// The body of an answer as it comes from the peer.
///
/// Ends after exactly the announced bytes; fails if the peer ends before, sends nothing for too long, or more.
struct SiteStreamChunks: AsyncSequence, Sendable {
    let stream: P2PStream
    let size: Int
    let patience: Duration

    func makeAsyncIterator() -> Iterator { Iterator(stream: stream, left: size, patience: patience) }

    struct Iterator: AsyncIteratorProtocol {
        let stream: P2PStream
        var left: Int
        let patience: Duration
        private var isDone = false

        init(stream: P2PStream, left: Int, patience: Duration) {
            self.stream = stream
            self.left = left
            self.patience = patience
        }

        mutating func next() async throws -> ByteBuffer? {
            guard left > 0 else {
                if !isDone {
                    isDone = true
                    await stream.close()
                }
                return nil
            }
            do {
                let watchdog = Task { [stream, patience] in
                    try await Task.sleep(for: patience)
                    stream.reset()
                }
                defer { watchdog.cancel() }
                guard let chunk = try await stream.read() else {
                    throw SiteError(
                        kind: .protocolViolation, detail: "the peer ended \(left) bytes before the file's end")
                }
                guard chunk.readableBytes <= left else {
                    throw SiteError(kind: .protocolViolation, detail: "the peer sent more bytes than it announced")
                }
                left -= chunk.readableBytes
                return chunk
            } catch {
                stream.reset()
                throw SiteClient.siteError(error, peer: stream.remotePeer, elapsed: .zero)
            }
        }
    }
}
