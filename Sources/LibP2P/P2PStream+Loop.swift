package import NIOCore
package import P2PSwarm

package typealias StreamObserver = P2PSwarm.StreamObserver

/// Streams without tasks, see `StreamObserver`: all on the event loop of the stream's connection, but for `closeNow`.
extension P2PStream {
    /// Where everything here has to be called.
    package var eventLoop: any EventLoop { self.muxed.connection.eventLoop }

    /// Sets or takes away the observer. A lazily opened stream sends its proposal with the next flush: the peer works on it
    /// while the first data is on its way here.
    package func observe(_ observer: (any StreamObserver)?) { self.muxed.observe(observer) }

    /// Takes what has arrived, see `MuxedStream.readNow`.
    package func readNow() throws(P2PError) -> StreamReading<ByteBuffer> {
        if let ready = self.takeUnread() { return .bytes(ready) }
        do { return try self.muxed.readNow() } catch { throw P2PError(stream: error, peer: self.remotePeer) }
    }

    /// Queues bytes, see `MuxedStream.writeNow`.
    package func writeNow(_ bytes: ByteBuffer) throws(P2PError) -> Bool {
        do { return try self.muxed.writeNow(bytes) } catch { throw P2PError(stream: error, peer: self.remotePeer) }
    }

    /// Sends what is queued.
    package func flushNow() { self.muxed.flushNow() }

    /// Our end, behind what is queued.
    package func finishNow() throws(P2PError) {
        do { try self.muxed.finishNow() } catch { throw P2PError(stream: error, peer: self.remotePeer) }
    }

    /// As `close`, on any thread.
    /// - Parameter patience: see `MuxedStream.closeNow`.
    package func closeNow(patience: Duration? = nil) {
        self.muxed.closeNow(patience: patience)
        self.dropUnread()
    }
}
