import NIOCore
import NIOSSL
import NIOTLS
import P2PCore
import PeerIdentity

/// Sits behind the TLS handler and says once who the peer is.
///
/// Bound to one event loop: the verification callback and all events come on it.
final class TLSHandshakeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private var established: ((TLSEstablished) -> Void)?
    private var isEstablished = false
    private var peerKey: PublicKey?
    private var refusal: (any Error)?

    init(established: @escaping (TLSEstablished) -> Void) {
        self.established = established
    }

    /// The peer's certificate was accepted; the handshake itself is not over.
    func verified(_ key: PublicKey) {
        peerKey = key
    }

    /// The peer's certificate was refused; the TLS handler is about to fail.
    func refused(_ error: any Error) {
        refusal = error
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case TLSUserEvent.handshakeCompleted(let applicationProtocol)? = event as? TLSUserEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        guard let peerKey, let established else {
            context.fireErrorCaught(UpgradeError.tls(.certificateCount(0)))
            context.close(promise: nil)
            return
        }
        self.established = nil
        isEstablished = true
        established(TLSEstablished(peerKey: peerKey, applicationProtocol: applicationProtocol))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Many peers just close. Nothing can be cut off unseen: the muxer marks the end of each stream itself.
        if isEstablished, case .uncleanShutdown? = error as? NIOSSLError { return }
        guard let refusal else { return context.fireErrorCaught(error) }
        self.refusal = nil
        if let refusal = refusal as? TLSIdentityError {
            context.fireErrorCaught(UpgradeError.tls(refusal))
        } else {
            context.fireErrorCaught(refusal)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        established = nil
    }
}
