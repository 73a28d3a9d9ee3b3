import GoopCore
import LibP2P
import Logging
import NIOCore

/// Gives the owner's picture to whoever asks: `/goop/avatar/1.0.0`.
///
/// To everyone who may connect, as the label is: its hash is in the presence that all hear. Whom the owner has blocked cannot
/// connect.
struct AvatarService: Sendable {
    /// Streams at a time: of all peers, and of one; further ones are reset.
    static let limits = HandlerLimits(streams: 256, streamsPerPeer: 2)
    /// How long a peer may take for each piece.
    static let patience = Duration.seconds(20)
    /// Bytes of a piece.
    static let pieceBytes = 64 * 1024

    let own: OwnAvatar
    let logger: Logger

    /// Answers on a node.
    func register(on node: Node) {
        var limits = AvatarService.limits
        limits.allowsLimitedConnection = true
        // The picture is in memory; here bytes are moved.
        limits.runsOnEventLoop = true
        node.setHandler(for: ProtocolID(AvatarProtocol.id), limits: limits) { await answer($0) }
    }

    private func answer(_ stream: P2PStream) async {
        let avatar = own.current
        var rest = ByteBuffer(
            bytes: AvatarProtocol.line(avatar.map { .picture(size: $0.bytes.count) } ?? .none)
                + (avatar?.bytes ?? []))
        do {
            try await StallWatch.run(limit: AvatarService.patience, onStall: { stream.reset() }) { watch in
                while let piece = rest.readSlice(length: min(rest.readableBytes, AvatarService.pieceBytes)),
                    piece.readableBytes > 0
                {
                    try await stream.write(piece)
                    watch.progressed()
                }
            }
            await stream.close()
        } catch {
            logger.debug(
                "a picture was not taken",
                metadata: ["peer": "\(stream.remotePeer)", "reason": "\(String(describing: error).prefix(200))"])
            stream.reset()
        }
    }
}
