public import PeerIdentity

/// Hears of every frame of one connection, for a capture.
///
/// Called on the connection's event loop, between the wire and the machine: to be brief, and never to block. Frames of one
/// stream come in the order of the wire; one that is sent is told of when it is queued for the socket, so that of two
/// streams' frames either may go first. Payload is that of the last data frame in its direction, may come in pieces, and is
/// valid during the call only.
public protocol YamuxFrameObserver: AnyObject {
    /// A frame's header arrived; nothing of it has been judged yet.
    func received(_ header: YamuxHeader)
    /// Payload arrived, whether or not its stream is there (any more).
    func received(_ payload: UnsafeRawBufferPointer)
    /// A frame goes out.
    func sent(_ header: YamuxHeader)
    /// Payload goes out.
    func sent(_ payload: UnsafeRawBufferPointer)
}

/// Makes the observer of a new connection, on its event loop.
public typealias YamuxFrameObserverFactory =
    @Sendable (_ peer: PeerID, _ role: ConnectionRole) ->
    any YamuxFrameObserver
