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
    /// Requests at a time: of all visitors, and of one.
    static let limits = HandlerLimits(streams: 512, streamsPerPeer: 64)

    let folder: SiteFolder
    let label: String
    let logger: Logger

    /// Answers both protocols on a node.
    func register(on node: Node) {
        node.setHandler(for: ProtocolID(SiteProtocol.siteID), limits: relayed(SiteService.limits)) { await serve($0) }
        node.setHandler(
            for: ProtocolID(SiteProtocol.contentID), limits: relayed(HandlerLimits(streams: 512, streamsPerPeer: 16))
        ) { stream in
            // A visitor that has gone before its answer misses nothing.
            try? await stream.write(ByteBuffer(bytes: SiteProtocol.labelLine(label)))
            await stream.close()
        }
    }

    private func relayed(_ limits: HandlerLimits) -> HandlerLimits {
        var limits = limits
        limits.allowsLimitedConnection = true
        return limits
    }

    private func serve(_ stream: P2PStream) async {
        do {
            try await StallWatch.run(limit: SiteService.patience, onStall: { stream.reset() }) { watch in
                try await answer(stream, watch)
            }
            await stream.close()
        } catch {
            logger.debug(
                "site request ended early",
                metadata: ["peer": "\(stream.remotePeer)", "reason": "\(String(describing: error).prefix(200))"])
            stream.reset()
        }
    }

    private func answer(_ stream: P2PStream, _ watch: StallWatch) async throws {
        // Upstream closes without an answer when the line has no end.
        guard let line = try await stream.readLine(max: SiteProtocol.maximumRequestLine) else { return }
        watch.progressed()
        let chunks: SiteFileChunks
        do throws(SiteError) {
            let path = try SiteProtocol.path(inRequest: line.readableBytesView)
            chunks = try await SiteFileChunks.open(path, in: folder)
        } catch {
            return try await stream.write(ByteBuffer(bytes: SiteProtocol.errorLine(error)))
        }
        let deadline = ContinuousClock.now + SiteService.maximumDuration
        var head = ByteBuffer(bytes: SiteProtocol.headLine(chunks.file.head))
        if chunks.file.head.size == 0 { return try await stream.write(head) }
        var isFirst = true
        for try await var chunk in chunks {
            if isFirst {
                // Head and first bytes travel together.
                head.writeBuffer(&chunk)
                chunk = head
                isFirst = false
            }
            try await stream.write(chunk)
            watch.progressed()
            guard ContinuousClock.now < deadline else { throw SiteError(kind: .timedOut) }
        }
    }
}
