import GoopCore
import LibP2P
import NIOCore

/// Asks a peer for its label: proves that it answers, not only that a connection seems to stand.
struct Probe: Sendable {
    let node: Node
    let timeout: Duration

    /// The label.
    /// - Throws: `P2PError`, or `SiteError` if the answer takes too long.
    @discardableResult
    func run(_ peer: PeerID) async throws -> String {
        let started = ContinuousClock.now
        var options = StreamOptions()
        options.timeout = timeout
        options.allowsLimitedConnection = true
        let stream = try await node.openStream(
            to: peer, protocols: [ProtocolID(SiteProtocol.contentID)], options: options)
        defer { stream.reset() }
        let left = max(.milliseconds(100), timeout - (ContinuousClock.now - started))
        return try await StallWatch.run(limit: left, onStall: { stream.reset() }) { _ in
            try await stream.closeWrite()
            let line = try await stream.readLine(max: SiteProtocol.maximumLabelLine)
            return SiteProtocol.label(inLine: line?.readableBytesView ?? ByteBufferView())
        }
    }
}
