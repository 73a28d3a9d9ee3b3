/// What the peer sends.
extension YamuxMachine {
    /// Takes one header off the wire.
    ///
    /// After a `payload` event the owner delivers that many bytes and then calls `payloadCompleted`.
    /// - Throws: the reason for which the session must end now.
    public mutating func received(
        _ header: YamuxHeader, now: MonotonicInstant, into events: inout [Event]
    ) throws(YamuxError) {
        precondition(
            self.payloadInProgress == nil, "a header was fed before the payload of the last frame was complete")
        self.lastReceived = now
        switch header.kind {
        case .data, .windowUpdate:
            try self.receivedStreamFrame(header, now: now, into: &events)
        case .ping:
            try self.receivedPing(header, now: now, into: &events)
        case .goAway:
            guard header.streamID == 0 else { throw .sessionFrameOnStream(header.streamID) }
            if self.receivedGoAway == nil {
                self.receivedGoAway = header.length
                events.append(.goAway(code: header.length))
            }
        }
    }

    /// The bytes announced by the last `payload` event have arrived.
    public mutating func payloadCompleted(into events: inout [Event]) {
        guard let payload = self.payloadInProgress else { return }
        self.payloadInProgress = nil
        if payload.endsStream, let id = payload.stream { self.remoteFinished(id, into: &events) }
    }

    private mutating func receivedStreamFrame(
        _ header: YamuxHeader, now: MonotonicInstant, into events: inout [Event]
    ) throws(YamuxError) {
        let id = header.streamID
        let payloadLength = header.kind == .data ? header.length : 0
        guard id != 0 else { throw .streamFrameOnSession }
        guard payloadLength <= self.configuration.maximumStreamWindow else {
            throw .windowExceeded(
                stream: id, granted: self.streams[id]?.receiveCredit ?? 0, received: payloadLength)
        }
        if header.flags.contains(.syn) {
            guard try self.receivedOpen(header, now: now, into: &events) else {
                return self.expectPayload(nil, payloadLength, endsStream: false, into: &events)
            }
        }
        // A stream whose SYN is not out yet is unknown to the peer, whatever it guesses.
        guard var stream = self.streams[id], !stream.owed.contains(.syn) else {
            if !self.takeLateBytes(payloadLength), payloadLength < Self.smallPayload, !self.lateFrames.take(now: now) {
                throw .emptyFrameFlood
            }
            return self.expectPayload(nil, payloadLength, endsStream: false, into: &events)
        }
        if header.flags.contains(.rst) {
            if stream.isInbound, !self.churn.take(now: now) { throw .resetFlood }
            let code = header.kind == .windowUpdate ? header.length : 0
            events.append(.reset(id, code: code, byPeer: true))
            self.remove(id, stream, into: &events)
            return self.expectPayload(nil, payloadLength, endsStream: false, into: &events)
        }

        var hadEffect = header.flags.contains(.syn) || header.length > 0
        // Any answer shows that the stream was taken; not every implementation sends the flag.
        if !stream.isInbound, !stream.isAccepted {
            stream.isAccepted = true
            hadEffect = true
            self.releaseBacklog(into: &events)
        }
        let finishes = header.flags.contains(.fin) && stream.remote == .open
        hadEffect = hadEffect || finishes
        if !hadEffect, !self.emptyFrames.take(now: now) { throw .emptyFrameFlood }

        if header.kind == .windowUpdate {
            if header.length > 0 {
                if !stream.awaitsCredit, !self.lateFrames.take(now: now) { throw .emptyFrameFlood }
                stream.awaitsCredit = false
            }
            let wasBlocked = stream.sendCredit == 0
            let (sum, overflow) = stream.sendCredit.addingReportingOverflow(header.length)
            stream.sendCredit = overflow ? .max : sum
            if stream.readClosedAt != nil, header.length > 0 { stream.lastCredit = now }
            self.streams[id] = stream
            if wasBlocked, stream.sendCredit > 0, stream.local == .open { events.append(.writable(id)) }
            if finishes { self.remoteFinished(id, into: &events) }
            return
        }

        guard stream.remote == .open || payloadLength == 0 else {
            self.streams[id] = stream
            try self.resetByUs(id, code: YamuxCode.streamViolation, now: now, into: &events)
            return self.expectPayload(nil, payloadLength, endsStream: false, into: &events)
        }
        guard payloadLength <= stream.receiveCredit else {
            throw .windowExceeded(stream: id, granted: stream.receiveCredit, received: payloadLength)
        }
        stream.receiveCredit -= payloadLength
        if stream.readClosedAt != nil {
            // Nobody reads: drained without giving credit back. A reset here would destroy our last answer on its way.
            self.streams[id] = stream
            if payloadLength == 0 { return finishes ? self.remoteFinished(id, into: &events) : () }
            self.payloadInProgress = PayloadInProgress(stream: id, endsStream: finishes)
            events.append(.payload(nil, count: payloadLength))
            return
        }
        guard self.bufferedBytes + Int(payloadLength) <= self.configuration.maximumBufferedBytes else {
            events.append(.refused(.unreadBytesPerConnection))
            self.streams[id] = stream
            try self.resetByUs(id, code: YamuxCode.streamResourceLimit, now: now, into: &events)
            return self.expectPayload(nil, payloadLength, endsStream: false, into: &events)
        }
        stream.buffered += payloadLength
        self.bufferedBytes += Int(payloadLength)
        self.streams[id] = stream
        if payloadLength == 0 {
            if finishes { self.remoteFinished(id, into: &events) }
        } else {
            self.expectPayload(id, payloadLength, endsStream: finishes, into: &events)
        }
    }

    private mutating func expectPayload(
        _ id: UInt32?, _ count: UInt32, endsStream: Bool, into events: inout [Event]
    ) {
        guard count > 0 else { return }
        self.payloadInProgress = PayloadInProgress(stream: id, endsStream: endsStream)
        events.append(.payload(id, count: count))
    }

    /// Returns whether the stream is alive afterwards; a refused one has been answered with a reset.
    private mutating func receivedOpen(
        _ header: YamuxHeader, now: MonotonicInstant, into events: inout [Event]
    ) throws(YamuxError) -> Bool {
        let id = header.streamID
        guard (id % 2 == 1) == (self.role == .responder) else { throw .wrongParity(id) }
        guard self.streams[id] == nil else { throw .duplicateOpen(id) }
        if header.flags.contains(.rst) {
            guard self.churn.take(now: now) else { throw .resetFlood }
            return false
        }
        let limit = self.limitOfOpening
        if self.isGoingAway || limit != nil {
            guard self.churn.take(now: now) else { throw .resetFlood }
            let code = self.isGoingAway ? YamuxCode.streamShutdown : YamuxCode.streamResourceLimit
            events.append(.send(Self.frame(.windowUpdate, id, flags: .rst, length: code)))
            if let limit { events.append(.refused(limit)) }
            return false
        }
        self.inbound += 1
        self.unaccepted += 1
        self.streams[id] = Stream(isInbound: true, owed: [], lastUpdate: now)
        events.append(.opened(id))
        return true
    }

    /// The limit that one more stream of the peer's would exceed. A session that is going away takes none for another reason.
    private var limitOfOpening: LimitName? {
        if self.isGoingAway { return nil }
        if self.inbound >= self.configuration.maximumInbound { return .inboundStreamsPerConnection }
        return self.unaccepted >= self.configuration.maximumUnaccepted ? .untouchedStreamsPerConnection : nil
    }

    /// Ends a stream for what the peer sent on it, which the owner does not know yet.
    private mutating func resetByUs(
        _ id: UInt32, code: UInt32, now: MonotonicInstant, into events: inout [Event]
    ) throws(YamuxError) {
        try self.refuse(id, code: code, now: now, into: &events)
        events.append(.reset(id, code: code, byPeer: false))
    }

    private mutating func remoteFinished(_ id: UInt32, into events: inout [Event]) {
        guard var stream = self.streams[id], stream.remote == .open else { return }
        stream.remote = .finished
        self.streams[id] = stream
        events.append(.endOfStream(id))
        self.removeIfFinished(id, stream, into: &events)
    }

    private mutating func receivedPing(
        _ header: YamuxHeader, now: MonotonicInstant, into events: inout [Event]
    ) throws(YamuxError) {
        guard header.streamID == 0 else { throw .sessionFrameOnStream(header.streamID) }
        if header.flags.contains(.syn) {
            guard self.pingFlood.take(now: now) else { throw .pingFlood }
            // Beyond the answering rate questions are dropped: the asker has a time limit of its own.
            guard self.pingAnswers.take(now: now) else { return events.append(.refused(.pings)) }
            events.append(.send(YamuxHeader(kind: .ping, flags: .ack, streamID: 0, length: header.length)))
        } else if header.flags.contains(.ack), let ping = self.pingInFlight, ping.value == header.length {
            self.pingInFlight = nil
            let sample = ping.sentAt.duration(to: now)
            self.leastRoundTripTime = min(sample, self.leastRoundTripTime ?? sample)
            let smoothed = self.roundTripTime.map { ($0 + sample) / 2 } ?? sample
            self.roundTripTime = smoothed
            events.append(.roundTrip(sample))
        } else if !self.emptyFrames.take(now: now) {
            throw .emptyFrameFlood
        }
    }
}
