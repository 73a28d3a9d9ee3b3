import Logging
import NIOCore
import P2PSwarm
import Synchronization

extension Node {
    // MARK: Our side

    /// The addresses that peers can find us at: real ones, wildcards expanded, without `/p2p` part. Loopback addresses are
    /// among them if we listen there; a peer is told only those that can be of use to it.
    public func listenAddresses() -> [Multiaddr] { self.state.withLock { $0.announced } }

    /// The machine's interfaces or their addresses may have changed: look now, and tell peers if so.
    public func interfacesChanged() { self.refreshAddresses(announcing: true) }

    func refreshAddresses(announcing: Bool) {
        let look = self.state.withLock { $0.takeNumber() }
        let listening = self.swarm.listeningAddresses
        let interfaces = listening.contains(where: \.isUnspecified) ? self.interfaceAddresses() : []
        let automatic = AddressSelection.expanded(listening, over: interfaces)
        let believed = self.state.withLock { $0.observed.believed() }
        let announced: [Multiaddr]
        switch self.configuration.announce {
        case .automatic: announced = Self.joined(automatic, believed)
        case .adding(let more): announced = Self.joined(automatic, more + believed)
        case .only(let these): announced = these
        }
        let hasChanged = self.state.withLock { state in
            // Who looked later saw what is newer, and may have been faster.
            guard look > state.announcedByLook else { return false }
            state.announcedByLook = look
            guard state.announced != announced else { return false }
            state.announced = announced
            state.recordSequence = max(state.recordSequence &+ 1, WallClock.nanoseconds())
            state.sealedRecords = [:]
            return true
        }
        guard hasChanged else { return }
        self.publish(.listenAddressesChanged(announced))
        if announcing { self.identityChanged() }
    }

    private static func joined(_ first: [Multiaddr], _ second: [Multiaddr]) -> [Multiaddr] {
        var seen = Set(first)
        return first + second.filter { seen.insert($0).inserted }
    }

    private func interfaceAddresses() -> [IPAddress] {
        if let given = self.configuration.interfaceAddresses { return given() }
        let devices = (try? System.enumerateDevices()) ?? []
        return devices.compactMap { device in
            device.address?.ipAddress.flatMap { IPAddress(String($0.prefix { $0 != "%" })) }
        }
    }

    /// What a peer is told of us that is connected with us from `remote`.
    func identifyMessage(to remote: Multiaddr) -> IdentifyMessage {
        let (announced, sequence, protocols) = self.state.withLock { ($0.announced, $0.recordSequence, $0.supported) }
        var message = IdentifyMessage()
        message.publicKey = self.configuration.identity.publicKey.protobuf
        message.listenAddresses = AddressSelection.advertised(announced, to: remote)
        message.protocols = protocols.sorted { $0.name < $1.name }
        message.observedAddress = remote
        message.protocolVersion = self.configuration.protocolVersion
        message.agentVersion = self.configuration.agentVersion
        message.signedPeerRecord = self.signedRecord(for: message.listenAddresses, sequence: sequence)
        return message
    }

    /// A sealed record of these addresses; made once for each list.
    ///
    /// - Parameter sequence: that of the addresses that the list was taken from, read together with them. A number taken here could
    ///   be higher than that of a newer list which is on its way already, and whoever has seen the higher one takes no other.
    func signedRecord(for addresses: [Multiaddr], sequence: UInt64) -> [UInt8]? {
        if let known = self.state.withLock({ $0.sealedRecords[addresses] }) { return known }
        let record = PeerRecord(peer: self.peerID, sequence: sequence, addresses: addresses)
        // A key that cannot sign leaves the message without a record, which every peer accepts.
        guard let sealed = try? record.sealed(with: self.configuration.identity).protobuf else { return nil }
        self.state.withLock { state in
            // Our addresses may have changed meanwhile, and be these again later.
            guard state.recordSequence == sequence else { return }
            if state.sealedRecords.count >= 8 { state.sealedRecords = [:] }
            state.sealedRecords[addresses] = sealed
        }
        return sealed
    }

    // MARK: Serving

    func registerIdentify() {
        var limits = HandlerLimits(streams: 2_048, streamsPerPeer: 16)
        limits.allowsLimitedConnection = true
        limits.runsOnEventLoop = true
        self.setHandler(for: Identify.protocolID, limits: limits) { [weak self] stream in
            guard let self, let connection = self.connection(of: stream) else { return stream.reset() }
            self.state.withLock { $0.pushes.peerKnowsPresentState(stream.remotePeer) }
            await self.send(
                self.identifyMessage(to: connection.remoteAddress), on: stream,
                patience: self.configuration.limits.identify.endTimeout)
        }
        limits.streamsPerPeer = 4
        self.setHandler(for: Identify.pushProtocolID, limits: limits) { [weak self] stream in
            guard let self else { return stream.reset() }
            guard self.admitsPush(from: stream.remotePeer) else {
                return stream.refuse(code: YamuxCode.streamRateLimited)
            }
            do {
                try await self.receiveIdentity(on: stream)
                await stream.close()
            } catch {
                stream.reset(code: YamuxCode.streamViolation)
            }
        }
    }

    private func admitsPush(from peer: PeerID) -> Bool {
        let limits = self.configuration.limits.identify
        // Only connected peers have an allowance, so that what is kept of them goes when they go.
        guard !self.swarm.connections(with: peer).isEmpty else { return false }
        return self.state.withLock { state in
            state.pushAllowances[peer, default: limits.pushAllowance].take(now: .now())
        }
    }

    private func connection(of stream: P2PStream) -> SwarmConnection? {
        self.swarm.connections(with: stream.remotePeer).first { $0.id == stream.connection.id }
    }

    /// - Parameter patience: how long the peer then has to end its side; nil for as long as on any stream.
    private func send(_ message: IdentifyMessage, on stream: P2PStream, patience: Duration? = nil) async {
        let bytes = message.encoded(limits: self.configuration.limits.identify)
        do {
            try await stream.write(ByteBuffer(bytes: bytes))
            stream.closeNow(patience: patience)
        } catch {
            // The asker has gone; nothing is lost.
            stream.reset()
        }
    }

    // MARK: Asking

    /// Asks a connection's peer who it is; other use of the connection does not wait for it.
    func identify(_ connection: SwarmConnection) {
        self.tasks.spawn(on: connection.executor) { [weak self] in
            guard let self else { return }
            do {
                let stream = try await self.openStream(
                    on: connection, protocols: [Identify.protocolID], negotiation: .eager,
                    until: .now().advanced(by: self.configuration.limits.identify.timeout))
                do {
                    try await self.receiveIdentity(on: stream)
                    await stream.close()
                } catch {
                    stream.reset()
                    throw error
                }
                self.state.withLock { $0.identifyRetries[connection.id] = nil }
            } catch {
                self.identifyFailed(connection, error)
            }
        }
    }

    /// The peer is asked again later, unless that is in vain, it has been heard of in another way, or it has gone.
    ///
    /// On the connection's event loop, as is what happens when the connection ends: neither can come between.
    private func identifyFailed(_ connection: SwarmConnection, _ error: any Error) {
        let isWorthwhile = self.isLive(connection) && !Self.isLasting(error)
        let delay: Duration? = self.state.withLock { state in
            var retry =
                state.identifyRetries.removeValue(forKey: connection.id)?.retry
                ?? IdentifyRetry(limits: self.configuration.limits.identify)
            var generator = SystemRandomNumberGenerator()
            guard isWorthwhile, state.phase == .running, state.identified[connection.peer] == nil,
                let delay = retry.failed(using: &generator)
            else { return nil }
            state.identifyRetries[connection.id] = NodeState.PendingIdentify(retry: retry)
            return delay
        }
        let reason = String("\(error)".prefix(240))
        self.logger.debug(
            "identify failed", metadata: ["peer": "\(connection.peer)", "reason": "\(reason.debugDescription)"])
        self.publish(.identifyFailed(connection.info, reason: reason, triesAgain: delay != nil))
        guard let delay else { return }
        let timer = connection.eventLoop.scheduleTask(in: TimeAmount(delay)) { [weak self, weak connection] in
            guard let self, let connection else { return }
            let isUnknown = self.state.withLock { state in
                // A push, or another connection, may have told in the meantime.
                if state.identified[connection.peer] != nil { state.identifyRetries[connection.id] = nil }
                return state.identifyRetries[connection.id] != nil
            }
            if isUnknown { self.identify(connection) }
        }
        self.state.withLock { $0.identifyRetries[connection.id]?.timer = timer }
    }

    private func isLive(_ connection: SwarmConnection) -> Bool {
        self.swarm.connections(with: connection.peer).contains { $0.id == connection.id }
    }

    /// Whether the peer has answered, and would give the same answer again.
    private static func isLasting(_ error: any Error) -> Bool {
        switch error {
        case let error as P2PError: error.code == .protocolNotSupported || error.code == .protocolViolation
        // A stream that ends early may be the peer's lack of room.
        case let error as IdentifyError: error != .empty && error != .truncated
        default: false
        }
    }

    /// Reads messages to the end of the stream, and takes over what they say.
    private func receiveIdentity(on stream: P2PStream) async throws {
        let limits = self.configuration.limits.identify
        var reader = IdentifyReader(limits: limits)
        let deadline = stream.deadline(after: limits.timeout, .slow)
        defer { deadline.cancel() }
        while let bytes = try await stream.read() { try reader.received(bytes.readableBytesView) }
        let info = try reader.finish(peer: stream.remotePeer, remote: stream.connection.remoteAddress)
        self.takeOver(info, via: stream.connection.remoteAddress)
        self.note(info.observedAddress, on: stream.connection)
    }

    /// A peer said how it sees us.
    private func note(_ observed: Multiaddr?, on connection: ConnectionInfo) {
        let isLive = self.swarm.connections(with: connection.peer).contains { $0.id == connection.id }
        guard let observed, isLive else { return }
        let listening = self.swarm.listeningAddresses
        let hasChanged = self.state.withLock { state in
            state.observed.observed(
                observed, on: connection.id, local: connection.localAddress, remote: connection.remoteAddress,
                listening: listening)
        }
        if hasChanged { self.refreshAddresses(announcing: true) }
    }

    private func takeOver(_ info: IdentifyInfo, via remote: Multiaddr) {
        let isConnected = !self.swarm.connections(with: info.peer).isEmpty
        guard isConnected else { return }
        let ttl = self.configuration.limits.addressBook.recentlyConnectedTTL
        self.swarm.withAddressBook { book, now in
            book.identified(info, via: remote, ttl: ttl, now: now)
        }
        self.state.withLock { state in
            state.identified[info.peer] = info
            state.pushes.peerAcceptsPushes(info.peer, info.supports(Identify.pushProtocolID))
        }
        self.publish(.identified(info.peer, info))
        self.schedulePushes()
    }

    // MARK: Pushing

    /// Our addresses or protocols have changed: tell those who want to know, after gathering for a moment.
    func identityChanged() {
        let isRunning = self.state.withLock { state in
            state.pushes.changed(now: .now())
            return state.phase == .running
        }
        if isRunning { self.schedulePushes() }
    }

    private func schedulePushes() {
        guard let deadline = self.state.withLock({ $0.pushes.nextDeadline }) else {
            return self.push(to: self.state.withLock { $0.pushes.poll(now: .now()) })
        }
        let number = self.state.withLock { state in
            state.pushTimer &+= 1
            return state.pushTimer
        }
        self.eventLoopGroup.next().scheduleTask(deadline: .uptimeNanoseconds(deadline.nanoseconds)) { [weak self] in
            guard let self else { return }
            let peers: [PeerID] = self.state.withLock { state in
                state.pushTimer == number && state.phase == .running ? state.pushes.poll(now: .now()) : []
            }
            self.push(to: peers)
        }
    }

    func push(to peers: [PeerID]) {
        // Whoever has no connection any more makes room for the next: they may be many, and one call for each would be too deep.
        var peers = peers[...]
        while let peer = peers.popFirst() {
            guard let connection = self.swarm.bestConnection(with: peer, allowsLimited: true) else {
                peers += self.state.withLock { $0.pushes.pushed(peer) }
                continue
            }
            self.tasks.spawn(on: connection.executor) { [weak self] in
                guard let self else { return }
                let stream = try? await self.openStream(
                    on: connection, protocols: [Identify.pushProtocolID], negotiation: .automatic,
                    until: .now().advanced(by: self.configuration.limits.identify.timeout))
                if let stream {
                    let deadline = stream.deadline(after: self.configuration.limits.identify.timeout, .slow)
                    await self.send(self.identifyMessage(to: connection.remoteAddress), on: stream)
                    deadline.cancel()
                }
                self.push(to: self.state.withLock { $0.pushes.pushed(peer) })
            }
        }
    }
}
