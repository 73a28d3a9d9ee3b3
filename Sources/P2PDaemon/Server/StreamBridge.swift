import LibP2P
import NIOCore

/// Carries the bytes between a client's connection and a peer's stream that is on another event loop: who has come in a crowd is
/// (`Swarm`, strangers in a crowd). As `StreamRelay`, which is for one loop, but by tasks that wait.
///
/// Each direction is closed on its own, and an error on either side ends both. What waits is one piece of the peer's, and what one
/// turn of the client's channel has read: it is read again when that is written.
final class StreamBridge: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let stream: P2PStream
    /// The channel's.
    private let loop: any EventLoop
    private var context: ChannelHandlerContext?
    /// Of the client, not yet with the stream.
    private var waiting = ByteBuffer()
    private var isWriting = false
    private var readIsHeld = false
    /// The client will send nothing more.
    private var clientHasEnded = false
    /// The peer knows that.
    private var hasFinished = false
    private var peerHasEnded = false
    /// The client is gone, and what it sent last is still under way.
    private var goesOnAlone = false
    private var isOver = false
    private var reader: Task<Void, Never>?

    /// - Parameters:
    ///   - stream: the bridge's from now on.
    ///   - loop: the channel's.
    init(_ stream: P2PStream, loop: any EventLoop) {
        self.stream = stream
        self.loop = loop
    }

    /// Begins, on a channel that is active.
    ///
    /// - Parameters:
    ///   - head: goes to the client before the stream's bytes.
    ///   - first: what the client had sent before the channel became a stream.
    func begin(head: ByteBuffer, first: ByteBuffer) {
        guard let context, !isOver else { return end { $0.reset() } }
        context.writeAndFlush(wrapOutboundOut(head), promise: nil)
        forward(first)
        let (stream, channel, loop) = (stream, context.channel, loop)
        let bound = NIOLoopBound(self, eventLoop: loop)
        reader = Task {
            do {
                // Of a client that is gone its channel's end tells; what the peer still sends must not keep its last bytes back.
                while let bytes = try await stream.read() { try? await channel.writeAndFlush(bytes).get() }
                loop.execute { bound.value.peerEnded() }
            } catch {
                loop.execute { bound.value.fail() }
            }
        }
    }

    // MARK: From the client

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        if !goesOnAlone { end { $0.reset() } }
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { forward(unwrapInboundIn(data)) }

    func read(context: ChannelHandlerContext) {
        if isWriting { readIsHeld = true } else { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .some(.inputClosed) = event as? ChannelEvent, !isOver else { return }
        clientHasEnded = true
        writeOn()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail() }

    func channelInactive(context: ChannelHandlerContext) {
        // As in `StreamRelay`: a client that has ended may be gone before its last byte is.
        let isInOrder = clientHasEnded || peerHasEnded
        if isInOrder, isWriting {
            clientHasEnded = true
            goesOnAlone = true
        } else {
            end { isInOrder ? $0.closeNow() : $0.reset() }
        }
        context.fireChannelInactive()
    }

    private func forward(_ bytes: ByteBuffer) {
        guard !isOver, !clientHasEnded, bytes.readableBytes > 0 else { return }
        waiting.writeImmutableBuffer(bytes)
        writeOn()
    }

    /// Gives the stream what waits, and then its end, one after the other.
    private func writeOn() {
        guard !isOver, !isWriting, !hasFinished else { return }
        let (stream, bytes, isEnd, loop) = (stream, waiting, clientHasEnded, loop)
        guard bytes.readableBytes > 0 || isEnd else { return }
        waiting = ByteBuffer()
        isWriting = true
        let bound = NIOLoopBound(self, eventLoop: loop)
        Task {
            do {
                if bytes.readableBytes > 0 { try await stream.write(bytes) }
                if isEnd { try await stream.closeWrite() }
                loop.execute { bound.value.wrote(isEnd) }
            } catch {
                loop.execute { bound.value.fail() }
            }
        }
    }

    private func wrote(_ wasEnd: Bool) {
        isWriting = false
        if wasEnd {
            hasFinished = true
            return endIfDone()
        }
        writeOn()
        guard !isWriting, readIsHeld else { return }
        readIsHeld = false
        context?.read()
    }

    // MARK: From the peer, all of whose bytes are written by then

    private func peerEnded() {
        guard !isOver else { return }
        peerHasEnded = true
        if hasFinished { endIfDone() } else { context?.close(mode: .output, promise: nil) }
    }

    // MARK: The end

    /// Both directions have ended in order, or nobody is there to read the peer's.
    private func endIfDone() {
        guard hasFinished, peerHasEnded || goesOnAlone else { return }
        end { $0.closeNow() }
        context?.close(promise: nil)
    }

    private func fail() {
        guard !isOver else { return }
        end { $0.reset() }
        context?.flush()
        context?.close(promise: nil)
    }

    private func end(_ body: (P2PStream) -> Void) {
        guard !isOver else { return }
        isOver = true
        reader?.cancel()
        body(stream)
    }
}
