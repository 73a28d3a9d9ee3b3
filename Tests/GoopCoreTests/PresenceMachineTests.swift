import GoopCore
import GoopTestKit
import Multiformats
import PeerIdentity
import Testing

@Suite struct PresenceMachineTests {
    private var machine = PresenceMachine(configuration: .init())
    private var generator = SeededGenerator(seed: 3)

    private func at(_ milliseconds: Int64) -> Moment {
        Moment(uptime: .milliseconds(milliseconds), unixMilliseconds: 1000 + milliseconds)
    }

    @Test mutating func announcesThenBeats() throws {
        #expect(machine.timerFired(now: at(0)) == nil)
        #expect(machine.deadline == nil)
        #expect(machine.start(now: at(0)) == .init(kind: .online, timestamp: 1000))
        #expect(machine.start(now: at(1)) == nil)
        #expect(machine.deadline == .seconds(5))
        #expect(machine.timerFired(now: at(4999)) == nil)
        #expect(machine.timerFired(now: at(5000)) == .init(kind: .update, timestamp: 6000))
        #expect(machine.deadline == .seconds(10))
    }

    @Test mutating func saysGoodbyeOnceAndThenNothing() {
        _ = machine.start(now: at(0))
        #expect(machine.stop(now: at(10)) == .init(kind: .offline, timestamp: 1010))
        #expect(machine.stop(now: at(11)) == nil)
        machine.profileChanged(now: at(12))
        #expect(machine.deadline == nil)
        #expect(machine.timerFired(now: at(99_999)) == nil)
        #expect(machine.start(now: at(99_999)) == nil)
    }

    @Test mutating func whoHidesSaysGoodbyeAndNothingMoreUntilItAppears() {
        _ = machine.start(now: at(0))
        #expect(machine.hide(now: at(10)) == .init(kind: .offline, timestamp: 1010))
        #expect(machine.hide(now: at(11)) == nil)
        machine.profileChanged(now: at(12))
        machine.listenerAppeared(listeners: 3, now: at(12), using: &generator)
        #expect(machine.deadline == nil)
        #expect(machine.timerFired(now: at(99_999)) == nil)
        #expect(machine.start(now: at(99_999)) == nil)
        #expect(machine.appear(now: at(100_000)) == .init(kind: .online, timestamp: 101_000))
        #expect(machine.appear(now: at(100_001)) == nil)
        #expect(machine.deadline == .seconds(105))
        // Nobody was told, so there is no goodbye.
        _ = machine.hide(now: at(100_002))
        #expect(machine.stop(now: at(100_003)) == nil)
        #expect(machine.appear(now: at(100_004)) == nil)
    }

    @Test mutating func whoHidesBeforeTheStartIsNeverAnnounced() {
        #expect(machine.hide(now: at(0)) == nil)
        #expect(machine.start(now: at(1)) == nil && machine.deadline == nil)
        #expect(machine.appear(now: at(2))?.kind == .online)
    }

    @Test mutating func timeStampsGrowAlsoWhenTheClockIsSetBack() {
        #expect(machine.start(now: at(5000))?.timestamp == 6000)
        let back = Moment(uptime: .seconds(20), unixMilliseconds: 1)
        #expect(machine.timerFired(now: back)?.timestamp == 6001)
        #expect(machine.stop(now: back)?.timestamp == 6002)
    }

    @Test mutating func aFirstListenerIsAnsweredAtOnceAndManyAtMostOnceASecond() throws {
        _ = machine.start(now: at(0))
        machine.listenerAppeared(listeners: 1, now: at(100), using: &generator)
        let first = try #require(machine.deadline)
        #expect(first >= .milliseconds(100) && first < .milliseconds(105))
        for listeners in 2..<200 { machine.listenerAppeared(listeners: listeners, now: at(101), using: &generator) }
        #expect(try #require(machine.deadline) <= first)
        #expect(machine.timerFired(now: at(105)) != nil)
        machine.listenerAppeared(listeners: 200, now: at(106), using: &generator)
        let second = try #require(machine.deadline)
        #expect(second >= .milliseconds(1100) && second <= .milliseconds(1606))
    }

    @Test mutating func changesAreGathered() throws {
        _ = machine.start(now: at(0))
        machine.profileChanged(now: at(10))
        machine.profileChanged(now: at(60))
        #expect(machine.deadline == .milliseconds(110))
        #expect(machine.timerFired(now: at(110))?.kind == .update)
        #expect(machine.deadline == .milliseconds(5110))
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func neverSilentForLongerThanAHeartbeatAndNeverAStorm(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var machine = PresenceMachine(configuration: .init())
        var spoken: [Duration] = [.zero]
        _ = machine.start(now: at(0))
        for tick in Int64(1)..<60_000 {
            if Int.random(in: 0..<100, using: &generator) == 0 {
                machine.listenerAppeared(listeners: 50, now: at(tick), using: &generator)
            }
            if machine.timerFired(now: at(tick)) != nil { spoken.append(.milliseconds(tick)) }
        }
        for (earlier, later) in zip(spoken, spoken.dropFirst()) { #expect(later - earlier <= .milliseconds(5001)) }
        #expect(spoken.count <= 62)
    }

    @Test func goodbyeCarriesNothingElse() throws {
        let id = try PrivateKey(ed25519Seed: [UInt8](repeating: 9, count: 32)).peerID
        let profile = PresenceProfile(
            peer: id, label: "Ada", email: "a@b.c", clientVersion: "1",
            addresses: try [
                "/ip4/127.0.0.1/tcp/1", "/ip6/fe80::1/tcp/1", "/ip4/10.0.0.1/tcp/1/p2p/\(id)", "/dns4/x/tcp/1",
            ].map {
                try Multiaddr(text: $0)
            })
        let goodbye = profile.message(for: .init(kind: .offline, timestamp: 5))
        #expect(goodbye == PresenceMessage(kind: .offline, peerID: id.base58, timestamp: 5))
        let update = profile.message(for: .init(kind: .update, timestamp: 5))
        #expect(update.addresses == ["/ip4/10.0.0.1/tcp/1"])
        #expect(update.content == "Ada" && update.email == "a@b.c" && !update.encryptionSupported)
    }
}
