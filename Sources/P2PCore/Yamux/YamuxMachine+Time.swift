/// What time brings: pings, late acknowledgements, a dead peer.
extension YamuxMachine {
    /// When `timerFired` has something to do next.
    public var nextDeadline: MonotonicInstant {
        var deadline = self.nextPing
        if let ping = self.pingInFlight { deadline = min(deadline, self.silenceLimit(ping)) }
        if let due = self.acknowledgementsDue { deadline = min(deadline, due) }
        if let due = self.lingerDue { deadline = min(deadline, due) }
        if let blocked = self.writeBlockedAt {
            deadline = min(deadline, blocked.advanced(by: self.configuration.writeTimeout))
        }
        return deadline
    }

    /// Does what is due at `now`. Early calls are harmless.
    /// - Throws: `.keepAliveTimedOut` when nothing came for too long, `.writeTimedOut` when nothing could be sent.
    public mutating func timerFired(now: MonotonicInstant, into events: inout [Event]) throws(YamuxError) {
        if let blocked = self.writeBlockedAt, now >= blocked.advanced(by: self.configuration.writeTimeout) {
            throw .writeTimedOut
        }
        if let ping = self.pingInFlight, now >= self.silenceLimit(ping) { throw .keepAliveTimedOut }
        if let due = self.acknowledgementsDue, now >= due { self.sendAcknowledgements(into: &events) }
        if let due = self.lingerDue, now >= due { self.resetLingering(now: now, into: &events) }
        if now >= self.nextPing {
            if self.pingInFlight == nil {
                self.ping(now: now, into: &events)
            } else {
                self.nextPing = now.advanced(by: self.configuration.keepAliveInterval)
            }
        }
    }

    /// Asks the peer for a round trip now. One question is under way at a time; another call joins it.
    public mutating func ping(now: MonotonicInstant, into events: inout [Event]) {
        self.nextPing = now.advanced(by: self.configuration.keepAliveInterval)
        guard self.pingInFlight == nil else { return }
        self.lastPingValue &+= 1
        // What was under way before the last question had left when its answer came.
        let way = Duration.seconds(self.claimedBytes) / max(1, self.configuration.thinnestLink)
        self.claimedBytes = 0
        self.pingInFlight = PingInFlight(
            value: self.lastPingValue, sentAt: now,
            leavesBy: now.advanced(by: min(way, self.configuration.longestWay)))
        events.append(.send(YamuxHeader(kind: .ping, flags: .syn, streamID: 0, length: self.lastPingValue)))
    }

    /// The link takes no bytes since `now`, or takes them again.
    public mutating func writabilityChanged(_ isWritable: Bool, now: MonotonicInstant) {
        if isWritable {
            self.writeBlockedAt = nil
        } else if self.writeBlockedAt == nil {
            self.writeBlockedAt = now
        }
    }

    /// The link is full, but has taken bytes meanwhile.
    public mutating func bytesSent(now: MonotonicInstant) {
        if self.writeBlockedAt != nil { self.writeBlockedAt = now }
    }

    /// Bytes arrived that are no whole header yet: the peer is alive.
    public mutating func bytesReceived(now: MonotonicInstant) { self.lastReceived = now }

    /// Sends every acknowledgement that found no frame to ride on.
    public mutating func sendAcknowledgements(into events: inout [Event]) {
        for id in self.acknowledgementsOwed { self.announce(id, into: &events) }
        self.acknowledgementsOwed.removeAll(keepingCapacity: self.acknowledgementsOwed.count <= 64)
        self.acknowledgementsDue = nil
    }

    /// An answer may be stuck behind data on a slow link, so any sign of life after the question counts; and so may be the
    /// question, behind data of ours.
    private func silenceLimit(_ ping: PingInFlight) -> MonotonicInstant {
        max(ping.leavesBy, self.lastReceived).advanced(by: self.configuration.keepAliveTimeout)
    }

    /// Streams that the application has closed `creditPatience` ago and whose last bytes the peer gives no credit for, the
    /// longest closed first.
    public func closedWithoutCredit(now: MonotonicInstant) -> [UInt32] {
        let all: [(id: UInt32, closed: MonotonicInstant)] = self.streams.compactMap { id, stream in
            guard let closed = stream.readClosedAt, stream.local == .open, stream.sendCredit == 0,
                closed.duration(to: now) >= self.configuration.creditPatience
            else { return nil }
            return (id, closed)
        }
        return all.sorted { ($0.closed, $0.id) < ($1.closed, $1.id) }.map(\.id)
    }

    /// When a closed stream has lingered for long enough; nil while its last bytes are on their way. A peer that takes them, however
    /// slowly, is waited for: what they hold is given up before that if others need the room (`closedWithoutCredit`).
    private func lingersUntil(_ stream: Stream) -> MonotonicInstant? {
        guard let closed = stream.readClosedAt else { return nil }
        if stream.local == .finished {
            return closed.advanced(by: stream.patience ?? self.configuration.finishedLingerTimeout)
        }
        guard stream.sendCredit == 0 else { return nil }
        return max(closed, stream.lastCredit ?? closed).advanced(by: self.configuration.lingerTimeout)
    }

    private mutating func resetLingering(now: MonotonicInstant, into events: inout [Event]) {
        let stale = self.streams.filter { _, stream in self.lingersUntil(stream).map { $0 <= now } ?? false }
        for (id, stream) in stale {
            events.append(.send(Self.frame(.windowUpdate, id, flags: .rst, length: YamuxCode.streamGarbageCollected)))
            events.append(.reset(id, code: YamuxCode.streamGarbageCollected, byPeer: false))
            self.expectLateBytes(of: stream)
            self.remove(id, stream, into: &events)
        }
        let someAreLeft = self.streams.values.contains { $0.readClosedAt != nil }
        self.lingerDue = someAreLeft ? now.advanced(by: self.configuration.lingerInterval) : nil
    }
}
