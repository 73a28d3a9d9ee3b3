import NIOCore
import NIOEmbedded
import P2PSwarm

/// An engine of ours and a peer that answers nothing by itself, on one virtual loop.
final class VirtualSiege {
    let loop = EmbeddedEventLoop()
    let pipe: MemoryPipe
    let peer: HostilePeer
    var receiver: (any BytePipeReceiver)?
    private(set) var connection: MuxedConnection?
    private(set) var reason: CloseReason?
    private var accepted: AsyncStream<MuxedStream>

    init(_ configure: (inout ConnectionConfiguration) -> Void = { _ in }) throws {
        let (configuration, accepted, _) = try ConnectionPair.configuration(configure)
        self.accepted = accepted
        let link = MemoryPipe.Link(pieceBytes: .max, breaksAfter: .max)
        self.pipe = MemoryPipe(self.loop, link)
        let far = MemoryPipe(self.loop, link)
        self.peer = HostilePeer(pipe: far)
        let address = ConnectionPair.address(nil)
        let (receiver, connection) = MuxedConnection.upgrade(
            self.pipe, role: .responder, localAddress: address, remoteAddress: address,
            configuration: configuration, keys: ConnectionPair.keys())
        self.receiver = receiver
        self.pipe.receiver = receiver
        far.receiver = self.peer
        self.pipe.other = far
        far.other = self.pipe
        connection.assumeIsolated().whenSuccess { self.connection = $0 }
        connection.flatMap(\.closeFuture).assumeIsolated().whenSuccess { self.reason = $0 }
        receiver.pipeOpened()
        self.peer.pipeOpened()
        self.loop.run()
    }
}
