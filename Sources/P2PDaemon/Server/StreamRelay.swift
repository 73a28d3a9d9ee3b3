import LibP2P
import NIOCore

/// Carries the bytes between a client's connection and a peer's stream: the only handler of the client's channel while it does.
///
/// Both live on one event loop, and nothing here waits in a task: bytes that one socket delivers are written to the other in the
/// same turn of the loop, since on a machine whose cores are busy every change of thread costs more than all the rest of a
/// small message. Each direction is closed on its own: the end of one side's bytes becomes the end of ours on the other. An
/// error on either side ends both. No more than the channel's and the stream's own buffers is held: a side that does not take
/// its bytes stops the other from being read.
final class StreamRelay: ChannelDuplexHandler, StreamObserver {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let stream: P2PStream
    private var context: ChannelHandlerContext?
    /// The peer takes more of the client's bytes now.
    private var streamHasRoom = true
    private var readIsHeld = false
    /// The client will send nothing more, and the peer knows.
    private var clientHasEnded = false
    /// The peer will send nothing more; the client learns of it behind the last bytes.
    private var peerHasEnded = false
    private var isOver = false

    /// - Parameter stream: of the channel's own event loop; the relay's from now on.
    init(_ stream: P2PStream) { self.stream = stream }

    /// Begins, on a channel that is active.
    ///
    /// - Parameters:
    ///   - head: goes to the client before the stream's bytes.
    ///   - first: what the client had sent before the channel became a stream.
    func begin(head: ByteBuffer, first: ByteBuffer) {
        guard let context, !isOver else { return end { $0.reset() } }
        stream.observe(self)
        // To the peer first: it works on it while the client reads our answer.
        if first.readableBytes > 0 { forward(first) }
        stream.flushNow()
        // One write, and the client is woken once, if the peer's first bytes are here already.
        context.write(wrapOutboundOut(head), promise: nil)
        streamIsReadable()
        self.context?.flush()
    }

    // MARK: From the client

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        end { $0.reset() }
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { forward(unwrapInboundIn(data)) }

    func channelReadComplete(context: ChannelHandlerContext) {
        if !isOver { stream.flushNow() }
    }

    func read(context: ChannelHandlerContext) {
        if streamHasRoom { context.read() } else { readIsHeld = true }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { streamIsReadable() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .some(.inputClosed) = event as? ChannelEvent, !isOver, !clientHasEnded else { return }
        clientHasEnded = true
        do {
            try stream.finishNow()
            stream.flushNow()
            endIfDone()
        } catch {
            fail()
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail() }

    func channelInactive(context: ChannelHandlerContext) {
        // A client that closed after its last byte may be gone before that byte is: it still arrives. Once our direction to it
        // is closed, the end of its direction comes as the end of the channel and as nothing else.
        let isInOrder = clientHasEnded || peerHasEnded
        end { isInOrder ? $0.closeNow() : $0.reset() }
        context.fireChannelInactive()
    }

    private func forward(_ bytes: ByteBuffer) {
        guard !isOver, !clientHasEnded else { return }
        do { streamHasRoom = try stream.writeNow(bytes) } catch { fail() }
    }

    // MARK: From the peer

    func streamIsReadable() {
        guard let context, !isOver, !peerHasEnded else { return }
        var hasWritten = false
        do {
            while context.channel.isWritable, !peerHasEnded {
                switch try stream.readNow() {
                case .bytes(let bytes):
                    context.write(wrapOutboundOut(bytes), promise: nil)
                    hasWritten = true
                case .end:
                    peerHasEnded = true
                    hasWritten = false
                    closeOutput(context)
                case .nothingYet:
                    if hasWritten { context.flush() }
                    return
                }
            }
            if hasWritten { context.flush() }
        } catch {
            // The peer has reset the stream, or its connection is gone: neither direction has a use any more.
            fail()
        }
    }

    func streamIsWritable() {
        streamHasRoom = true
        guard readIsHeld else { return }
        readIsHeld = false
        context?.read()
    }

    /// Closing a channel drops what is still in it; so it waits for an empty write, which is done when those before it are.
    private func closeOutput(_ context: ChannelHandlerContext) {
        let written = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        written.futureResult.whenSuccess {
            let (relay, context) = bound.value
            if relay.clientHasEnded { return relay.endIfDone() }
            context.close(mode: .output, promise: nil)
        }
    }

    // MARK: The end

    /// Both directions have ended in order.
    private func endIfDone() {
        guard clientHasEnded, peerHasEnded, let context else { return }
        end { $0.closeNow() }
        let written = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        written.futureResult.whenComplete { _ in bound.value.close(promise: nil) }
    }

    private func fail() {
        end { $0.reset() }
        // The head of the stream may still be waiting; closing drops what is not flushed.
        context?.flush()
        context?.close(promise: nil)
    }

    private func end(_ body: (P2PStream) -> Void) {
        guard !isOver else { return }
        isOver = true
        stream.observe(nil)
        body(stream)
    }
}
