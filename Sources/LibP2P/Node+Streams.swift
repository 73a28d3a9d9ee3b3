import Logging
import NIOCore
import P2PSwarm
import Synchronization

extension Node {
    // MARK: Opening

    /// Opens a stream under the first of `protocols` that the peer accepts; connects if needed.
    ///
    /// If the peer is known to speak one of them, that one is proposed together with the first data, which saves a round trip;
    /// a refusal then shows at the first read as `.protocolNotSupported`.
    ///
    /// The stream is the caller's, to close or reset; `withStream` does that by itself.
    /// - Parameter timeout: for everything until the stream is here, a dial included; not for what is then done with it. The
    ///   agreement on a protocol has `ResourceLimits.negotiationTimeout` of it at most (10 s).
    /// - Throws: `P2PError` (`.noAddresses`, `.unreachable`, `.timedOut`, `.protocolNotSupported`, `.limitReached`, …);
    ///   `CancellationError`.
    public func openStream(
        to peer: PeerID, protocols: [ProtocolID], timeout: Duration = .seconds(10)
    ) async throws -> P2PStream {
        var options = StreamOptions()
        options.timeout = timeout
        return try await self.openStream(to: peer, protocols: protocols, options: options)
    }

    /// The same with all options.
    ///
    /// - Throws: as the other form; `.notConnected` without a connection if `options.dialsIfNeeded` is false.
    public func openStream(
        to peer: PeerID, protocols: [ProtocolID], options: StreamOptions
    ) async throws -> P2PStream {
        if let stream = try self.openStreamNow(to: peer, protocols: protocols, options: options) { return stream }
        let deadline = MonotonicInstant.now().advanced(by: options.timeout)
        var lastError: (any Error)?
        // A connection may turn out to have just ended; then the next best, or a new one, gets a try.
        for _ in 0..<2 {
            let left = Self.time(until: deadline)
            guard left > .zero else { break }
            let connection: SwarmConnection
            let allowsLimited = options.allowsLimitedConnection
            if let live = self.swarm.bestConnection(with: peer, allowsLimited: allowsLimited) {
                connection = live
            } else if options.dialsIfNeeded {
                connection = try await self.connection(with: peer, timeout: left, allowsLimited: allowsLimited)
            } else {
                throw P2PError(.notConnected, "not connected, and not to be dialled", peer: peer)
            }
            do {
                return try await self.openStream(
                    on: connection, protocols: protocols, negotiation: options.negotiation,
                    until: deadline)
            } catch let error as P2PError where error.code == .connectionClosed {
                lastError = error
            }
        }
        throw lastError ?? P2PError(.timedOut, "no stream within \(options.timeout)", peer: peer)
    }

    /// Opens a stream for as long as `body` runs.
    ///
    /// When `body` returns, the stream is closed in good order: what was written still arrives, what is unread is dropped. When it
    /// throws, the stream is reset, so that the peer does not wait for the rest; a task that is cancelled throws where it
    /// waits. The stream must not be used after `body`.
    ///
    /// ```swift
    /// let answer = try await node.withStream(to: peer, protocols: ["/echo/1.0.0"]) { stream in
    ///     try await stream.write("hello".utf8)
    ///     try await stream.closeWrite()
    ///     return try await stream.readToEnd(max: 1_024, timeout: .seconds(10))
    /// }
    /// ```
    /// - Throws: as `openStream`, and what `body` throws.
    public nonisolated(nonsending) func withStream<Result>(
        to peer: PeerID, protocols: [ProtocolID], options: StreamOptions = StreamOptions(),
        _ body: nonisolated(nonsending) (P2PStream) async throws -> Result
    ) async throws -> Result {
        let stream = try await self.openStream(to: peer, protocols: protocols, options: options)
        do {
            let result = try await body(stream)
            await stream.close()
            return result
        } catch {
            stream.reset()
            throw error
        }
    }

    /// Zero once the deadline has passed.
    private static func time(until deadline: MonotonicInstant) -> Duration {
        max(.zero, MonotonicInstant.now().duration(to: deadline))
    }

    /// Opens a stream on this very connection. All its steps have one deadline: each has the time that those before it left.
    func openStream(
        on connection: SwarmConnection, protocols: [ProtocolID], negotiation: StreamOptions.Negotiation,
        until deadline: MonotonicInstant
    ) async throws -> P2PStream {
        // On the connection's loop from the first step to the last: one change of thread there, one back.
        try await withTaskExecutorPreference(connection.executor) {
            try await self.openStreamOnLoop(
                of: connection, protocols: protocols, negotiation: negotiation, until: deadline)
        }
    }

    private func openStreamOnLoop(
        of connection: SwarmConnection, protocols: [ProtocolID], negotiation: StreamOptions.Negotiation,
        until deadline: MonotonicInstant
    ) async throws -> P2PStream {
        let peer = connection.peer
        let slot = try self.reserveStream(on: connection)
        let swarm = self.swarm
        let muxed: MuxedStream
        do { muxed = try await self.open(on: connection, timeout: Self.time(until: deadline)) } catch {
            swarm.release(slot)
            throw P2PError.translating(error, peer: peer)
        }
        swarm.release(slot, afterEndOf: muxed)
        if let proposal = self.lazyProposal(to: peer, protocols: protocols, negotiation: negotiation) {
            return self.lazyStream(on: muxed, proposing: proposal, connection: connection)
        }
        do {
            let agreed = try await muxed.agree(
                on: protocols,
                patience: min(Self.time(until: deadline), self.configuration.limits.negotiationTimeout))
            return P2PStream(muxed: muxed, protocol: agreed, connection: connection.info, direction: .outbound)
        } catch {
            muxed.reset(code: YamuxCode.streamNegotiationFailed)
            throw P2PError.translating(error, peer: peer)
        }
    }

    private func reserveStream(on connection: SwarmConnection) throws(P2PError) -> ResourceLedger.StreamSlot {
        do { return try self.swarm.reserveStream(on: connection) } catch {
            // A stream is refused by this name only when its connection is not in the books any more.
            guard error.name != .connections else {
                throw P2PError(.connectionClosed, "the connection has ended", cause: error, peer: connection.peer)
            }
            throw P2PError(.limitReached, "\(error)", cause: error, peer: connection.peer)
        }
    }

    /// A stream whose protocol is proposed together with the first data. On the loop.
    private func lazyStream(
        on muxed: MuxedStream, proposing proposal: ProtocolID, connection: SwarmConnection
    ) -> P2PStream {
        let swarm = self.swarm
        let peer = connection.peer
        let patience = self.configuration.limits.negotiationTimeout
        muxed.install(
            NegotiationGate(proposing: [proposal], lazily: true, patience: patience) { result in
                guard case .failure(.notAgreed(.refused)) = result else { return }
                swarm.withAddressBook { book, _ in book.removeProtocol(proposal, of: peer) }
            })
        return P2PStream(muxed: muxed, protocol: proposal, connection: connection.info, direction: .outbound)
    }

    /// Runs tasks on the loop of the best connection with a peer: what opens, uses and closes a stream there changes no thread.
    /// - Returns: nil if there is no connection.
    package func executor(for peer: PeerID) -> (any TaskExecutor)? {
        self.swarm.bestConnection(with: peer, allowsLimited: true)?.executor
    }

    /// Opens a stream without waiting for anything: on a live connection that lives on this very event loop, under a
    /// protocol that the peer is known to speak.
    ///
    /// - Returns: nil if that is not how things are; then `openStream` is the way.
    package func openStreamNow(
        to peer: PeerID, protocols: [ProtocolID], options: StreamOptions
    ) throws(P2PError) -> P2PStream? {
        guard
            let connection = self.swarm.bestConnection(with: peer, allowsLimited: options.allowsLimitedConnection),
            connection.eventLoop.inEventLoop,
            let proposal = self.lazyProposal(to: peer, protocols: protocols, negotiation: options.negotiation)
        else { return nil }
        let slot = try self.reserveStream(on: connection)
        // A connection that has just ended: the longer way finds or makes another.
        guard let muxed = try? connection.muxed.openNow() else {
            self.swarm.release(slot)
            return nil
        }
        self.swarm.release(slot, afterEndOf: muxed)
        return self.lazyStream(on: muxed, proposing: proposal, connection: connection)
    }

    /// A raw stream; waits, but not longer than `timeout`, while the peer has 256 of ours to acknowledge.
    private func open(on connection: SwarmConnection, timeout: Duration) async throws -> MuxedStream {
        if connection.eventLoop.inEventLoop, let muxed = try connection.muxed.openNow() { return muxed }
        let opening = Task(executorPreference: connection.executor) { try await connection.muxed.openStream() }
        let timer = connection.eventLoop.scheduleTask(in: TimeAmount(timeout)) { opening.cancel() }
        defer { timer.cancel() }
        return try await withTaskCancellationHandler {
            do { return try await opening.value } catch is CancellationError where !Task.isCancelled {
                throw P2PError(
                    .timedOut, "no stream within \(timeout): too many wait for the peer", peer: connection.peer)
            }
        } onCancel: {
            opening.cancel()
        }
    }

    /// The protocol to propose together with the first data, if that is wise.
    private func lazyProposal(
        to peer: PeerID, protocols: [ProtocolID], negotiation: StreamOptions.Negotiation
    ) -> ProtocolID? {
        switch negotiation {
        case .eager: return nil
        case .lazy: return protocols.count == 1 ? protocols.first : nil
        case .automatic:
            guard let known = self.swarm.withAddressBook({ book, _ in book.protocols(of: peer) }) else { return nil }
            return protocols.first { known.contains($0) }
        }
    }

    // MARK: Serving

    /// Serves a protocol: `body` is called for every stream that a peer opens under it, each in a task of its own. Replaces an
    /// earlier handler.
    ///
    /// When `body` returns, the stream is closed in good order: what was written still arrives. When it throws, the stream is
    /// reset, so that the peer does not wait for the rest; the error goes to the log, at `debug`. Peers are told of the
    /// protocol by identify.
    ///
    /// ```swift
    /// node.serve("/echo/1.0.0") { stream in
    ///     while let bytes = try await stream.read() { try await stream.write(bytes) }
    /// }
    /// ```
    /// - Parameter limits: how many streams are served at one time, and where `body` runs.
    public func serve(
        _ protocolID: ProtocolID, limits: HandlerLimits = HandlerLimits(),
        _ body: @escaping @Sendable (P2PStream) async throws -> Void
    ) {
        self.setHandler(for: protocolID, limits: limits) { [logger] stream in
            do {
                try await body(stream)
                await stream.close()
            } catch {
                let reason = String("\(error)".prefix(240)).debugDescription
                logger.debug(
                    "stream handler failed",
                    metadata: ["peer": "\(stream.remotePeer)", "proto": "\(protocolID)", "reason": "\(reason)"])
                stream.reset()
            }
        }
    }

    /// Serves a protocol whose streams may outlive their handler: `handler` is called for every stream that a peer opens under
    /// it. Replaces an earlier handler.
    ///
    /// The stream is the handler's, to close or reset: when the last reference to it goes, it is reset unless it was closed.
    /// Where a stream ends with its handler, `serve` does that. Peers are told of the protocol by identify.
    public func setHandler(
        for protocolID: ProtocolID, limits: HandlerLimits = HandlerLimits(),
        _ handler: @escaping @Sendable (P2PStream) async -> Void
    ) {
        self.setHandler(for: protocolID, limits: limits, body: .task(handler))
    }

    /// Serves a protocol without tasks: `accept` is called on the event loop of the stream's connection and returns at once.
    /// What it starts there goes on by `P2PStream.observe`.
    package func setAcceptor(
        for protocolID: ProtocolID, limits: HandlerLimits = HandlerLimits(),
        _ accept: @escaping @Sendable (P2PStream) -> Void
    ) {
        self.setHandler(for: protocolID, limits: limits, body: .call(accept))
    }

    private func setHandler(for protocolID: ProtocolID, limits: HandlerLimits, body: NodeState.Handler.Body) {
        let isNew = self.state.withLock { state in
            let isNew = state.handlers[protocolID] == nil
            state.handlers[protocolID] = NodeState.Handler(number: state.takeNumber(), limits: limits, body: body)
            state.supported.insert(protocolID)
            return isNew
        }
        if isNew { self.identityChanged() }
    }

    /// Serves a protocol no longer; streams that are open stay.
    public func removeHandler(for protocolID: ProtocolID) {
        let existed = self.state.withLock { state in
            state.supported.remove(protocolID)
            return state.handlers.removeValue(forKey: protocolID) != nil
        }
        if existed { self.identityChanged() }
    }

    /// A peer has opened a stream: agree on the protocol, then hand it over.
    func serve(_ muxed: MuxedStream, on connection: SwarmConnection, slot: ResourceLedger.StreamSlot) {
        let supported = self.state.withLock { $0.supported }
        let patience = self.configuration.limits.negotiationTimeout
        let gate = NegotiationGate(answering: supported, patience: patience) { [weak self] result in
            guard let self, case .success(let agreed) = result else {
                // It is still to hear the refusal.
                if case .failure(.notAgreed(.declined)) = result { return muxed.decline() }
                if case .failure(let reason) = result {
                    self?.logger.debug(
                        "stream negotiation failed",
                        metadata: ["peer": "\(connection.peer)", "reason": "\(reason)"])
                }
                return muxed.refuse(code: YamuxCode.streamNegotiationFailed)
            }
            if let (stream, handler) = self.handOver(muxed, agreed, on: connection, slot: slot) {
                self.run(handler, with: stream, on: connection)
            }
        }
        muxed.install(gate)
    }

    private func run(_ handler: NodeState.Handler, with stream: P2PStream, on connection: SwarmConnection) {
        switch handler.body {
        case .call(let accept): accept(stream)
        case .task(let body):
            self.tasks.spawn(on: handler.limits.runsOnEventLoop ? connection.executor : nil, with: stream, body)
        }
    }

    private func handOver(
        _ muxed: MuxedStream, _ agreed: ProtocolID, on connection: SwarmConnection, slot: ResourceLedger.StreamSlot
    ) -> (P2PStream, NodeState.Handler)? {
        guard let handler = self.state.withLock({ $0.handlers[agreed] }),
            handler.limits.allowsLimitedConnection || !connection.isLimited
        else {
            muxed.refuse(code: YamuxCode.streamNegotiationFailed)
            return nil
        }
        do {
            let limits = self.configuration.limits
            try self.swarm.assign(
                slot, to: agreed,
                limit: .init(
                    total: handler.limits.streams ?? limits.inboundStreamsPerProtocol,
                    perPeer: handler.limits.streamsPerPeer ?? limits.inboundStreamsPerProtocolAndPeer))
        } catch {
            self.logger.debug(
                "inbound stream refused",
                metadata: ["peer": "\(connection.peer)", "proto": "\(agreed)", "reason": "\(error)"])
            muxed.refuse(code: YamuxCode.streamResourceLimit)
            return nil
        }
        return (
            P2PStream(muxed: muxed, protocol: agreed, connection: connection.info, direction: .inbound), handler
        )
    }
}

/// Ends a stream unless cancelled in time.
///
/// A callback and not a task of the event loop: nearly all are cancelled, and a task would bring a promise and two closures each time.
final class StreamDeadline: Sendable, NIOScheduledCallbackHandler {
    /// What it means that the time is up; the peer is told by a code of its own.
    enum Cause: Sendable {
        /// Nothing comes.
        case idle
        /// The peer takes or gives too little for the time that is allowed.
        case slow
    }

    private let stream: MuxedStream
    private let cause: Cause
    private let fired = Atomic(false)
    private let timer: Mutex<NIOScheduledCallback?> = Mutex(nil)

    init(_ stream: MuxedStream, after time: Duration, _ cause: Cause) {
        self.stream = stream
        self.cause = cause
        // A loop that is shut down takes none; its connections have ended with it.
        let callback = try? stream.connection.eventLoop.scheduleCallback(in: TimeAmount(time), handler: self)
        self.timer.withLock { $0 = callback }
    }

    func handleScheduledCallback(eventLoop: some EventLoop) {
        self.fired.store(true, ordering: .sequentiallyConsistent)
        switch self.cause {
        case .idle: self.stream.reset(code: YamuxCode.streamGarbageCollected)
        case .slow: self.stream.reset(code: YamuxCode.streamRateLimited)
        }
    }

    /// Whether the time was up.
    var hasFired: Bool { self.fired.load(ordering: .sequentiallyConsistent) }

    func cancel() {
        self.timer.withLock { timer in
            timer?.cancel()
            timer = nil
        }
    }
}
