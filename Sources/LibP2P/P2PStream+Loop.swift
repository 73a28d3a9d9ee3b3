package import NIOCore
package import P2PSwarm
import Synchronization

package typealias StreamObserver = P2PSwarm.StreamObserver

/// What `P2PStream.readNow` found.
package enum StreamReading {
    case bytes(ByteBuffer)
    case end
    case nothingYet
}

/// Streams without tasks, see `StreamObserver`: all on the event loop of the stream's connection, but for `closeNow`.
extension P2PStream {
    /// Where everything here has to be called.
    package var eventLoop: any EventLoop { self.muxed.connection.eventLoop }

    /// Sets or takes away the observer. A lazily opened stream sends its proposal with the next flush: the peer works on it
    /// while the first data is on its way here.
    package func observe(_ observer: (any StreamObserver)?) {
        self.muxed.observe(observer)
        guard observer != nil, let open = self.state.withLock({ $0.negotiation }) else { return }
        let deadline = StreamDeadline(self.muxed, after: open.timeout, .negotiation)
        self.state.withLock { $0.deadline = deadline }
        // A stream that has failed says so at the first read.
        if let proposal = self.takeProposal() { _ = try? self.muxed.writeNow(ByteBuffer(bytes: proposal)) }
    }

    /// Takes what has arrived, see `MuxedStream.readNow`.
    package func readNow() throws(P2PError) -> StreamReading {
        while true {
            if let ready = self.takeUnread() { return .bytes(ready) }
            let reading: P2PSwarm.StreamReading
            do { reading = try self.muxed.readNow() } catch { throw self.translated(error) }
            let isSettled = self.state.withLock { $0.negotiation == nil }
            switch reading {
            case .nothingYet: return .nothingYet
            case .end where isSettled: return .end
            case .end: throw self.error(.endOfStream, "closed before the protocol was agreed on")
            case .bytes(let bytes) where isSettled: return .bytes(bytes)
            case .bytes(let bytes):
                if try self.isSettled(by: bytes) { self.cancelDeadline() }
            }
        }
    }

    /// Queues bytes, see `MuxedStream.writeNow`.
    package func writeNow(_ bytes: ByteBuffer) throws(P2PError) -> Bool {
        do { return try self.muxed.writeNow(bytes) } catch { throw self.translated(error) }
    }

    /// Sends what is queued.
    package func flushNow() { self.muxed.flushNow() }

    /// Our end, behind what is queued.
    package func finishNow() throws(P2PError) {
        do { try self.muxed.finishNow() } catch { throw self.translated(error) }
    }

    /// As `close`, on any thread. A lazily opened stream has sent its proposal before.
    /// - Parameter patience: see `MuxedStream.closeNow`.
    package func closeNow(patience: Duration? = nil) {
        self.muxed.closeNow(patience: patience)
        self.cancelDeadline()
        self.dropUnread()
    }
}
