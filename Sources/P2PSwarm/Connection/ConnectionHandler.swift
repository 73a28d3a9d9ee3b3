public import Multiformats
public import NIOCore
public import P2PCore
import PeerIdentity

/// A channel as the pipe of a connection. The last handler of its pipeline; a TLS layer goes in front of it.
final class ConnectionHandler: ChannelInboundHandler, BytePipe {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let eventLoop: any EventLoop
    private let makeDriver: (ConnectionHandler) -> ConnectionDriver
    private var driver: ConnectionDriver?
    private var context: ChannelHandlerContext?
    private var error: (any Error)?
    private var pacing = ReadPacing(largestLimit: LoopBuffers.batchBytes)
    private var framesBefore: UInt64 = 0

    init(eventLoop: any EventLoop, makeDriver: @escaping (ConnectionHandler) -> ConnectionDriver) {
        self.eventLoop = eventLoop
        self.makeDriver = makeDriver
    }

    // MARK: From the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.driver = self.makeDriver(self)
        if context.channel.isActive { self.driver?.opened() }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.over()
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        self.driver?.opened()
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.driver?.received(Self.unwrapInboundIn(data))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.driver?.receiveCompleted()
        self.paceReads(of: context.channel)
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.driver?.writabilityChanged()
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent { self.driver?.inputClosed() }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if self.error == nil { self.error = error }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.over()
        context.fireChannelInactive()
    }

    private func over() {
        self.driver?.closed(self.error)
        self.driver = nil
    }

    private func paceReads(of channel: any Channel) {
        guard let frames = self.driver?.framesReceived else { return }
        let changed = self.pacing.turnEnded(frames: frames - self.framesBefore)
        self.framesBefore = frames
        guard changed else { return }
        // A channel that is closing refuses options, and reads no more.
        try? channel.syncOptions?.setOption(.recvAllocator, value: Self.allocator(maximum: self.pacing.limit))
    }

    /// Grows with what arrives; begins small, since every connection keeps its last buffer.
    fileprivate static func allocator(maximum: Int) -> AdaptiveRecvByteBufferAllocator {
        AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 2048, maximum: maximum)
    }

    /// The TLS handler gathers all records of one read in a buffer that starts at two records and grows by copying.
    private static let tlsLimit = 32 * 1024

    // MARK: As a pipe

    var isWritable: Bool { self.context?.channel.isWritable ?? false }

    /// Asked for only while the channel is not writable: costs a write nothing.
    var unsentBytes: Int {
        // A channel that is closing, or keeps no count, answers with an error: then nothing is known.
        (try? self.context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    func writeAndFlush(_ bytes: ByteBuffer) {
        self.context?.writeAndFlush(Self.wrapOutboundOut(bytes), promise: nil)
    }

    func closeOutput() {
        self.context?.close(mode: .output, promise: nil)
    }

    func close() {
        self.context?.close(promise: nil)
    }

    func startTLS(
        _ provider: any TLSProvider, role: ConnectionRole, expectedPeer: PeerID?, muxers: [ProtocolID],
        presumption: TLSPresumption?, leftover: ByteBuffer, established: @escaping (TLSEstablished) -> Void
    ) throws {
        guard let context = self.context else { return }
        let pipeline = context.pipeline.syncOperations
        self.pacing = ReadPacing(largestLimit: Self.tlsLimit)
        try context.channel.syncOptions?.setOption(.recvAllocator, value: Self.allocator(maximum: Self.tlsLimit))
        try provider.addHandlers(
            to: pipeline, role: role, expectedPeer: expectedPeer, muxers: muxers, presumption: presumption,
            established: established)
        if leftover.readableBytes > 0 {
            pipeline.fireChannelRead(NIOAny(leftover))
            pipeline.fireChannelReadComplete()
        }
    }
}

extension MuxedConnection {
    /// Makes a connection of a channel: negotiates, shakes hands, multiplexes.
    ///
    /// Call on the channel's event loop, in its initializer; or later, if the channel was made with `autoRead` off, since
    /// bytes that come before the handler are lost. Reading is turned on here. There must be no other handler that touches
    /// bytes. The channel is owned by the connection from then on.
    /// - Parameters:
    ///   - role: who dialed; after a hole punch, who was told to be the initiator.
    ///   - keys: fresh random keys, for this connection only.
    /// - Returns: the connection, or `ConnectionError`. Callbacks added on the event loop run before the first stream of the
    ///   peer is announced.
    public static func upgrade(
        _ channel: any Channel, role: ConnectionRole, localAddress: Multiaddr, remoteAddress: Multiaddr,
        configuration: ConnectionConfiguration, keys: NoiseKeys
    ) -> EventLoopFuture<MuxedConnection> {
        let promise = channel.eventLoop.makePromise(of: MuxedConnection.self)
        let handler = ConnectionHandler(eventLoop: channel.eventLoop) { pipe in
            ConnectionDriver(
                pipe: pipe, role: role, localAddress: localAddress, remoteAddress: remoteAddress,
                configuration: configuration, keys: keys, promise: promise)
        }
        do {
            if let options = channel.syncOptions {
                try options.setOption(.allowRemoteHalfClosure, value: true)
                try options.setOption(
                    .recvAllocator, value: ConnectionHandler.allocator(maximum: LoopBuffers.batchBytes))
                // One read a turn: whoever sends faster than we take does not keep the loop from the others.
                try options.setOption(.maxMessagesPerRead, value: 1)
                try options.setOption(.writeBufferWaterMark, value: .init(low: 128 * 1024, high: 512 * 1024))
            }
            try channel.pipeline.syncOperations.addHandler(handler)
            try channel.syncOptions?.setOption(.autoRead, value: true)
        } catch {
            promise.fail(ConnectionError.closedDuringUpgrade(String(describing: error)))
        }
        return promise.futureResult
    }

    /// Makes a connection of any other pipe, such as a stream through a relay.
    ///
    /// Call on the pipe's event loop.
    /// - Returns: who is to be told what the pipe delivers, and the connection as in the other form.
    public static func upgrade(
        _ pipe: any BytePipe, role: ConnectionRole, localAddress: Multiaddr, remoteAddress: Multiaddr,
        configuration: ConnectionConfiguration, keys: NoiseKeys
    ) -> (receiver: any BytePipeReceiver, connection: EventLoopFuture<MuxedConnection>) {
        let promise = pipe.eventLoop.makePromise(of: MuxedConnection.self)
        let driver = ConnectionDriver(
            pipe: pipe, role: role, localAddress: localAddress, remoteAddress: remoteAddress,
            configuration: configuration, keys: keys, promise: promise)
        return (driver, promise.futureResult)
    }
}

extension ConnectionDriver: BytePipeReceiver {
    func pipeOpened() { self.opened() }
    func pipeReceived(_ bytes: ByteBuffer) { self.received(bytes) }
    func pipeReceiveCompleted() { self.receiveCompleted() }
    func pipeWritabilityChanged() { self.writabilityChanged() }
    func pipeInputClosed() { self.inputClosed() }
    func pipeClosed(_ error: (any Error)?) { self.closed(error) }
}
