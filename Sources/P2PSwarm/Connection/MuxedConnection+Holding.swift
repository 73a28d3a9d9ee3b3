import P2PCore
import Synchronization

/// The bytes that wait in streams: written and not sent, or received and not read.
///
/// What is little is not reserved, and the rest in large steps, so that a connection whose bytes pass through asks nobody.
extension MuxedConnection {
    /// Unread bytes of a connection that need no reservation: what one stream's first window is.
    public static let freeUnreadBytes = 256 * 1024
    /// Unsent bytes of a connection that need no reservation.
    public static let freePendingBytes = 64 * 1024
    /// What is reserved and given back at one time.
    private static let stepBytes = 256 * 1024

    private var neededBytes: Int {
        max(0, self.unreadBytes - Self.freeUnreadBytes) + max(0, self.statistics.pendingBytes - Self.freePendingBytes)
    }

    /// Whether more waits than was reserved for.
    var exceedsReservation: Bool {
        self.configuration.streamBudget != nil && self.neededBytes > self.reservedStreamBytes
    }

    /// Bytes were queued. If nothing can be reserved for them, writers wait from now on until all of their own are sent.
    func reserveForWriter() {
        guard !self.makeRoom() else { return }
        if self.writeRoom.exchange(0, ordering: .relaxed) > 0 { self.configuration.onRefusal(.streamBytes) }
    }

    /// Bytes went into an inbox. If nothing can be reserved for them, the stream is reset.
    func hasUnread(_ state: StreamState, added: Int) {
        self.unreadBytes += added
        guard self.exceedsReservation, self.unreadBytes > Self.freeUnreadBytes, !self.makeRoom() else { return }
        self.configuration.onRefusal(.streamBytes)
        self.reset(state, code: YamuxCode.streamResourceLimit)
    }

    /// Bytes were taken out of an inbox, or dropped.
    func noLongerUnread(_ count: Int) {
        self.unreadBytes -= count
        self.settleReservation()
    }

    /// Gives back what is not needed any more, and lets writers go on.
    func settleReservation() {
        guard self.reservedStreamBytes > 0 || self.writeRoom.load(ordering: .relaxed) == 0 else { return }
        let needed = self.neededBytes
        let steps = Self.wholeSteps(needed)
        if needed == 0 || self.reservedStreamBytes >= steps + 2 * Self.stepBytes {
            self.streamShare?.release(self.reservedStreamBytes - steps)
            self.reservedStreamBytes = steps
        }
        if needed <= self.reservedStreamBytes {
            self.writeRoom.store(self.configuration.streamWriteBuffer, ordering: .relaxed)
        }
    }

    private static func wholeSteps(_ bytes: Int) -> Int {
        (bytes + self.stepBytes - 1) / self.stepBytes * self.stepBytes
    }

    private func reserveNeeded() -> Bool {
        let missing = Self.wholeSteps(self.neededBytes) - self.reservedStreamBytes
        if missing <= 0 { return true }
        guard self.streamShare?.reserve(missing) ?? true else { return false }
        self.reservedStreamBytes += missing
        return true
    }

    /// Reserves what is needed; if there is too little, what was closed long ago and the peer takes nothing from makes room.
    private func makeRoom() -> Bool {
        if self.reserveNeeded() { return true }
        for id in self.machine.closedWithoutCredit(now: self.tick()) {
            guard let state = self.streams[id] else { continue }
            self.configuration.onRefusal(.streamBytes)
            self.reset(state, code: YamuxCode.streamResourceLimit)
            if self.reserveNeeded() { return true }
        }
        return false
    }
}
