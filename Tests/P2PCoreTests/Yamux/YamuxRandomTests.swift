import GoopTestKit
import P2PCore
import Testing

/// One end of a simulated session: a machine, the frames on their way to it, and an application that does random things.
private struct End {
    struct Application {
        var unsent = 0
        var wantsFinish = false
        var hasFinished = false
        var unread = 0
        var sent = 0
        var received = 0
        var sawEnd = false
    }

    var machine: YamuxMachine
    var events: [YamuxMachine.Event] = []
    /// Frames towards this end, in order.
    var incoming: [YamuxHeader] = []
    var applications: [UInt32: Application] = [:]
    /// Totals of streams that are gone, by id.
    var finished: [UInt32: Application] = [:]
    var resets: Set<UInt32> = []

    init(_ role: ConnectionRole) {
        var configuration = YamuxConfiguration()
        configuration.maximumStreamWindow = 1 << 20
        self.machine = YamuxMachine(role: role, configuration: configuration, now: .zero)
    }

    /// Applies the events gathered; returns the frames that go to the other end.
    mutating func settle() -> [YamuxHeader] {
        var frames: [YamuxHeader] = []
        for event in self.events {
            switch event {
            case .send(let header): frames.append(header)
            case .opened(let id): self.applications[id] = Application()
            case .payload(let id?, let count): self.applications[id]?.unread += Int(count)
            case .endOfStream(let id): self.applications[id]?.sawEnd = true
            case .reset(let id, _, _):
                self.resets.insert(id)
                self.finished[id] = self.applications.removeValue(forKey: id)
            case .closed(let id): self.finished[id] = self.applications.removeValue(forKey: id)
            case .payload, .writable, .openingAllowed, .roundTrip, .goAway, .refused: break
            }
        }
        self.events.removeAll(keepingCapacity: true)
        return frames
    }

    mutating func act(_ random: inout SeededGenerator, now: MonotonicInstant, resets: Bool) -> [YamuxHeader] {
        var frames: [YamuxHeader] = []
        let id = self.applications.keys.sorted().randomElement(using: &random)
        switch Int.random(in: 0..<12, using: &random) {
        case 0:
            if self.applications.count < 8, case .opened(let id) = self.machine.openStream(now: now) {
                self.applications[id] = Application(unsent: Int.random(in: 0..<600_000, using: &random))
            }
        case 1...4:
            guard let id, let application = self.applications[id], !application.hasFinished else { break }
            if application.unsent > 0 {
                let count = min(application.unsent, Int.random(in: 1...70_000, using: &random))
                guard let header = self.machine.claim(id, count: count) else { break }
                self.applications[id]?.unsent -= Int(header.length)
                self.applications[id]?.sent += Int(header.length)
                frames.append(header)
            } else {
                self.applications[id]?.hasFinished = true
                self.machine.finish(id, into: &self.events)
            }
        case 5...7:
            guard let id, let application = self.applications[id], application.unread > 0 else { break }
            let count = Int.random(in: 1...application.unread, using: &random)
            self.applications[id]?.unread -= count
            self.applications[id]?.received += count
            self.machine.accept(id, now: now)
            self.machine.consumed(id, count: count, now: now, into: &self.events)
        case 8:
            if let id { self.machine.announce(id, into: &self.events) }
        case 9:
            self.machine.ping(now: now, into: &self.events)
        case 10:
            guard resets, let id, Int.random(in: 0..<4, using: &random) == 0 else { break }
            self.machine.reset(id, code: 7, into: &self.events)
            self.resets.insert(id)
            self.applications.removeValue(forKey: id)
        default:
            if let id { self.machine.accept(id, now: now) }
        }
        return frames + self.settle()
    }

    mutating func deliverOne(now: MonotonicInstant) throws -> [YamuxHeader] {
        guard !self.incoming.isEmpty else { return [] }
        let header = self.incoming.removeFirst()
        try self.machine.received(header, now: now, into: &self.events)
        self.machine.payloadCompleted(into: &self.events)
        return self.settle()
    }
}

extension End {
    /// Takes in everything on its way, reads all, writes what credit allows, and finishes what is done.
    mutating func drain(now: MonotonicInstant) throws -> [YamuxHeader] {
        var frames: [YamuxHeader] = []
        while !self.incoming.isEmpty { frames += try self.deliverOne(now: now) }
        for (id, application) in self.applications {
            self.machine.consumed(id, count: application.unread, now: now, into: &self.events)
            self.applications[id]?.received += application.unread
            self.applications[id]?.unread = 0
            if application.unsent > 0, let header = self.machine.claim(id, count: application.unsent) {
                self.applications[id]?.unsent -= Int(header.length)
                self.applications[id]?.sent += Int(header.length)
                frames.append(header)
            }
            if self.applications[id]?.unsent == 0 { self.machine.finish(id, into: &self.events) }
        }
        return frames + self.settle()
    }
}

@Suite struct YamuxRandomTests {
    /// What the sender may still send, plus what is on its way in either direction, is exactly what the receiver granted.
    private func creditIsConserved(from sender: End, to receiver: End) -> Bool {
        receiver.applications.keys.allSatisfy { id in
            guard sender.machine.isAlive(id), receiver.machine.isAlive(id), receiver.machine.remoteIsOpen(id),
                sender.machine.localIsOpen(id)
            else { return true }
            let data = receiver.incoming.filter { $0.streamID == id && $0.kind == .data }.map { Int($0.length) }
            let updates = sender.incoming.filter { $0.streamID == id && $0.kind == .windowUpdate && $0.flags != .rst }
                .map { Int($0.length) }
            return Int(sender.machine.sendCredit(of: id)) + data.reduce(0, +) + updates.reduce(0, +)
                == Int(receiver.machine.receiveCredit(of: id))
        }
    }

    @Test(arguments: 0..<60) func twoMachinesAgreeUnderAnyInterleaving(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var ends = [End(.initiator), End(.responder)]
        var now = MonotonicInstant.zero
        let resets = seed % 3 == 0
        for step in 0..<1_500 {
            now = now.advanced(by: .microseconds(Int.random(in: 0..<500, using: &random)))
            let side = Int.random(in: 0...1, using: &random)
            let frames =
                Bool.random(using: &random)
                ? ends[side].act(&random, now: now, resets: resets) : try ends[side].deliverOne(now: now)
            ends[1 - side].incoming += frames
            for end in ends { #expect(end.machine.inconsistency() == nil, "seed \(seed) step \(step)") }
            if step % 16 == 0 {
                #expect(self.creditIsConserved(from: ends[0], to: ends[1]), "seed \(seed) step \(step)")
                #expect(self.creditIsConserved(from: ends[1], to: ends[0]), "seed \(seed) step \(step)")
            }
        }
        // Let everything come to its end: all write what is left, read all, and finish.
        for _ in 0..<20_000 where ends.contains(where: { !$0.incoming.isEmpty || !$0.applications.isEmpty }) {
            for side in 0...1 {
                let frames = try ends[side].drain(now: now)
                ends[1 - side].incoming += frames
            }
        }
        let resetAnywhere = ends[0].resets.union(ends[1].resets)
        for end in ends {
            #expect(end.machine.streamCount == 0, "seed \(seed)")
            #expect(end.machine.bufferedBytes == 0)
            #expect(end.machine.grownWindowBytes == 0)
            #expect(end.machine.inconsistency() == nil)
        }
        for (id, application) in ends[0].finished where !resetAnywhere.contains(id) {
            #expect(application.sent == ends[1].finished[id]?.received.advanced(by: ends[1].finished[id]?.unread ?? 0))
            #expect(ends[1].finished[id]?.sent == application.received + application.unread)
        }
    }

    /// A hostile peer and a careless application against one machine: it may end the session, never trap, never owe.
    @Test func tenThousandRandomOrders() {
        for seed in 0..<10_000 {
            var random = SeededGenerator(seed: UInt64(seed))
            var rig = YamuxRig(Bool.random(using: &random) ? .initiator : .responder) {
                $0.maximumBufferedBytes = 1 << 20
                $0.maximumInbound = 6
                $0.maximumUnacknowledged = 4
                $0.maximumUnaccepted = 3
            }
            var events: [YamuxMachine.Event] = []
            do {
                for _ in 0..<40 {
                    try self.step(&rig, &random, &events)
                    if let fault = rig.machine.inconsistency() {
                        Issue.record("seed \(seed): \(fault)")
                        return
                    }
                    events.removeAll(keepingCapacity: true)
                }
            } catch {}  // Ending the session is a right answer to garbage.
        }
    }

    private func step(
        _ rig: inout YamuxRig, _ random: inout SeededGenerator, _ events: inout [YamuxMachine.Event]
    ) throws(YamuxError) {
        let id = UInt32.random(in: 0...9, using: &random)
        let lengths: [UInt32] = [0, 1, 100, 65_524, 262_144, 262_145, .max]
        let length = lengths.randomElement(using: &random) ?? 0
        switch Int.random(in: 0..<14, using: &random) {
        case 0...5:
            let kinds: [YamuxHeader.Kind] = [.data, .windowUpdate, .data, .windowUpdate, .ping, .goAway]
            let flags: [UInt16] = [0, 0, 1, 1, 2, 4, 8, UInt16.random(in: 0...15, using: &random)]
            let header = YamuxHeader(
                kind: kinds.randomElement(using: &random) ?? .data,
                flags: .init(rawValue: flags.randomElement(using: &random) ?? 0), streamID: id, length: length)
            try rig.machine.received(header, now: rig.now, into: &events)
            if Bool.random(using: &random) { rig.machine.reset(id, code: 1, into: &events) }
            rig.machine.payloadCompleted(into: &events)
        case 6: _ = rig.machine.openStream(now: rig.now)
        case 7:
            let credit = rig.machine.sendCredit(of: id)
            let claimed = rig.machine.claim(id, count: Int(length))?.length ?? 0
            #expect(claimed <= credit)
        case 8: rig.machine.finish(id, into: &events)
        case 9: rig.machine.accept(id, now: rig.now)
        case 10: rig.machine.consumed(id, count: Int(length), now: rig.now, into: &events)
        case 11: rig.machine.closeRead(id, now: rig.now)
        case 12: rig.machine.announce(id, into: &events)
        default:
            rig.advance(.milliseconds(Int.random(in: 0..<20_000, using: &random)))
            try rig.machine.timerFired(now: rig.now, into: &events)
        }
    }
}
