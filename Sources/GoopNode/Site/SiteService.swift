import GoopCore
import LibP2P
import Logging
import NIOCore

/// Serves this peer's site and label to other peers.
struct SiteService: Sendable {
    /// How long a visitor may take to send its request, and between two moments at which it takes bytes.
    static let patience = Duration.seconds(20)
    /// How long one answer may take in all.
    static let maximumDuration = Duration.seconds(30 * 60)
    /// Requests that are answered at a time, and as many that are read; further ones, of all visitors or beyond somebody's
    /// share, hear "busy".
    static let shares = Shares(total: 512, perPeer: 128, floor: 4)
    /// Streams of one visitor at a time; further ones are reset.
    static let streamsPerPeer = 256

    let folder: SiteFolder
    private let label: @Sendable () -> String
    let door: SiteDoor
    let logger: Logger
    private let patience: Duration
    private let tags: ContentTags
    private let admission: Admission

    /// - Parameter label: taken anew with each answer, for the owner may change it.
    init(
        folder: SiteFolder, tags: ContentTags = ContentTags(), label: @autoclosure @escaping @Sendable () -> String,
        door: SiteDoor, logger: Logger,
        shares: Shares = SiteService.shares, patience: Duration = SiteService.patience
    ) {
        self.folder = folder
        self.tags = tags
        self.label = label
        self.door = door
        self.logger = logger
        self.patience = patience
        admission = Admission(shares)
    }

    /// Answers the three protocols on a node.
    func register(on node: Node) {
        let limits = relayed(.shared(perPeer: SiteService.streamsPerPeer))
        node.setHandler(for: ProtocolID(SiteProtocol.querySiteID), limits: limits) { stream in
            await serve(stream, refusal: SiteHead.refusal) { try await answerQuery(stream, $0, $1) }
        }
        node.setHandler(for: ProtocolID(SiteProtocol.siteID), limits: limits) { stream in
            await serve(stream, refusal: SiteProtocol.errorLine) { try await answerLine(stream, $0, $1) }
        }
        // Nothing is waited for here: a stream has gone as soon as the label has.
        node.setHandler(for: ProtocolID(SiteProtocol.contentID), limits: relayed(.shared(perPeer: 16))) { stream in
            // To everyone, also when the site is shown to certain people only: the label is in the presence that all hear,
            // and the answer is how others know that this peer is there. A visitor that has gone misses nothing.
            try? await stream.write(ByteBuffer(bytes: SiteProtocol.labelLine(label())))
            await stream.close()
        }
    }

    private func relayed(_ limits: HandlerLimits) -> HandlerLimits {
        var limits = limits
        limits.allowsLimitedConnection = true
        // Files are opened and read elsewhere; here bytes are moved.
        limits.runsOnEventLoop = true
        return limits
    }

    private func serve(
        _ stream: P2PStream, refusal: (SiteError) -> [UInt8],
        _ answer: @escaping @Sendable (StallWatch, Request) async throws -> Void
    ) async {
        guard let visit = door.enter(stream.remotePeer, .file, showOut: { stream.reset() }) else {
            return await turnAway(stream, refusal(SiteError(kind: .notInvited)))
        }
        defer { door.leave(visit) }
        guard let turn = admission.turn(for: stream.holder) else {
            return await turnAway(stream, refusal(SiteError(kind: .busy)))
        }
        defer { turn.end() }
        do {
            try await StallWatch.run(limit: patience, onStall: { stream.reset() }) { watch in
                try await answer(watch, Request(visit: visit, turn: turn))
            }
            await stream.close()
        } catch {
            logger.debug(
                "site request ended early",
                metadata: ["peer": "\(stream.remotePeer)", "reason": "\(String(describing: error).prefix(200))"])
            stream.reset()
        }
    }

    /// Says why there is no answer. It has no place, so it must not last: a visitor may take not even this.
    private func turnAway(_ stream: P2PStream, _ refusal: [UInt8]) async {
        // A visitor that has gone before this answer misses nothing.
        try? await StallWatch.run(limit: patience, onStall: { stream.reset() }) { _ in
            try await stream.write(ByteBuffer(bytes: refusal))
        }
        await stream.close()
    }

    /// Somebody who was let in, and has a place.
    private struct Request: Sendable {
        let visit: SiteDoor.Visit
        let turn: Admission.Turn
    }

    /// The visitor has said what it wants.
    private func hasAsked(for path: String, _ request: Request) throws(SiteError) {
        guard request.turn.hasAsked() else { throw SiteError(kind: .busy) }
        door.asked(path, in: request.visit)
    }

    /// `/goop/site/2.0.0`.
    private func answerQuery(_ stream: P2PStream, _ watch: StallWatch, _ request: Request) async throws {
        let chunks: SiteFileChunks
        do throws(SiteError) {
            guard let query = try await query(from: stream) else { return }
            watch.progressed()
            try hasAsked(for: query.path, request)
            chunks = try await SiteFileChunks.answer(query, in: folder, tags: tags)
        } catch {
            return try await stream.write(ByteBuffer(bytes: SiteHead.refusal(error)))
        }
        try await send(chunks, behind: chunks.head.encoded, on: stream, watch)
    }

    /// The query on a stream; nil if the visitor went before it was complete.
    private func query(from stream: P2PStream) async throws(SiteError) -> SiteQuery? {
        var reader = SiteMessageReader(limit: SiteQuery.maximumBytes)
        while let bytes = try? await stream.read() {
            do throws(SiteError) {
                if let (message, _) = try reader.received(Array(bytes.readableBytesView)[...]) {
                    return try SiteQuery(decoding: message)
                }
            } catch {
                throw SiteError(kind: .badRequest, detail: error.detail)
            }
        }
        return nil
    }

    /// `/goop/site/1.0.0`.
    private func answerLine(_ stream: P2PStream, _ watch: StallWatch, _ request: Request) async throws {
        // Upstream closes without an answer when the line has no end.
        guard let line = try await stream.readLine(max: SiteProtocol.maximumRequestLine) else { return }
        watch.progressed()
        let chunks: SiteFileChunks
        do throws(SiteError) {
            let path = try SiteProtocol.path(inRequest: line.readableBytesView)
            try hasAsked(for: path, request)
            chunks = try await SiteFileChunks.open(path, in: folder)
        } catch {
            return try await stream.write(ByteBuffer(bytes: SiteProtocol.errorLine(error)))
        }
        try await send(chunks, behind: SiteProtocol.headLine(chunks.head), on: stream, watch)
    }

    private func send(
        _ chunks: SiteFileChunks, behind head: [UInt8], on stream: P2PStream, _ watch: StallWatch
    ) async throws {
        let deadline = ContinuousClock.now + SiteService.maximumDuration
        var head: ByteBuffer? = ByteBuffer(bytes: head)
        for try await var chunk in chunks {
            if var first = head {
                // Head and first bytes travel together.
                first.writeBuffer(&chunk)
                chunk = first
                head = nil
            }
            try await stream.write(chunk)
            watch.progressed()
            guard ContinuousClock.now < deadline else { throw SiteError(kind: .timedOut) }
        }
        if let head { try await stream.write(head) }
    }
}
