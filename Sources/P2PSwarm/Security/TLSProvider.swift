public import NIOCore
public import P2PCore
public import PeerIdentity

/// Makes the TLS layer of a channel.
public protocol TLSProvider: Sendable {
    /// Adds the layer's handlers in front of everything in `pipeline`, on its event loop.
    ///
    /// A failed handshake or a refused certificate is fired as an error through the pipeline.
    /// - Parameters:
    ///   - role: `.initiator` is the TLS client.
    ///   - expectedPeer: the only identity to accept, or nil for any that proves one.
    ///   - muxers: what ALPN offers before `libp2p`, best first.
    ///   - presumption: what stands between the layer and the socket until the peer has agreed to TLS; nil if it has.
    ///   - established: to be called once, on the event loop, before any opened byte is fired on.
    func addHandlers(
        to pipeline: ChannelPipeline.SynchronousOperations, role: ConnectionRole, expectedPeer: PeerID?,
        muxers: [ProtocolID], presumption: TLSPresumption?, established: @escaping (TLSEstablished) -> Void
    ) throws
}
