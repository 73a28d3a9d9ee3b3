import P2PCore
import Testing

/// A machine with its sink and a clock that tests move by hand.
struct YamuxRig {
    var machine: YamuxMachine
    var now = MonotonicInstant(nanoseconds: 1_000_000_000_000)

    init(_ role: ConnectionRole, _ configure: (inout YamuxConfiguration) -> Void = { _ in }) {
        var configuration = YamuxConfiguration()
        configure(&configuration)
        self.machine = YamuxMachine(role: role, configuration: configuration, now: self.now)
    }

    mutating func run(
        _ body: (inout YamuxMachine, MonotonicInstant, inout [YamuxMachine.Event]) throws(YamuxError) -> Void
    ) throws(YamuxError) -> [YamuxMachine.Event] {
        var events: [YamuxMachine.Event] = []
        try body(&self.machine, self.now, &events)
        return events
    }

    /// Feeds one frame; the payload, if any, arrives at once.
    mutating func feed(
        _ kind: YamuxHeader.Kind, _ flags: YamuxHeader.Flags = [], _ id: UInt32, _ length: UInt32 = 0
    ) throws(YamuxError) -> [YamuxMachine.Event] {
        try self.run { machine, now, events throws(YamuxError) in
            try machine.received(.init(kind: kind, flags: flags, streamID: id, length: length), now: now, into: &events)
            machine.payloadCompleted(into: &events)
        }
    }

    mutating func open() -> UInt32 {
        guard case .opened(let id) = self.machine.openStream(now: self.now) else {
            Issue.record("no stream could be opened")
            return 0
        }
        return id
    }

    mutating func advance(_ duration: Duration) { self.now = self.now.advanced(by: duration) }
}

private func update(_ flags: YamuxHeader.Flags, _ id: UInt32, _ length: UInt32 = 0) -> YamuxMachine.Event {
    .send(.init(kind: .windowUpdate, flags: flags, streamID: id, length: length))
}

@Suite struct YamuxMachineTests {
    let window = YamuxConfiguration.initialWindow

    // MARK: Opening and accepting

    @Test func idsFollowTheRole() {
        var dialer = YamuxRig(.initiator)
        var listener = YamuxRig(.responder)
        #expect((0..<3).map { _ in dialer.open() } == [1, 3, 5])
        #expect((0..<3).map { _ in listener.open() } == [2, 4, 6])
    }

    @Test func synRidesOnTheFirstFrame() throws {
        var rig = YamuxRig(.initiator)
        let withData = rig.open()
        #expect(rig.machine.claim(withData, count: 5) == .init(kind: .data, flags: .syn, streamID: 1, length: 5))
        #expect(rig.machine.claim(withData, count: 5) == .init(kind: .data, streamID: 1, length: 5))
        let announced = rig.open()
        #expect(try rig.run { m, _, e in m.announce(announced, into: &e) } == [update(.syn, 3)])
        #expect(try rig.run { m, _, e in m.announce(announced, into: &e) } == [])
        let finished = rig.open()
        #expect(try rig.run { m, _, e in m.finish(finished, into: &e) } == [update([.syn, .fin], 5)])
        let never = rig.open()
        #expect(try rig.run { m, _, e in m.reset(never, code: 1, into: &e) } == [])
        #expect(rig.machine.streamCount == 3)
    }

    @Test func ackRidesOnTheFirstFrameOrFollowsLate() throws {
        var rig = YamuxRig(.responder)
        #expect(try rig.feed(.windowUpdate, .syn, 1) == [.opened(1)])
        #expect(try rig.feed(.data, .syn, 3, 4) == [.opened(3), .payload(3, count: 4)])
        rig.machine.accept(1, now: rig.now)
        rig.machine.accept(3, now: rig.now)
        #expect(rig.machine.claim(1, count: 1)?.flags == .ack)
        #expect(rig.machine.nextDeadline <= rig.now.advanced(by: .milliseconds(20)))
        rig.advance(.milliseconds(20))
        let late = try rig.run { m, now, e throws(YamuxError) in try m.timerFired(now: now, into: &e) }
        #expect(late.contains(update(.ack, 3)))
        #expect(!late.contains(update(.ack, 1)))
        #expect(rig.machine.claim(3, count: 1)?.flags == [])
    }

    @Test func firstWindowUpdateAddsToTheWindow() throws {
        var rig = YamuxRig(.responder)
        _ = try rig.feed(.windowUpdate, .syn, 1, 1000)
        #expect(rig.machine.sendCredit(of: 1) == self.window + 1000)
        let id = rig.open()
        _ = rig.machine.claim(id, count: 1)
        _ = try rig.feed(.windowUpdate, .ack, id, 1000)
        #expect(rig.machine.sendCredit(of: id) == self.window - 1 + 1000)
    }

    @Test func openingWaitsAt256Unacknowledged() throws {
        var rig = YamuxRig(.initiator)
        let ids = (0..<256).map { _ in rig.open() }
        #expect(rig.machine.openStream(now: rig.now) == .backlogFull)
        _ = try rig.run { m, _, e in for id in ids { m.announce(id, into: &e) } }
        #expect(try rig.feed(.windowUpdate, .ack, ids[7]) == [.openingAllowed])
        _ = rig.open()
        #expect(rig.machine.openStream(now: rig.now) == .backlogFull)
        // Data without the flag, and a reset, show as well that the peer has seen the stream.
        #expect(try rig.feed(.data, [], ids[8], 1) == [.openingAllowed, .payload(ids[8], count: 1)])
        _ = rig.open()
        #expect(rig.machine.openStream(now: rig.now) == .backlogFull)
        #expect(
            try rig.feed(.windowUpdate, .rst, ids[9], 3)
                == [.reset(ids[9], code: 3, byPeer: true), .openingAllowed])
        #expect(try rig.feed(.windowUpdate, .ack, ids[7]) == [])
    }

    @Test func the257thUntouchedStreamIsReset() throws {
        var rig = YamuxRig(.responder)
        for n in 0..<256 {
            #expect(try rig.feed(.windowUpdate, .syn, UInt32(n * 2 + 1)) == [.opened(UInt32(n * 2 + 1))])
        }
        #expect(
            try rig.feed(.data, .syn, 513, 9) == [
                update(.rst, 513, YamuxCode.streamResourceLimit), .refused(.untouchedStreamsPerConnection),
                .payload(nil, count: 9),
            ])
        rig.machine.accept(1, now: rig.now)
        #expect(try rig.feed(.windowUpdate, .syn, 515) == [.opened(515)])
    }

    @Test func tooManyLivingInboundStreamsAreReset() throws {
        var rig = YamuxRig(.responder) { $0.maximumInbound = 2 }
        for id: UInt32 in [1, 3] {
            _ = try rig.feed(.windowUpdate, .syn, id)
            rig.machine.accept(id, now: rig.now)
        }
        #expect(
            try rig.feed(.windowUpdate, .syn, 5)
                == [update(.rst, 5, YamuxCode.streamResourceLimit), .refused(.inboundStreamsPerConnection)])
        _ = try rig.feed(.windowUpdate, .rst, 1)
        #expect(try rig.feed(.windowUpdate, .syn, 7) == [.opened(7)])
    }

    @Test func idsRunOut() {
        var rig = YamuxRig(.initiator) { $0.maximumUnacknowledged = .max }
        rig.machine.setNextIDForTesting(.max - 2)
        #expect(rig.machine.openStream(now: rig.now) == .opened(.max - 2))
        #expect(rig.machine.openStream(now: rig.now) == .opened(.max))
        #expect(rig.machine.openStream(now: rig.now) == .exhausted)
    }

    @Test func anOpenedAndFinishedStreamInOneFrame() throws {
        var rig = YamuxRig(.responder)
        #expect(
            try rig.feed(.data, [.syn, .fin], 1, 3) == [.opened(1), .payload(1, count: 3), .endOfStream(1)])
        #expect(try rig.run { m, _, e in m.finish(1, into: &e) } == [update(.fin, 1), .closed(1)])
        #expect(rig.machine.streamCount == 0)
    }

    // MARK: Half-close and reset

    @Test(arguments: [true, false]) func bothFinsRemoveTheStream(localFirst: Bool) throws {
        var rig = YamuxRig(.initiator)
        let id = rig.open()
        _ = rig.machine.claim(id, count: 1)
        if localFirst {
            #expect(try rig.run { m, _, e in m.finish(id, into: &e) } == [update(.fin, id)])
            #expect(try rig.feed(.data, .fin, id, 2) == [.payload(id, count: 2), .endOfStream(id), .closed(id)])
        } else {
            #expect(try rig.feed(.windowUpdate, .fin, id) == [.endOfStream(id)])
            #expect(try rig.run { m, _, e in m.finish(id, into: &e) } == [update(.fin, id), .closed(id)])
        }
        #expect(rig.machine.streamCount == 0)
        #expect(rig.machine.bufferedBytes == 0)
        #expect(try rig.feed(.windowUpdate, [], id, 100) == [])
        #expect(try rig.feed(.data, [], id, 100) == [.payload(nil, count: 100)])
    }

    @Test func endOfStreamWaitsForThePayload() throws {
        var rig = YamuxRig(.responder)
        let first = try rig.run { m, now, e throws(YamuxError) in
            try m.received(.init(kind: .data, flags: [.syn, .fin], streamID: 1, length: 7), now: now, into: &e)
        }
        #expect(first == [.opened(1), .payload(1, count: 7)])
        #expect(try rig.run { m, _, e in m.payloadCompleted(into: &e) } == [.endOfStream(1)])
        #expect(try rig.run { m, _, e in m.payloadCompleted(into: &e) } == [])
    }

    @Test func creditIsStillGivenAfterOurFin() throws {
        var rig = YamuxRig(.initiator)
        let id = rig.open()
        _ = rig.machine.claim(id, count: 1)
        _ = try rig.run { m, _, e in m.finish(id, into: &e) }
        _ = try rig.feed(.data, .ack, id, self.window)
        let events = try rig.run { m, now, e in m.consumed(id, count: Int(window), now: now, into: &e) }
        #expect(events == [update([], id, self.window)])
        #expect(rig.machine.claim(id, count: 1) == nil)
    }

    @Test func windowUpdateAfterTheirFinIsOrdinary() throws {
        var rig = YamuxRig(.initiator)
        let id = rig.open()
        _ = rig.machine.claim(id, count: Int(self.window))
        _ = try rig.feed(.windowUpdate, .fin, id)
        #expect(try rig.feed(.windowUpdate, [], id, 10) == [.writable(id)])
        #expect(rig.machine.claim(id, count: 50)?.length == 10)
    }

    @Test func dataAfterTheirFinResetsOnlyTheStream() throws {
        var rig = YamuxRig(.initiator)
        let id = rig.open()
        _ = rig.machine.claim(id, count: 1)
        _ = try rig.feed(.data, .fin, id, 4)
        #expect(
            try rig.feed(.data, [], id, 4) == [
                update(.rst, id, YamuxCode.streamViolation),
                .reset(id, code: YamuxCode.streamViolation, byPeer: false), .payload(nil, count: 4),
            ])
        #expect(rig.machine.bufferedBytes == 0)
    }

    @Test func resetsAreNeverCredit() throws {
        var rig = YamuxRig(.initiator)
        let id = rig.open()
        _ = rig.machine.claim(id, count: 1)
        #expect(try rig.feed(.windowUpdate, .rst, id, 0x1001) == [.reset(id, code: 0x1001, byPeer: true)])
        #expect(rig.machine.sendCredit(of: id) == 0)
        let other = rig.open()
        _ = rig.machine.claim(other, count: 1)
        #expect(
            try rig.feed(.data, .rst, other, 6) == [.reset(other, code: 0, byPeer: true), .payload(nil, count: 6)])
    }

    @Test func resetWhilePayloadArrivesForgetsItsEnd() throws {
        var rig = YamuxRig(.responder)
        _ = try rig.run { m, now, e throws(YamuxError) in
            try m.received(.init(kind: .data, flags: [.syn, .fin], streamID: 1, length: 7), now: now, into: &e)
        }
        #expect(try rig.run { m, _, e in m.reset(1, code: 5, into: &e) } == [update(.rst, 1, 5)])
        #expect(try rig.run { m, _, e in m.payloadCompleted(into: &e) } == [])
        #expect(rig.machine.bufferedBytes == 0)
    }

    @Test func aStreamNobodyReadsIsDrainedAndResetInTheEnd() throws {
        var rig = YamuxRig(.responder)
        _ = try rig.feed(.data, .syn, 1, 100)
        rig.machine.closeRead(1, now: rig.now)
        #expect(rig.machine.bufferedBytes == 0)
        _ = try rig.run { m, _, e in m.finish(1, into: &e) }
        #expect(try rig.feed(.data, [], 1, 100) == [.payload(nil, count: 100)])
        #expect(try rig.run { m, now, e in m.consumed(1, count: 200, now: now, into: &e) } == [])
        rig.advance(rig.machine.configuration.finishedLingerTimeout)
        let events = try rig.run { m, now, e throws(YamuxError) in try m.timerFired(now: now, into: &e) }
        #expect(events.contains(.reset(1, code: YamuxCode.streamGarbageCollected, byPeer: false)))
        #expect(rig.machine.streamCount == 0)
    }

    // MARK: Flow control

    @Test func neverSendsBeyondCredit() throws {
        var rig = YamuxRig(.initiator)
        let id = rig.open()
        #expect(rig.machine.claim(id, count: 200_000)?.length == 200_000)
        #expect(rig.machine.claim(id, count: 200_000)?.length == self.window - 200_000)
        #expect(rig.machine.claim(id, count: 1) == nil)
        #expect(try rig.feed(.windowUpdate, .ack, id, 1) == [.writable(id)])
        #expect(rig.machine.claim(id, count: 9)?.length == 1)
    }

    @Test func creditSaturatesInsteadOfWrapping() throws {
        var rig = YamuxRig(.responder)
        _ = try rig.feed(.windowUpdate, .syn, 1, .max)
        #expect(rig.machine.sendCredit(of: 1) == .max)
        _ = try rig.feed(.windowUpdate, [], 1, .max)
        #expect(rig.machine.sendCredit(of: 1) == .max)
    }

    @Test func creditReturnsOnReadingHalfAWindow() throws {
        var rig = YamuxRig(.responder)
        _ = try rig.feed(.data, .syn, 1, self.window)
        let half = Int(self.window / 2)
        #expect(try rig.run { m, now, e in m.consumed(1, count: half - 1, now: now, into: &e) } == [])
        #expect(
            try rig.run { m, now, e in m.consumed(1, count: 1, now: now, into: &e) } == [update([], 1, window / 2)])
        #expect(try rig.feed(.data, [], 1, self.window / 2).count == 1)
        #expect(throws: YamuxError.windowExceeded(stream: 1, granted: 0, received: 1)) { try rig.feed(.data, [], 1, 1) }
    }

    @Test func oneByteTooManyEndsTheSession() throws {
        var rig = YamuxRig(.responder)
        #expect(throws: YamuxError.windowExceeded(stream: 1, granted: self.window, received: self.window + 1)) {
            try rig.feed(.data, .syn, 1, self.window + 1)
        }
    }

    @Test(arguments: [UInt32(16 << 20) + 1, .max]) func hugeLengthsAreRefusedBeforeAnyByte(length: UInt32) throws {
        var rig = YamuxRig(.responder)
        #expect(throws: YamuxError.windowExceeded(stream: 99, granted: 0, received: length)) {
            try rig.feed(.data, [], 99, length)
        }
    }

    @Test func theSumOfUnreadBytesIsBounded() throws {
        var rig = YamuxRig(.responder) { $0.maximumBufferedBytes = 300_000 }
        _ = try rig.feed(.data, .syn, 1, 200_000)
        #expect(
            try rig.feed(.data, .syn, 3, 100_001) == [
                .opened(3), .refused(.unreadBytesPerConnection), update(.rst, 3, YamuxCode.streamResourceLimit),
                .reset(3, code: YamuxCode.streamResourceLimit, byPeer: false), .payload(nil, count: 100_001),
            ])
        #expect(try rig.feed(.data, .syn, 5, 100_000) == [.opened(5), .payload(5, count: 100_000)])
        #expect(rig.machine.bufferedBytes == 300_000)
    }

    @Test func windowDoublesWithinFourRoundTripsUpToItsCap() throws {
        var rig = YamuxRig(.responder) { $0.maximumStreamWindow = 1 << 20 }
        try rig.measureRoundTrip(.milliseconds(10))
        _ = try rig.feed(.windowUpdate, .syn, 1)
        var granted = self.window
        var updates: [UInt32] = []
        for _ in 0..<4 {
            rig.advance(.milliseconds(39))
            _ = try rig.feed(.data, [], 1, granted)
            let events = try rig.run { m, now, e in m.consumed(1, count: Int(granted), now: now, into: &e) }
            guard case .send(let header)? = events.first else { Issue.record("no update"); return }
            granted = header.length
            updates.append(header.length)
        }
        #expect(updates == [512 << 10, 1 << 20, 1 << 20, 1 << 20])
        rig.advance(.milliseconds(41))
        #expect(rig.machine.grownWindowBytes == 3 * 256 << 10)
        _ = try rig.feed(.windowUpdate, .rst, 1)
        #expect(rig.machine.grownWindowBytes == 0)
    }

    @Test func windowStaysWhenReadingIsSlowOrGrowthIsRefused() throws {
        var rig = YamuxRig(.responder)
        try rig.measureRoundTrip(.milliseconds(10))
        _ = try rig.feed(.data, .syn, 1, self.window)
        let refused = try rig.run { m, now, e in
            m.consumed(1, count: Int(window), now: now, into: &e, grant: { _ in false })
        }
        #expect(refused == [update([], 1, self.window)])
        rig.advance(.milliseconds(40))
        _ = try rig.feed(.data, [], 1, self.window)
        let slow = try rig.run { m, now, e in m.consumed(1, count: Int(window), now: now, into: &e) }
        #expect(slow == [update([], 1, self.window)])
    }

    /// A peer that answers pings late makes a round trip as long as it likes, and of slow reading fast growth.
    @Test func lateAnswersDoNotGrowWindows() throws {
        var rig = YamuxRig(.responder)
        func granted(after time: Duration) throws -> [YamuxMachine.Event] {
            _ = try rig.feed(.data, [], 1, self.window)
            rig.advance(time)
            return try rig.run { m, now, e in m.consumed(1, count: Int(window), now: now, into: &e) }
        }
        try rig.measureRoundTrip(.seconds(60))
        _ = try rig.feed(.windowUpdate, .syn, 1)
        #expect(try granted(after: .seconds(4)) == [update([], 1, self.window)])
        // A long round trip is possible, and within reason.
        #expect(try granted(after: .milliseconds(3_999)) == [update([], 1, 2 * self.window)])
        // Once it was short, it is.
        try rig.measureRoundTrip(.milliseconds(50))
        try rig.measureRoundTrip(.seconds(60))
        for time in [60_000, 200] {
            #expect(try granted(after: .milliseconds(time)) == [update([], 1, self.window)])
        }
        #expect(try granted(after: .milliseconds(199)) == [update([], 1, 3 * self.window)])
    }

    @Test func windowsOfAConnectionShareOneCap() throws {
        var rig = YamuxRig(.responder) { $0.maximumWindowGrowth = 256 << 10 }
        try rig.measureRoundTrip(.milliseconds(10))
        var updates: [UInt32] = []
        for id: UInt32 in [1, 3, 5] { _ = try rig.feed(.data, .syn, id, self.window) }
        for id: UInt32 in [1, 3, 5] {
            let events = try rig.run { m, now, e in m.consumed(id, count: Int(window), now: now, into: &e) }
            if case .send(let header)? = events.first { updates.append(header.length) }
        }
        #expect(updates == [512 << 10, 256 << 10, 256 << 10])
    }

    // MARK: Session

    @Test func pingsAreAnsweredAndMeasured() throws {
        var rig = YamuxRig(.initiator)
        #expect(
            try rig.feed(.ping, .syn, 0, 77) == [.send(.init(kind: .ping, flags: .ack, streamID: 0, length: 77))])
        try rig.measureRoundTrip(.milliseconds(30))
        #expect(rig.machine.roundTripTime == .milliseconds(30))
        try rig.measureRoundTrip(.milliseconds(10))
        #expect(rig.machine.roundTripTime == .milliseconds(20))
    }

    @Test func silenceEndsTheSession() throws {
        var rig = YamuxRig(.initiator)
        try rig.measureRoundTrip(.milliseconds(1))
        rig.now = rig.machine.nextDeadline
        let question = try rig.run { m, now, e throws(YamuxError) in try m.timerFired(now: now, into: &e) }
        #expect(question.count == 1)
        rig.advance(.seconds(5))
        _ = try rig.feed(.windowUpdate, [], 9, 1)  // a sign of life, though no answer
        rig.advance(.seconds(6))
        #expect(try rig.run { m, now, e throws(YamuxError) in try m.timerFired(now: now, into: &e) } == [])
        rig.now = rig.machine.nextDeadline
        #expect(throws: YamuxError.keepAliveTimedOut) {
            try rig.run { m, now, e throws(YamuxError) in try m.timerFired(now: now, into: &e) }
        }
    }

    /// The question may be stuck behind it, and the peer has no reason to say anything before it has taken half a window.
    @Test(arguments: [(10_000, 10_000 / 4_096.0), (1 << 20, 60)])
    func dataBeforeAPingHasItsTimeToLeave(bytes: Int, seconds: Double) throws {
        var rig = YamuxRig(.initiator)
        try rig.measureRoundTrip(.milliseconds(1))
        var left = bytes
        while left > 0 {
            let id = rig.open()
            let header = rig.machine.claim(id, count: left)
            left -= Int(try #require(header).length)
        }
        _ = try rig.run { m, now, e in m.ping(now: now, into: &e) }
        rig.advance(.seconds(10 + seconds) - .milliseconds(1))
        _ = try rig.run { m, now, e throws(YamuxError) in try m.timerFired(now: now, into: &e) }
        rig.advance(.milliseconds(1))
        #expect(throws: YamuxError.keepAliveTimedOut) {
            try rig.run { m, now, e throws(YamuxError) in try m.timerFired(now: now, into: &e) }
        }
    }

    @Test func aPeerThatTakesNothingEndsTheSession() throws {
        var rig = YamuxRig(.initiator)
        rig.machine.writabilityChanged(false, now: rig.now)
        rig.advance(.seconds(20))
        rig.machine.writabilityChanged(false, now: rig.now)
        rig.advance(.seconds(10))
        #expect(throws: YamuxError.writeTimedOut) {
            try rig.run { m, now, e throws(YamuxError) in try m.timerFired(now: now, into: &e) }
        }
        rig.machine.writabilityChanged(true, now: rig.now)
        _ = try rig.run { m, now, e throws(YamuxError) in try m.timerFired(now: now, into: &e) }
    }

    @Test func aPeerThatTakesBytesSlowlyIsNotOneThatTakesNone() throws {
        var rig = YamuxRig(.initiator)
        rig.machine.bytesSent(now: rig.now)
        rig.machine.writabilityChanged(false, now: rig.now)
        for _ in 0..<5 {
            rig.advance(.seconds(29))
            _ = try rig.feed(.windowUpdate, [], 9, 1)  // the peer lives
            rig.machine.bytesSent(now: rig.now)
            _ = try rig.run { m, now, e throws(YamuxError) in try m.timerFired(now: now, into: &e) }
        }
        rig.advance(.seconds(30))
        #expect(throws: YamuxError.writeTimedOut) {
            try rig.run { m, now, e throws(YamuxError) in try m.timerFired(now: now, into: &e) }
        }
    }

    @Test func closedStreamsWithoutCreditAreToldOldestFirst() throws {
        var rig = YamuxRig(.responder) { $0.creditPatience = .seconds(5) }
        for id: UInt32 in [1, 3, 5, 7] { _ = try rig.feed(.windowUpdate, .syn, id) }
        for id: UInt32 in [3, 1, 5] {
            #expect(rig.machine.claim(id, count: Int(self.window))?.length == self.window)
            rig.machine.closeRead(id, now: rig.now)
            rig.advance(.seconds(1))
        }
        rig.machine.closeRead(7, now: rig.now)
        #expect(rig.machine.closedWithoutCredit(now: rig.now) == [])
        rig.advance(.seconds(3))
        #expect(rig.machine.closedWithoutCredit(now: rig.now) == [3, 1])
        rig.advance(.seconds(1))
        #expect(rig.machine.closedWithoutCredit(now: rig.now) == [3, 1, 5])
        // Credit, or the end of our side, and it is none of them.
        _ = try rig.feed(.windowUpdate, [], 1, 1)
        _ = try rig.run { m, _, e in m.finish(5, into: &e) }
        #expect(rig.machine.closedWithoutCredit(now: rig.now) == [3])
    }

    @Test func goAwayStopsNewStreams() throws {
        var rig = YamuxRig(.initiator)
        let id = rig.open()
        _ = rig.machine.claim(id, count: 1)
        #expect(try rig.feed(.goAway, [], 0, 0) == [.goAway(code: 0)])
        #expect(rig.machine.openStream(now: rig.now) == .goingAway)
        #expect(try rig.feed(.data, .ack, id, 3) == [.payload(id, count: 3)])

        var leaving = YamuxRig(.responder)
        let first = try leaving.run { m, _, e in m.goAway(code: 0, into: &e) }
        #expect(first == [.send(.init(kind: .goAway, streamID: 0, length: 0))])
        #expect(try leaving.run { m, _, e in m.goAway(code: 1, into: &e) } == [])
        #expect(try leaving.feed(.windowUpdate, .syn, 1) == [update(.rst, 1, YamuxCode.streamShutdown)])
    }

    // MARK: Misuse

    @Test func violationsEndTheSession() throws {
        var rig = YamuxRig(.responder)
        #expect(throws: YamuxError.wrongParity(2)) { try rig.feed(.windowUpdate, .syn, 2) }
        #expect(throws: YamuxError.streamFrameOnSession) { try rig.feed(.data, .syn, 0, 1) }
        #expect(throws: YamuxError.sessionFrameOnStream(3)) { try rig.feed(.ping, .syn, 3) }
        #expect(throws: YamuxError.sessionFrameOnStream(3)) { try rig.feed(.goAway, [], 3) }
        _ = try rig.feed(.windowUpdate, .syn, 1)
        #expect(throws: YamuxError.duplicateOpen(1)) { try rig.feed(.data, .syn, 1) }
    }

    @Test func unknownStreamsAreDrainedInSilence() throws {
        var rig = YamuxRig(.responder)
        #expect(try rig.feed(.data, [], 7, 10) == [.payload(nil, count: 10)])
        #expect(try rig.feed(.windowUpdate, .fin, 7) == [])
        #expect(try rig.feed(.windowUpdate, .rst, 7) == [])
        #expect(try rig.feed(.windowUpdate, .ack, 2) == [])
        let unannounced = rig.open()
        #expect(try rig.feed(.data, .ack, unannounced, 3) == [.payload(nil, count: 3)])
    }

    @Test func floodsEndTheSession() throws {
        var pings = YamuxRig(.responder)
        var answers: [YamuxMachine.Event] = []
        #expect(throws: YamuxError.pingFlood) {
            for n in 0..<1001 { answers += try pings.feed(.ping, .syn, 0, UInt32(n)) }
        }
        #expect(answers.count == 1000 && answers.count(where: { $0 == .refused(.pings) }) == 900)

        var resets = YamuxRig(.responder)
        #expect(throws: YamuxError.resetFlood) {
            for n in 0..<501 {
                _ = try resets.feed(.windowUpdate, .syn, UInt32(n * 2 + 1))
                _ = try resets.feed(.windowUpdate, .rst, UInt32(n * 2 + 1))
            }
        }
        #expect(resets.machine.streamCount == 1)

        var glued = YamuxRig(.responder)
        #expect(throws: YamuxError.resetFlood) {
            for n in 0..<501 { _ = try glued.feed(.windowUpdate, [.syn, .rst], UInt32(n * 2 + 1)) }
        }

        var refused = YamuxRig(.responder)
        #expect(throws: YamuxError.resetFlood) {
            for n in 0..<900 { _ = try refused.feed(.windowUpdate, .syn, UInt32(n * 2 + 1)) }
        }

        for kind in [YamuxHeader.Kind.data, .windowUpdate] {
            var empty = YamuxRig(.responder)
            _ = try empty.feed(.windowUpdate, .syn, 1)
            #expect(throws: YamuxError.emptyFrameFlood) { for _ in 0..<1001 { _ = try empty.feed(kind, [], 1) } }
        }
        var strays = YamuxRig(.responder)
        #expect(throws: YamuxError.emptyFrameFlood) { for _ in 0..<1001 { _ = try strays.feed(.ping, .ack, 0, 5) } }
    }

    @Test func honestRatesAreNoFlood() throws {
        var rig = YamuxRig(.responder)
        for n in 0..<20_000 {
            let id = UInt32(n * 2 + 1)
            _ = try rig.feed(.data, [.syn, .fin], id, 1)
            rig.machine.accept(id, now: rig.now)
            _ = rig.machine.claim(id, count: 1)
            _ = try rig.run { m, _, e in m.finish(id, into: &e) }
            if n % 100 == 0 { _ = try rig.feed(.ping, .syn, 0, 1) }
            rig.advance(.microseconds(200))
        }
        #expect(rig.machine.streamCount == 0)
    }
}

extension YamuxRig {
    mutating func measureRoundTrip(_ duration: Duration) throws {
        let question = try self.run { m, now, e in m.ping(now: now, into: &e) }
        guard case .send(let header)? = question.first else { Issue.record("no ping"); return }
        self.advance(duration)
        #expect(try self.feed(.ping, .ack, 0, header.length) == [.roundTrip(duration)])
    }
}
