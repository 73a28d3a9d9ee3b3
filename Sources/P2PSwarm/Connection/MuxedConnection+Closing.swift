import NIOCore
import P2PCore
import Synchronization

/// The ways a connection ends.
extension MuxedConnection {
    /// Closes in order; see `close(code:)`.
    func beginClose(code: UInt32) {
        guard case .open = self.life else { return }
        self.isEnding.store(true, ordering: .relaxed)
        self.life = .draining(code: code)
        self.sendHeldBack(until: MonotonicInstant(nanoseconds: .max))
        self.refuseOpeners(.closed(.local(code: code)))
        self.closeTimer = self.scheduleClose { $0.finishDraining() }
        self.scheduleFlush()
    }

    /// Called after each flush.
    func drainedIfIdle() {
        guard case .draining = self.life, self.control.readableBytes == 0, self.statistics.pendingBytes == 0 else {
            return
        }
        self.finishDraining()
    }

    private func finishDraining() {
        guard case .draining(let code) = self.life else { return }
        self.closeTimer?.cancel()
        let reason = self.closeReason(code: code)
        // After the time limit data may be left: it is given up.
        self.ready.removeAll()
        // Go-away is the last thing: some peers end the session on it at once.
        self.machine.goAway(code: code, into: &self.events)
        self.handleEvents()
        self.life = .halfClosed(reason)
        self.flush(regardless: true)
        self.failStreams(.connectionClosed(reason))
        self.pipe?.closeOutput()
        self.closeTimer = self.scheduleClose { $0.end(reason) }
    }

    /// Why a connection ends that we close with this code.
    func closeReason(code: UInt32) -> CloseReason {
        guard self.followsGoAway, let theirs = self.machine.receivedGoAway else { return .local(code: code) }
        return .remote(code: theirs)
    }

    /// The peer takes no new streams, and so neither side has any use for the connection once those that are open have ended. Most
    /// peers close at once; one that does not would keep a place that counts as a connection with it.
    func peerGoesAway() {
        self.isEnding.store(true, ordering: .relaxed)
        guard case .open = self.life else { return }
        let delay = TimeAmount(self.configuration.closeTimeout + self.configuration.goAwayGrace)
        self.goAwayTimer = self.eventLoop.assumeIsolated().scheduleTask(in: delay) { self.followGoAway() }
        self.closeIfDeserted()
    }

    /// Called when a stream has gone.
    func closeIfDeserted() {
        if self.machine.receivedGoAway != nil, self.streams.isEmpty { self.followGoAway() }
    }

    private func followGoAway() {
        guard case .open = self.life else { return }
        self.followsGoAway = true
        self.beginClose(code: YamuxCode.normal)
    }

    private func scheduleClose(_ body: @escaping (MuxedConnection) -> Void) -> Scheduled<Void> {
        let delay = TimeAmount(self.configuration.closeTimeout)
        return self.eventLoop.assumeIsolated().scheduleTask(in: delay) { body(self) }
    }

    /// Ends at once, telling the peer why as far as the pipe takes it.
    func fail(_ reason: CloseReason, code: UInt32) {
        if case .closed = self.life { return }
        // The go-away is an event too, behind those in hand.
        if self.isHandlingEvents {
            if self.failure == nil { self.failure = (reason, code) }
            return
        }
        if let limit = reason.limit { self.configuration.onRefusal(limit) }
        self.ready.removeAll()
        self.machine.goAway(code: code, into: &self.events)
        self.handleEvents()
        self.flush(regardless: true)
        self.end(reason)
    }

    /// The connection is over: everyone who waits learns of it, nothing is kept.
    func end(_ reason: CloseReason) {
        if case .closed = self.life { return }
        self.isEnding.store(true, ordering: .relaxed)
        self.life = .closed(reason)
        self.timer?.cancel()
        self.closeTimer?.cancel()
        self.goAwayTimer?.cancel()
        self.timer = nil
        self.closeTimer = nil
        self.failStreams(.connectionClosed(reason))
        self.refuseOpeners(.closed(reason))
        if self.reservedWindowBytes > 0 { self.windowShare?.release(self.reservedWindowBytes) }
        self.reservedWindowBytes = 0
        // What arrived and is unread stays in memory until it is read or dropped, and so in the budget.
        self.settleReservation()
        self.ready.removeAll()
        self.heldBack = []
        self.control = ByteBuffer()
        self.incompleteFrame = nil
        self.opener = nil
        self.sealer = nil
        let pipe = self.pipe
        self.pipe = nil
        pipe?.close()
        self.closePromise.succeed(reason)
    }

    func refuseOpeners(_ error: ConnectionError) {
        while let opener = self.openers.popFirst() { opener.continuation.resume(throwing: error) }
    }

    private func failStreams(_ error: StreamError) {
        let streams = self.streams
        self.streams.removeAll()
        self.ready.removeAll()
        self.payloadStream = nil
        for state in streams.values { self.statistics.pendingBytes -= state.fail(error, keepingUnread: true) }
    }
}
