import P2PCore
import Testing

@Suite struct YamuxLimitTests {
    private let window = YamuxConfiguration.initialWindow

    @Test func floodsHaveTheNamesOfTheirLimits() {
        #expect(YamuxError.pingFlood.limit == .pings)
        #expect(YamuxError.emptyFrameFlood.limit == .emptyFrames)
        #expect(YamuxError.resetFlood.limit == .streamResets)
        #expect(YamuxError.duplicateOpen(1).limit == nil)
    }

    @Test func figuresThatBoundAPeerAreOfTheLimits() {
        var limits = ResourceLimits()
        let usual = YamuxConfiguration()
        #expect(usual.maximumInbound == 1_024 && usual.maximumUnaccepted == 256)
        #expect(usual.maximumBufferedBytes == 64 << 20 && usual.maximumWindowGrowth == 64 << 20)
        limits.inboundStreamsPerConnection = 1
        limits.untouchedStreamsPerConnection = 2
        limits.unreadBytesPerConnection = 3
        limits.windowBytesPerConnection = 4
        let figures = YamuxConfiguration(limits: limits)
        #expect(figures.maximumInbound == 1 && figures.maximumUnaccepted == 2)
        #expect(figures.maximumBufferedBytes == 3 && figures.maximumWindowGrowth == 4)
    }

    /// Opens a stream and has it refused for want of a common protocol, or resets it as go does once it has heard so.
    private func askInVain(_ rig: inout YamuxRig, _ id: UInt32, resets: Bool) throws {
        _ = try rig.feed(.windowUpdate, .syn, id)
        rig.machine.accept(id, now: rig.now)
        if resets { _ = try rig.feed(.windowUpdate, .rst, id, YamuxCode.streamNegotiationFailed) }
        _ = try rig.run { m, now, e throws(YamuxError) in
            try m.refuse(id, code: YamuxCode.streamNegotiationFailed, now: now, into: &e)
        }
    }

    @Test(arguments: [false, true]) func refusedStreamsCountLikeThoseThatThePeerResets(resets: Bool) throws {
        var rig = YamuxRig(.responder)
        var last: UInt32 = 0
        func askInVain() throws {
            last += last == 0 ? 1 : 2
            try self.askInVain(&rig, last, resets: resets)
        }
        // An honest peer that asks for all that we lack: many at once, and then forty a second for a minute.
        for _ in 0..<400 { try askInVain() }
        for _ in 0..<(60 * 40) {
            rig.advance(.milliseconds(25))
            try askInVain()
        }
        rig.advance(.seconds(60))
        for _ in 0..<500 { try askInVain() }
        #expect(throws: YamuxError.resetFlood) { try askInVain() }
    }

    @Test(arguments: [false, true]) func framesForStreamsThatAreGoneAreDrainedUpToAFlood(ofData: Bool) throws {
        var rig = YamuxRig(.responder)
        let drained: [YamuxMachine.Event] = ofData ? [.payload(nil, count: 1)] : []
        func late() throws {
            let events = try rig.feed(ofData ? .data : .windowUpdate, [], 99, 1)
            if events != drained { Issue.record("not drained in silence: \(events)") }
        }
        for _ in 0..<20_000 { try late() }
        #expect(throws: YamuxError.emptyFrameFlood) { try late() }
        // What is on its way when a stream is reset may be much.
        for _ in 0..<30_000 { _ = try rig.feed(.data, [], 99, 1_024) }
        rig.advance(.seconds(1))
        for _ in 0..<10_000 { try late() }
    }

    /// Feeds frames for a stream that is gone, and counts those that are no flood.
    private func lateFrames(_ rig: inout YamuxRig, _ id: UInt32, bytes: UInt32) -> Int {
        for count in 0..<100_000 {
            do throws(YamuxError) {
                _ = try rig.feed(.data, [], id, bytes)
            } catch {
                #expect(error == .emptyFrameFlood)
                return count
            }
        }
        return .max
    }

    /// How a stream ended; `unknown` is one of ours that the peer has not heard of.
    enum End: CaseIterable, Sendable { case reset, neverRead, refused, unknown, finished, byPeer }

    /// An honest peer may write in small frames all that it was granted, before it hears of our reset.
    @Test(arguments: End.allCases) func whatWasGrantedWhenWeResetIsNoFlood(end: End) throws {
        var rig = YamuxRig(.responder) {
            $0.maximumInbound = 1
            $0.lingerInterval = .milliseconds(1)
            $0.finishedLingerTimeout = .milliseconds(1)
        }
        try rig.measureRoundTrip(.milliseconds(50))
        _ = try rig.feed(.data, .syn, 1, self.window / 2)
        let half = Int(self.window / 2)
        _ = try rig.run { m, now, e in m.consumed(1, count: half, now: now, into: &e) }
        let credit = rig.machine.receiveCredit(of: 1)
        #expect(credit == self.window * 2)
        var id: UInt32 = 1
        var granted: UInt32 = 0
        switch end {
        case .reset:
            granted = credit
            _ = try rig.run { m, _, e in m.reset(id, code: 0, into: &e) }
        case .neverRead:
            granted = credit - 160
            rig.machine.closeRead(id, now: rig.now)
            _ = try rig.run { m, _, e in m.finish(id, into: &e) }
            _ = try rig.feed(.data, [], id, 160)
            rig.advance(.milliseconds(2))
            _ = try rig.run { m, now, e throws(YamuxError) in try m.timerFired(now: now, into: &e) }
        case .refused:
            id = 3
            let events = try rig.feed(.data, .syn, id, 160)
            #expect(events.contains(.refused(.inboundStreamsPerConnection)))
        case .unknown:
            id = rig.open()
            _ = try rig.run { m, _, e in m.reset(id, code: 0, into: &e) }
        case .finished:
            _ = try rig.feed(.windowUpdate, .fin, id)
            _ = try rig.run { m, _, e in m.reset(id, code: 0, into: &e) }
        case .byPeer:
            _ = try rig.feed(.windowUpdate, .rst, id)
        }
        #expect(!rig.machine.isAlive(id) && rig.machine.inconsistency() == nil)
        let count = self.lateFrames(&rig, id, bytes: 100)
        #expect(count == Int(granted / 100) + 20_000)
    }

    @Test func whatMayComeLateIsBoundedAndCountsBytes() throws {
        var rig = YamuxRig(.responder) { $0.maximumWindowGrowth = 32_000 }
        for id in [1, 3] as [UInt32] {
            _ = try rig.feed(.windowUpdate, .syn, id)
            _ = try rig.run { m, _, e in m.reset(id, code: 0, into: &e) }
        }
        #expect(rig.machine.inconsistency() == nil)
        // Longer ones use it up too; what carries nothing is not of it.
        _ = try rig.feed(.data, [], 1, 16_000)
        for _ in 0..<20_000 { _ = try rig.feed(.windowUpdate, [], 1, 1) }
        #expect(throws: YamuxError.emptyFrameFlood) { _ = try rig.feed(.windowUpdate, [], 1, 1) }
        // Of 16,000 bytes, in single ones.
        let count = self.lateFrames(&rig, 3, bytes: 1)
        #expect(count == 250)
    }

    @Test func creditForNothingIsAFlood() throws {
        var rig = YamuxRig(.responder)
        _ = try rig.feed(.windowUpdate, .syn, 1)
        // A peer that gives back each byte that it has read.
        for _ in 0..<30_000 {
            _ = rig.machine.claim(1, count: 1)
            _ = try rig.feed(.windowUpdate, [], 1, 1)
        }
        for _ in 0..<20_000 { _ = try rig.feed(.windowUpdate, [], 1, .max) }
        #expect(throws: YamuxError.emptyFrameFlood) { _ = try rig.feed(.windowUpdate, [], 1, .max) }
    }

    @Test func streamsThatBreakARuleAreChurn() throws {
        var rig = YamuxRig(.responder)
        func breakRule(_ id: UInt32) throws {
            _ = try rig.feed(.data, [.syn, .fin], id)
            let events = try rig.feed(.data, [], id, 1)
            #expect(events.contains(.reset(id, code: YamuxCode.streamViolation, byPeer: false)))
        }
        for n in 0..<500 { try breakRule(UInt32(n * 2 + 1)) }
        #expect(throws: YamuxError.resetFlood) { try breakRule(1_001) }
    }

    @Test func behindABurstATokenIsThereOnceAllOfItHasComeBack() throws {
        var rig = YamuxRig(.responder)
        var value: UInt32 = 0
        func isAnswered() throws -> Bool {
            value += 1
            return try rig.feed(.ping, .syn, 0, value) != [.refused(.pings)]
        }
        for _ in 0..<100 { #expect(try isAnswered()) }
        rig.advance(.nanoseconds(9_999_999))
        #expect(try !isAnswered())
        rig.advance(.nanoseconds(1))
        #expect(try isAnswered())
        #expect(try !isAnswered())
    }

    /// What is open and silent takes nothing of what a busy stream may grow to.
    @Test func idleStreamsDoNotHoldABusyOneDown() throws {
        var rig = YamuxRig(.responder)
        let roundTrip = Duration.milliseconds(60)
        try rig.measureRoundTrip(roundTrip)
        for id in (0..<256).map({ UInt32($0 * 2 + 1) }) {
            _ = try rig.feed(.windowUpdate, .syn, id)
            rig.machine.accept(id, now: rig.now)
        }
        let busy: UInt32 = 513
        _ = try rig.feed(.windowUpdate, .syn, busy)
        let begun = rig.now
        var credit = self.window
        var left: UInt32 = 100_000_000
        // All that there is credit for arrives in one round trip, and is read at once.
        while left > 0, begun.duration(to: rig.now) < .seconds(60) {
            let count = min(credit, left)
            _ = try rig.feed(.data, [], busy, count)
            let events = try rig.run { m, now, e in m.consumed(busy, count: Int(count), now: now, into: &e) }
            if case .send(let header)? = events.first { credit += header.length }
            credit -= count
            left -= count
            rig.advance(roundTrip)
        }
        #expect(credit == 16 << 20 && rig.machine.grownWindowBytes == (16 << 20) - Int(self.window))
        rig.machine.closeRead(busy, now: rig.now)
        #expect(rig.machine.grownWindowBytes == 0, "a closed stream keeps no growth from others while its peer lingers")
        #expect(begun.duration(to: rig.now) < .seconds(1), "with the first window only it would be 23 s")
    }

    /// The peer may use what it was granted, though the window is small again.
    @Test func aGrownStreamThatIsClosedIsConsistent() throws {
        var rig = YamuxRig(.responder)
        try rig.measureRoundTrip(.milliseconds(50))
        _ = try rig.feed(.data, .syn, 1, self.window / 2)
        let half = Int(self.window / 2)
        _ = try rig.run { m, now, e in m.consumed(1, count: half, now: now, into: &e) }
        #expect(rig.machine.receiveCredit(of: 1) == self.window * 2 && rig.machine.grownWindowBytes == Int(self.window))
        rig.machine.closeRead(1, now: rig.now)
        #expect(rig.machine.inconsistency() == nil)
        _ = try rig.feed(.data, [], 1, self.window * 2)
        #expect(rig.machine.inconsistency() == nil && rig.machine.bufferedBytes == 0)
        _ = try rig.feed(.data, .rst, 1)
        #expect(rig.machine.inconsistency() == nil && rig.machine.grownWindowBytes == 0)
    }

    /// A reset has the peer drop what it has not read yet: it comes soon only where the peer makes us hold bytes.
    @Test func aClosedStreamLingersLongerOnceThePeerHasAllOfIt() throws {
        var rig = YamuxRig(.responder) {
            // Not at the pings, which may come late or often.
            $0.keepAliveInterval = .seconds(3600)
            $0.keepAliveTimeout = .seconds(3600)
            $0.lingerInterval = .seconds(1)
        }
        let figures = rig.machine.configuration
        #expect(figures.lingerTimeout == .seconds(60) && figures.finishedLingerTimeout == .seconds(300))
        let (taken, held, late, slow): (UInt32, UInt32, UInt32, UInt32) = (1, 3, 5, 7)
        for id in [taken, held, late, slow] { _ = try rig.feed(.windowUpdate, .syn, id) }
        _ = try rig.run { m, _, e in m.finish(taken, into: &e) }
        for id in [held, slow] { #expect(rig.machine.claim(id, count: .max)?.length == self.window) }
        for id in [taken, held, late, slow] { rig.machine.closeRead(id, now: rig.now) }
        let closed = rig.now
        func resets(at time: Duration) throws -> [UInt32] {
            rig.now = closed.advanced(by: time)
            return try rig.run { m, now, e throws(YamuxError) in try m.timerFired(now: now, into: &e) }
                .compactMap { if case .reset(let id, YamuxCode.streamGarbageCollected, false) = $0 { id } else { nil } }
        }
        let moment = Duration.seconds(1)
        #expect(try resets(at: figures.lingerTimeout - moment) == [])
        // A byte at a time is slow, and yet it is taken.
        _ = try rig.feed(.windowUpdate, [], slow, 1)
        #expect(rig.machine.claim(slow, count: .max)?.length == 1)
        #expect(try resets(at: figures.lingerTimeout) == [held])
        #expect(try resets(at: figures.lingerTimeout * 2 - moment * 2) == [])
        #expect(try resets(at: figures.lingerTimeout * 2 - moment) == [slow])
        #expect(try resets(at: figures.finishedLingerTimeout - moment) == [])
        // Of this one it takes the rest only now: its time to read begins.
        _ = try rig.feed(.windowUpdate, [], late, 1)
        _ = try rig.run { m, _, e in m.finish(late, into: &e) }
        #expect(try resets(at: figures.finishedLingerTimeout) == [taken])
        #expect(try resets(at: figures.finishedLingerTimeout * 2 - moment * 2) == [])
        #expect(try resets(at: figures.finishedLingerTimeout * 2 - moment) == [late])
        #expect(rig.machine.streamCount == 0)
    }

    @Test func aStreamMayBeClosedWithLessPatience() throws {
        var rig = YamuxRig(.responder)
        for id in [1, 3, 5] as [UInt32] { _ = try rig.feed(.windowUpdate, .syn, id) }
        for id in [1, 3] as [UInt32] { _ = try rig.run { m, _, e in m.finish(id, into: &e) } }
        rig.machine.closeRead(1, now: rig.now)
        // Patience begins when our end is out: the last one's is not.
        for id in [3, 5] as [UInt32] { rig.machine.closeRead(id, now: rig.now, patience: .seconds(4)) }
        #expect(rig.machine.nextDeadline <= rig.now.advanced(by: .seconds(4)))
        rig.advance(.seconds(4))
        let events = try rig.run { m, now, e throws(YamuxError) in try m.timerFired(now: now, into: &e) }
        #expect(events.contains(.reset(3, code: YamuxCode.streamGarbageCollected, byPeer: false)))
        #expect(rig.machine.isAlive(1) && rig.machine.isAlive(5))
    }

    @Test func closedStreamsAreLookedAtWhileThereAreAny() throws {
        var rig = YamuxRig(.responder) { $0.keepAliveInterval = .seconds(3600) }
        let (interval, pings) = (rig.machine.configuration.lingerInterval, rig.now)
        _ = try rig.run { m, now, e in m.start(now: now, into: &e) }
        _ = try rig.feed(.ping, .ack, 0, 1)
        #expect(rig.machine.nextDeadline == pings.advanced(by: .seconds(3600)))
        _ = try rig.feed(.windowUpdate, .syn, 1)
        rig.machine.closeRead(1, now: rig.now)
        for value in UInt32(2)...4 {
            let due = rig.now.advanced(by: interval)
            #expect(rig.machine.nextDeadline == due)
            // A question in between puts nothing off.
            _ = try rig.run { m, now, e in m.ping(now: now, into: &e) }
            #expect(rig.machine.nextDeadline == due)
            rig.now = due
            _ = try rig.feed(.ping, .ack, 0, value)
            _ = try rig.run { m, now, e throws(YamuxError) in try m.timerFired(now: now, into: &e) }
        }
        _ = try rig.feed(.windowUpdate, .rst, 1)
        rig.advance(interval)
        _ = try rig.run { m, now, e throws(YamuxError) in try m.timerFired(now: now, into: &e) }
        #expect(rig.machine.nextDeadline > rig.now.advanced(by: .seconds(1000)))
    }
}
