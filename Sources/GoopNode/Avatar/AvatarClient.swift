import GoopCore
import LibP2P
import NIOCore

/// Asks a peer for its picture, and takes nothing but the one it has announced.
struct AvatarClient: Sendable {
    /// How long connecting and opening may take.
    var answerTimeout = Duration.milliseconds(4700)
    /// The longest pause.
    var patience = Duration.seconds(5)
    /// How long the whole answer may take, however it trickles.
    var maximumDuration = Duration.seconds(10)

    let node: Node

    /// The picture with this hash.
    /// - Throws: `AvatarFault`, or `P2PError` if the peer cannot be asked.
    func fetch(_ hash: String, of peer: PeerID) async throws -> Avatar {
        var options = StreamOptions()
        options.timeout = answerTimeout
        options.allowsLimitedConnection = true
        let stream = try await node.openStream(to: peer, protocols: [ProtocolID(AvatarProtocol.id)], options: options)
        do {
            // The outer watch is never told of progress: it is the deadline.
            let bytes = try await StallWatch.run(limit: maximumDuration, onStall: { stream.reset() }) { deadline in
                try await StallWatch.run(limit: patience, onStall: { stream.reset() }) { watch in
                    do { return try await read(stream, watch) } catch {
                        if watch.hasStalled || deadline.hasStalled { throw AvatarFault.timedOut }
                        throw error
                    }
                }
            }
            let avatar = try Avatar(bytes)
            guard avatar.hash == hash else { throw AvatarFault.wrongHash }
            stream.closeNow()
            return avatar
        } catch {
            stream.reset()
            throw error
        }
    }

    private func read(_ stream: P2PStream, _ watch: StallWatch) async throws -> [UInt8] {
        try await stream.closeWrite()
        guard let line = try await stream.readLine(max: AvatarProtocol.maximumHeadLine) else {
            throw AvatarFault.malformed
        }
        watch.progressed()
        guard case .picture(let size) = try AvatarProtocol.head(inLine: line.readableBytesView) else {
            throw AvatarFault.none
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(size)
        while bytes.count < size {
            guard let chunk = try await stream.read(), bytes.count + chunk.readableBytes <= size else {
                throw AvatarFault.malformed
            }
            bytes += chunk.readableBytesView
            watch.progressed()
        }
        return bytes
    }
}
