public import NIOCore
public import P2PCore
public import PeerIdentity

/// Ordered, reliable bytes in both directions: what a connection is built on.
///
/// A TCP channel is one (`ConnectionHandler`), a relayed stream can be another. Everything here happens on `eventLoop`.
/// The pipe reports to its `BytePipeReceiver`, which it keeps alive until `pipeClosed`.
public protocol BytePipe: AnyObject {
    /// Where all calls are made, in both directions.
    var eventLoop: any EventLoop { get }
    /// Whether more bytes should be written now. Writing all the same is allowed and is queued.
    var isWritable: Bool { get }
    /// Written bytes that are not on their way yet, as far as the pipe knows: while it falls, a pipe that is not writable
    /// is not given up.
    var unsentBytes: Int { get }
    /// Sends bytes, at once.
    func writeAndFlush(_ bytes: ByteBuffer)
    /// Ends our direction once everything written is out.
    func closeOutput()
    /// Ends both directions; unsent bytes may be lost. `pipeClosed` follows.
    func close()
    /// Puts a TLS layer under everything written from now on and feeds it `leftover` as if just received.
    /// - Parameters:
    ///   - presumption: what stands between the TLS layer and the peer until the peer has agreed to TLS; nil if it has.
    ///   - established: called once, on the event loop, before any opened byte is reported.
    /// - Throws: when this pipe cannot carry TLS.
    func startTLS(
        _ provider: any TLSProvider, role: ConnectionRole, expectedPeer: PeerID?, muxers: [ProtocolID],
        presumption: TLSPresumption?, leftover: ByteBuffer, established: @escaping (TLSEstablished) -> Void
    ) throws
}

extension BytePipe {
    /// Unknown.
    public var unsentBytes: Int { 0 }
}

/// Who hears what a `BytePipe` delivers. All calls come on the pipe's event loop.
public protocol BytePipeReceiver: AnyObject {
    /// The pipe is open.
    func pipeOpened()
    /// Bytes arrived.
    func pipeReceived(_ bytes: ByteBuffer)
    /// No more bytes for now: the moment to send what was gathered.
    func pipeReceiveCompleted()
    /// `isWritable` changed.
    func pipeWritabilityChanged()
    /// The peer ended its direction.
    func pipeInputClosed()
    /// Both directions are over. Nothing follows.
    func pipeClosed(_ error: (any Error)?)
}
