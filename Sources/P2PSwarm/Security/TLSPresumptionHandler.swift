import NIOCore
import P2PCore

/// In front of the TLS handler while the peer has not yet agreed to TLS: puts the proposal before the first record, takes the
/// answer off, then leaves the pipeline.
///
/// Bound to one event loop.
final class TLSPresumptionHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var presumption: TLSPresumption
    private var isProposed = false
    private var isRefused = false

    init(_ presumption: TLSPresumption) {
        self.presumption = presumption
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !self.isProposed else { return context.write(data, promise: promise) }
        self.isProposed = true
        var record = Self.unwrapOutboundIn(data)
        // One write, so that proposal and record travel in one segment.
        var bytes = context.channel.allocator.buffer(
            capacity: self.presumption.proposal.count + record.readableBytes)
        bytes.writeBytes(self.presumption.proposal)
        bytes.writeBuffer(&record)
        context.write(Self.wrapOutboundOut(bytes), promise: promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.isRefused else { return }
        do {
            let bytes = Self.unwrapInboundIn(data)
            guard let leftover = try self.presumption.received(ArraySlice(bytes.readableBytesView)) else { return }
            if !leftover.isEmpty {
                context.fireChannelRead(Self.wrapInboundOut(ByteBuffer(bytes: leftover)))
            }
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        } catch {
            self.isRefused = true
            context.fireErrorCaught(error)
            // From the socket's side of the TLS handler, which has nobody to say goodbye to.
            context.close(promise: nil)
        }
    }
}
