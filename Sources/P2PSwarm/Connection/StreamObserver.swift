package import NIOCore
package import P2PCore

/// Serves a stream on its connection's event loop, by calls instead of by a task that waits.
///
/// The way of those who move bytes between two sockets of one loop: nothing is allocated, scheduled or resumed between
/// the arrival of bytes and their departure. Everything else reads and writes through `MuxedStream`'s async methods; a
/// stream has either an observer or readers and writers.
package protocol StreamObserver: AnyObject {
    /// `readNow` has something: bytes, the end, or the stream's failure. Said once for all that came in one read of the
    /// socket; whoever leaves bytes in the stream comes back by itself.
    func streamIsReadable()
    /// There is room again, after a `writeNow` that said otherwise.
    func streamIsWritable()
}

/// All on the connection's event loop, in the callbacks of an observer or beside them.
extension MuxedStream {
    /// Sets or takes away the observer. The stream keeps it alive until then, or until the stream has failed.
    package func observe(_ observer: (any StreamObserver)?) {
        self.onLoopNow { $0.observe(observer) }
    }

    /// Takes what has arrived; the peer gets credit for it.
    package func readNow() throws(StreamError) -> StreamReading<ByteBuffer> {
        try self.onLoopNow { state throws(StreamError) in try state.readNow() }
    }

    /// Queues bytes, to leave with `flushNow`, or with whatever the connection sends next.
    ///
    /// - Returns: whether there is room for more. If not, `streamIsWritable` follows; bytes written all the same are queued.
    package func writeNow(_ bytes: ByteBuffer) throws(StreamError) -> Bool {
        try self.onLoopNow { state throws(StreamError) in try state.writeNow(bytes) }
    }

    /// Queues bytes that the peer does not wait for: they leave with the next of this stream, before its end, once a reader waits,
    /// or alone after `YamuxConfiguration.acknowledgementDelay`.
    package func writeLater(_ bytes: ByteBuffer) throws(StreamError) {
        try self.onLoopNow { state throws(StreamError) in try state.writeLater(bytes) }
    }

    /// Sends what is queued on the connection.
    package func flushNow() { self.onLoopNow { $0.connection.flushUnlessReceiving() } }

    /// Our end, behind what is queued.
    package func finishNow() throws(StreamError) {
        try self.onLoopNow { state throws(StreamError) in try state.connection.finish(state) }
    }
}
