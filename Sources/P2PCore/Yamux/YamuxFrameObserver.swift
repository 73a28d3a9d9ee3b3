public import PeerIdentity

/// Hears of every frame of one connection, for a capture.
///
/// Called on the connection's event loop, between the wire and the machine: to be brief, and never to block. Frames of one
/// stream come in the order of the wire; one that is sent is told of when it is queued for the socket, which of two streams'
/// frames goes first may differ. Payload may come in pieces, each behind its frame, and is valid during the call only.
/// Payload of streams that are not there (any more) is not told of.
public protocol YamuxFrameObserver: AnyObject {
    /// A frame's header arrived; nothing of it has been judged yet.
    func received(_ header: YamuxHeader)
    /// Payload arrived.
    func received(_ payload: UnsafeRawBufferPointer, on stream: UInt32)
    /// A frame goes out.
    func sent(_ header: YamuxHeader)
    /// Payload goes out.
    func sent(_ payload: UnsafeRawBufferPointer, on stream: UInt32)
}

/// Makes the observer of a new connection, on its event loop.
public typealias YamuxFrameObserverFactory =
    @Sendable (_ peer: PeerID, _ role: ConnectionRole) ->
    any YamuxFrameObserver
