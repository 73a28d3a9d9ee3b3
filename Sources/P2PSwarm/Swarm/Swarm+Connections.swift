import Logging
import Multiformats
import NIOCore
import P2PCore
import PeerIdentity
import Synchronization

extension Swarm {
    // MARK: Inbound

    /// A stranger has connected: reserved, or refused before anything is spent on it.
    func accepted(_ link: TransportLink) -> EventLoopFuture<Void> {
        let loop = link.channel.eventLoop
        let now = MonotonicInstant.now()
        let reserved: Result<ResourceLedger.ConnectionSlot, LimitExceeded>? = self.state.withLock { state in
            guard state.phase == .running else { return nil }
            if state.crowd.came(waiting: state.ledger.pendingInbound, now: now) {
                for listener in state.listeners { listener.keepsStrangersApart(true) }
                self.watchCrowd(on: loop)
            }
            do throws(LimitExceeded) {
                let slot = try state.ledger.reserveInbound(from: link.remoteAddress.ipAddress, now: now)
                state.strangers[slot] = link.channel
                return .success(slot)
            } catch {
                return .failure(error)
            }
        }
        let slot: ResourceLedger.ConnectionSlot
        switch reserved {
        case nil: return loop.makeFailedFuture(ChannelError.alreadyClosed)
        case .failure(let exceeded):
            self.limitReached(exceeded)
            self.logger.debug(
                "inbound connection refused",
                metadata: ["addr": "\(link.remoteAddress)", "reason": "\(exceeded)"])
            self.callbacks.connectionRefused(link.remoteAddress, nil, exceeded)
            return loop.makeFailedFuture(exceeded)
        case .success(let reserved): slot = reserved
        }
        link.channel.closeFuture.whenComplete { [weak self] _ in
            self?.state.withLock { state in
                state.strangers[slot] = nil
                state.ledger.release(slot)
            }
        }
        self.upgrade(link, role: .responder, expecting: nil, presuming: nil, slot: slot).whenFailure {
            [logger, metrics, callbacks] error in
            metrics.inboundUpgradeFailed()
            logger.debug(
                "inbound upgrade failed", metadata: ["addr": "\(link.remoteAddress)", "reason": "\(brief(error))"])
            // Who was refused behind the handshake has been told of already, by name.
            if error is ConnectionError { callbacks.connectionRefused(link.remoteAddress, nil, error) }
        }
        return loop.makeSucceededVoidFuture()
    }

    /// Looks, every tenth of a second until then, whether the crowd is over.
    private func watchCrowd(on loop: any EventLoop) {
        loop.scheduleTask(in: .milliseconds(100)) { [weak self] in
            guard let self else { return }
            let goesOn = self.state.withLock { state in
                guard state.phase != .stopping else { return false }
                guard state.crowd.isOver(waiting: state.ledger.pendingInbound, now: .now()) else { return true }
                for listener in state.listeners { listener.keepsStrangersApart(false) }
                return false
            }
            if goesOn { self.watchCrowd(on: loop) }
        }
    }

    // MARK: Upgrade

    /// Secures and multiplexes a link that is up; on its event loop.
    ///
    /// - Parameter attempt: whose link it is, if we dialled.
    func upgrade(
        _ link: TransportLink, role: ConnectionRole, expecting peer: PeerID?, presuming security: ProtocolID?,
        slot: ResourceLedger.ConnectionSlot, attempt: Dialer.Attempt? = nil
    ) -> EventLoopFuture<SwarmConnection> {
        let holder = ConnectionHolder()
        var configuration = ConnectionConfiguration(
            upgrade: ConnectionUpgrade.Configuration(
                identity: self.configuration.identity, expectedPeer: peer, security: self.configuration.security,
                muxers: self.configuration.muxers, assumeSecurity: security)
        ) { [weak self] stream in
            guard let self, let connection = holder.connection else {
                return stream.reset(code: YamuxCode.streamShutdown)
            }
            self.inbound(stream, on: connection)
        }
        let limits = self.configuration.limits
        configuration.yamux = YamuxConfiguration(limits: limits)
        configuration.upgradeTimeout = role == .responder ? limits.inboundUpgradeTimeout : limits.dialTimeout
        configuration.windowBudget = self.windowBudget
        configuration.streamBudget = self.streamBudget
        configuration.onRefusal = { [weak self] limit in self?.countRefusal(by: limit) }
        configuration.tls = self.configuration.tls
        configuration.frameObserver = self.configuration.frameObserver
        return MuxedConnection.upgrade(
            link.channel, role: role, localAddress: link.localAddress, remoteAddress: link.remoteAddress,
            configuration: configuration, keys: self.noiseKeys()
        ).flatMapThrowing { muxed in
            let connection = try self.established(
                muxed, over: link.channel, direction: role == .initiator ? .outbound : .inbound,
                usesListeningPort: link.usesListeningPort, slot: slot, attempt: attempt)
            holder.connection = connection
            // The muxer's callback must not keep the connection alive past its end.
            muxed.closeFuture.whenComplete { _ in holder.connection = nil }
            return connection
        }
    }

    private func noiseKeys() -> NoiseKeys {
        var generator = SystemRandomNumberGenerator()
        return self.noiseKey.map { NoiseKeys(signed: $0, using: &generator) } ?? NoiseKeys(using: &generator)
    }

    // MARK: Ready and ended

    /// A connection is secured and multiplexed. Enters it into the tables, or closes it if there is no room.
    ///
    /// On the connection's event loop, before any stream of it is delivered.
    func established(
        _ muxed: MuxedConnection, over channel: any Channel, direction: Direction, usesListeningPort: Bool,
        slot: ResourceLedger.ConnectionSlot, attempt: Dialer.Attempt?
    ) throws -> SwarmConnection {
        let peer = muxed.remotePeer
        let now = MonotonicInstant.now()
        let outcome: Result<(SwarmConnection, [SwarmConnection]), any Error> = self.state.withLock { state in
            guard state.phase != .stopping, state.ledger.isReserved(slot) else {
                return .failure(DialError(.stopped, peer: peer))
            }
            guard peer != self.localPeer else { return .failure(DialError(.selfDial, peer: peer)) }
            guard !state.refusedPeers.contains(peer) else { return .failure(DialError(.refused, peer: peer)) }
            do throws(LimitExceeded) { try state.ledger.bind(slot, to: peer) } catch { return .failure(error) }
            let connection = SwarmConnection(
                id: state.takeNumber(), muxed: muxed, direction: direction, opened: now,
                usesListeningPort: usesListeningPort, slot: slot)
            let older = state.connections[peer] ?? []
            state.connections[peer] = older + [connection]
            state.strangers[slot] = nil
            if let attempt { state.connected(attempt) }
            state.book.connected(peer, security: muxed.security, now: now)
            if direction == .outbound { state.book.dialSucceeded(muxed.remoteAddress, of: peer, now: now) }
            return .success((connection, older))
        }
        let connection: SwarmConnection
        let older: [SwarmConnection]
        do { (connection, older) = try outcome.get() } catch {
            self.logger.debug(
                "connection refused after its handshake", metadata: ["peer": "\(peer)", "reason": "\(brief(error))"])
            if let exceeded = error as? LimitExceeded { self.limitReached(exceeded) }
            if direction == .inbound { self.callbacks.connectionRefused(muxed.remoteAddress, peer, error) }
            muxed.close(code: error is LimitExceeded ? ConnectionCode.resourceLimit : ConnectionCode.normal)
            throw error
        }
        // A peer that connects once more may have lost the others without our being told, by a change of networks, say. Until
        // they show that they live, the new one is preferred to its equals among them (`ConnectionPreference`).
        if direction == .inbound { for other in older { other.muxed.probe() } }
        // It only ever succeeds.
        muxed.closeFuture.whenSuccess { [weak self] reason in self?.ended(connection, over: channel, reason) }
        self.logger.debug(
            "connected",
            metadata: [
                "peer": "\(peer)", "conn": "\(connection.id)", "addr": "\(muxed.remoteAddress)",
                "direction": "\(direction)",
            ])
        self.metrics.connectionOpened(direction)
        self.callbacks.connected(connection)
        if direction == .inbound, !connection.isLimited { self.satisfyDial(of: peer, with: connection) }
        return connection
    }

    func ended(_ connection: SwarmConnection, over channel: any Channel, _ reason: CloseReason) {
        let now = MonotonicInstant.now()
        // Over TLS the socket waits for the peer's goodbye, and its descriptor is in use until then. So it is of established
        // connections only: an attempt of ours that fails behind its handshake gives its place back at once.
        let holdsSocket = channel.isActive
        if holdsSocket {
            channel.closeFuture.whenComplete { [weak self] _ in
                self?.state.withLock { $0.ledger.release(connection.slot) }
            }
        }
        let isLast: Bool? = self.state.withLock { state in
            if !holdsSocket { state.ledger.release(connection.slot) }
            guard let index = state.connections[connection.peer]?.firstIndex(where: { $0.id == connection.id }) else {
                return nil
            }
            state.connections[connection.peer]?.remove(at: index)
            guard state.connections[connection.peer]?.isEmpty == true else { return false }
            state.connections[connection.peer] = nil
            state.book.disconnected(connection.peer, now: now)
            return true
        }
        guard let isLast else { return }
        self.logger.debug("disconnected", metadata: ["peer": "\(connection.peer)", "conn": "\(connection.id)"])
        self.metrics.connectionClosed()
        self.callbacks.disconnected(connection, isLast, reason)
    }

    /// The peer opened a stream.
    func inbound(_ stream: MuxedStream, on connection: SwarmConnection) {
        let reserved: Result<ResourceLedger.StreamSlot, LimitExceeded>? = self.state.withLock { state in
            // Its connection is closing, and until then it gets nothing more.
            guard !state.refusedPeers.contains(connection.peer) else { return nil }
            do throws(LimitExceeded) {
                return .success(try state.ledger.reserveStream(on: connection.slot, direction: .inbound))
            } catch {
                return .failure(error)
            }
        }
        switch reserved {
        case nil: stream.reset(code: YamuxCode.streamShutdown)
        case .success(let slot):
            self.release(slot, afterEndOf: stream)
            self.callbacks.inboundStream(stream, connection, slot)
        case .failure(let exceeded):
            self.limitReached(exceeded)
            stream.refuse(code: YamuxCode.streamResourceLimit)
        }
    }

    // MARK: Upkeep

    /// Closes what is too many or redundant, and forgets what is stale. Runs by itself at every interval.
    public func maintain() {
        let now = MonotonicInstant.now()
        let (redundant, trimmed) = self.state.withLock { state -> ([SwarmConnection], [SwarmConnection]) in
            state.book.expire(now: now)
            var redundant: [SwarmConnection] = []
            for (peer, all) in state.connections where all.count > 1 {
                let ids = ConnectionPreference(local: self.localPeer, remote: peer).redundant(
                    among: state.candidates(of: peer), settle: self.configuration.redundantConnectionSettle, now: now)
                redundant += all.filter { ids.contains($0.id) }
            }
            guard self.configuration.trimming != nil else { return (redundant, []) }
            let all = state.connections.values.flatMap(\.self)
            let victims = state.trimming.victims(
                among: all.map {
                    ConnectionTrimming.Candidate(
                        id: $0.id, peer: $0.peer, opened: $0.opened,
                        streams: state.ledger.busyStreamCount(on: $0.slot), direction: $0.direction)
                }, now: now)
            let chosen = Set(victims)
            return (redundant, chosen.isEmpty ? [] : all.filter { chosen.contains($0.id) })
        }
        for connection in redundant { connection.muxed.close(code: ConnectionCode.supplanted) }
        for connection in trimmed { connection.muxed.close(code: ConnectionCode.garbageCollected) }
    }
}

/// Hands a connection to the callback that was made before it existed. Set and read on the connection's event loop.
private final class ConnectionHolder: Sendable {
    private let storage = Mutex<SwarmConnection?>(nil)
    var connection: SwarmConnection? {
        get { self.storage.withLock { $0 } }
        set { self.storage.withLock { $0 = newValue } }
    }
}
