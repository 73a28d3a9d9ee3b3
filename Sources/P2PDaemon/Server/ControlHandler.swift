import LibP2P
import NIOCore

/// One client's connection: requests and answers in turn, until it becomes a stream or a subscription.
///
/// Lives in the channel's event loop. Requests that have to wait for something are served by a task on that loop; a stream to a
/// peer that is connected is opened without one, and is handed to a `StreamRelay`, which takes this handler's place. While a
/// request is being served, or the client does not take its answers, nothing more is read from it, and nothing that it has asked
/// is begun.
final class ControlHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case idle
        case serving(Task<Void, Never>?)
        /// The client only listens, or the connection has ended.
        case over
    }

    private let service: ControlService
    private let executor: any TaskExecutor
    private var context: ChannelHandlerContext?
    private var decoder = FrameDecoder()
    private var phase = Phase.idle
    private var readIsHeld = false
    /// `serveNext` is at work: what its answers bring about does not begin it again.
    private var isServingNext = false
    /// The client will send nothing more; what it has asked is still answered.
    private var inputIsClosed = false

    init(_ service: ControlService, executor: any TaskExecutor) {
        self.service = service
        self.executor = executor
    }

    // MARK: From the client

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        decoder.append(unwrapInboundIn(data).readableBytesView)
        serveNext()
    }

    func read(context: ChannelHandlerContext) {
        switch phase {
        case .serving: readIsHeld = true
        case .idle where !context.channel.isWritable: readIsHeld = true
        // A client that listens is still read from, so that its end is seen.
        case .idle, .over: context.read()
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { serveNext() }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .some(.inputClosed) = event as? ChannelEvent else { return }
        inputIsClosed = true
        switch phase {
        case .idle: serveNext()
        case .serving: break
        case .over: context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        service.ended(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    private var isOver: Bool { if case .over = phase { true } else { false } }

    private func end() {
        if case .serving(let task) = phase { task?.cancel() }
        phase = .over
    }

    // MARK: Requests

    /// Serves what has arrived, as far as no answer has to be waited for and the client takes what it gets.
    private func serveNext() {
        guard !isServingNext else { return }
        isServingNext = true
        defer { isServingNext = false }
        while case .idle = phase {
            // Answers to a client that reads none would pile up here without a bound.
            guard let context, context.channel.isWritable else { return }
            let message: ArraySlice<UInt8>
            do throws(FrameError) {
                guard let next = try decoder.next() else { break }
                message = next
            } catch {
                service.ended(error)
                phase = .over
                context.close(promise: nil)
                return
            }
            do throws(ControlRequestError) { serve(try ControlRequest(protobuf: message)) } catch {
                answer(.failed(error.description))
            }
        }
        if case .idle = phase {
            if inputIsClosed { return closeBehindAnswers() }
            guard readIsHeld else { return }
            readIsHeld = false
            context?.read()
        }
    }

    private func serve(_ request: ControlRequest) {
        switch request {
        case .openStream(let peer, let protocols, let timeout):
            openStream(to: peer, protocols: protocols.map { ProtocolID($0) }, timeout: timeout)
        case .subscribe(let topic):
            subscribe(to: topic)
        default:
            wait {
                await $0.perform(request)
            } then: {
                $0.answer($1)
            }
        }
    }

    /// Waits in a task on the event loop, and goes on with the outcome unless the client is gone.
    private func wait<Value: Sendable>(
        _ body: @escaping @Sendable (ControlService) async -> Value,
        then resume: @escaping @Sendable (ControlHandler, Value) -> Void,
        otherwise drop: @escaping @Sendable (Value) -> Void = { _ in }
    ) {
        guard let context else { return }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let (service, loop) = (service, context.eventLoop)
        phase = .serving(nil)
        let task = Task(executorPreference: executor) {
            let value = await body(service)
            loop.preconditionInEventLoop()
            let handler = bound.value
            guard case .serving = handler.phase else { return drop(value) }
            handler.phase = .idle
            resume(handler, value)
            handler.serveNext()
        }
        if case .serving(nil) = phase { phase = .serving(task) }
    }

    private func answer(_ response: ControlResponse) {
        guard let context else { return }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: FrameDecoder.frame(response.protobuf))), promise: nil)
    }

    /// The client will ask nothing more: closes once it has all answers.
    private func closeBehindAnswers() {
        guard let context else { return }
        phase = .over
        let written = context.eventLoop.makePromise(of: Void.self)
        // Closing a channel drops what is still in it.
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
        let channel = context.channel
        written.futureResult.whenComplete { _ in channel.close(promise: nil) }
    }

    // MARK: Streams

    private func openStream(to peer: PeerID, protocols: [ProtocolID], timeout: Duration?) {
        var options = StreamOptions()
        options.timeout = timeout ?? .seconds(10)
        do throws(P2PError) {
            if let stream = try service.node.openStreamNow(to: peer, protocols: protocols, options: options) {
                return become(stream)
            }
        } catch {
            return answer(.failed("\(error)"))
        }
        // The answer names the protocol: of several, or of a peer we know little of, one has to be agreed on first.
        options.negotiation = .eager
        wait { [options] service in
            await Result { try await service.node.openStream(to: peer, protocols: protocols, options: options) }
        } then: { handler, outcome in
            switch outcome {
            case .success(let stream): handler.become(stream)
            case .failure(let error): handler.answer(.failed("\(error)"))
            }
        } otherwise: { outcome in
            if case .success(let stream) = outcome { stream.reset() }
        }
    }

    /// The connection is the stream's from now on.
    private func become(_ stream: P2PStream) {
        guard let context else { return stream.reset() }
        let info = StreamInfo(
            peer: stream.remotePeer, address: stream.connection.remoteAddress, protocolName: stream.protocol.name)
        let head = ByteBuffer(bytes: FrameDecoder.frame(ControlResponse.stream(info).protobuf))
        let first = ByteBuffer(bytes: decoder.takeRemaining())
        phase = .over
        do {
            let pipeline = context.pipeline.syncOperations
            if stream.eventLoop.inEventLoop {
                let relay = StreamRelay(stream)
                try pipeline.addHandler(relay, position: .after(self))
                relay.begin(head: head, first: first)
            } else {
                let bridge = StreamBridge(stream, loop: context.eventLoop)
                try pipeline.addHandler(bridge, position: .after(self))
                bridge.begin(head: head, first: first)
            }
        } catch {
            stream.reset()
            return context.close(promise: nil)
        }
        if inputIsClosed { context.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
        if readIsHeld {
            readIsHeld = false
            context.read()
        }
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    // MARK: Topics

    private func subscribe(to topic: String) {
        wait { service in
            await Result { try await service.subscribe(to: topic) }
        } then: { handler, outcome in
            switch outcome {
            case .success(let messages): handler.become(messages)
            case .failure(let error): handler.answer(.failed("\(error)"))
            }
        }
    }

    /// A subscribed client sends nothing more: from now on only its end is waited for.
    private func become(_ messages: PubSubSubscription) {
        guard let context else { return }
        // First, since an answer that makes room lets the next request begin.
        phase = .over
        answer(.done)
        let channel = context.channel
        let task = Task(executorPreference: executor) {
            do {
                for await message in messages {
                    // As it travels between peers: the client's message has the same fields, signature and key included.
                    let frame = ByteBuffer(bytes: FrameDecoder.frame(message.encoded))
                    try await channel.writeAndFlush(frame).get()
                }
            } catch {
                // The client is gone, which the channel's end says too.
            }
            // The subscription has ended. A client that is only slow stays, and loses messages as every slow subscription does.
            channel.close(promise: nil)
        }
        channel.closeFuture.whenComplete { _ in task.cancel() }
        if readIsHeld {
            readIsHeld = false
            context.read()
        }
        if inputIsClosed { context.close(promise: nil) }
    }
}

extension Result where Failure == any Error, Success: Sendable {
    /// What `body` comes to.
    fileprivate init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
