import GoopTestKit
import Multiformats
import P2PCore
import Testing

private func address(_ text: String) throws -> Multiaddr { try Multiaddr(text: text) }
private func at(_ milliseconds: UInt64) -> MonotonicInstant { MonotonicInstant(nanoseconds: milliseconds * 1_000_000) }

@Suite("Names in the dial of one peer")
struct PeerDialNameTests {
    private let name: Multiaddr
    private let six: Multiaddr
    private let four: Multiaddr

    init() throws {
        (self.name, self.six, self.four) = (
            try address("/dns/two.example/tcp/1"), try address("/ip6/2a00::1/tcp/1"), try address("/ip4/8.8.8.8/tcp/1")
        )
    }

    /// A dial whose only address is the name, under way.
    private func dial(_ limits: PeerDial.Limits = .init()) -> PeerDial {
        var dial = PeerDial(addresses: AddressRanking.rank([self.name]), limits: limits, now: .zero)
        #expect(dial.poll(permits: 9, now: .zero) == [.attempt(0, self.name)])
        return dial
    }

    @Test("the families of a name race: a dead one costs the other its head start, not its time-out")
    func race() {
        var dial = self.dial()
        let begun = dial.resolved(0, to: AddressRanking.rank([self.six, self.four]), permits: 9, now: at(20))
        #expect(begun == [.attempt(1, self.six)])
        #expect(dial.nextDeadline == at(270))
        #expect(dial.poll(permits: 9, now: at(270)) == [.attempt(2, self.four)])
        #expect(dial.names(of: 2) == [self.name] && dial.isTrying(self.name))
        #expect(dial.cancel() == [.abandon(1), .abandon(2)])
        #expect(!dial.isTrying(self.name))
    }

    @Test("a name has failed when nothing that it leads to has answered in time, and once")
    func unanswered() {
        var dial = self.dial()
        _ = dial.resolved(0, to: AddressRanking.rank([self.six, self.four]), permits: 9, now: at(20))
        #expect(dial.poll(permits: 9, now: at(270)) == [.attempt(2, self.four)])
        #expect(dial.poll(permits: 9, now: at(15_020)) == [.timedOut(1, failed: nil)])
        #expect(dial.poll(permits: 9, now: at(15_270)).first == .timedOut(2, failed: self.name))
        // Nor has one of which an address has not had its turn.
        dial = self.dial()
        _ = dial.resolved(0, to: AddressRanking.rank([self.six, self.four]), permits: 1, now: at(20))
        #expect(dial.giveUp(now: at(9_000)) == [.timedOut(1, failed: nil)])
    }

    @Test("a failure names the address and the names that led there")
    func texts() throws {
        var dial = self.dial()
        let nested = try address("/dns4/one.example/tcp/1")
        #expect(
            dial.resolved(0, to: AddressRanking.rank([nested]), permits: 9, now: at(5)) == [.attempt(1, nested)])
        #expect(
            dial.resolved(1, to: AddressRanking.rank([self.four]), permits: 9, now: at(9)) == [.attempt(2, self.four)])
        #expect(dial.isTrying(self.name))
        let outcome = DialAttempt(
            address: self.four, error: .refused, elapsed: .milliseconds(2), names: [self.name, nested])
        #expect(dial.failed(2, .refused, permits: 9, now: at(11)) == [.failed([outcome])])
        #expect(
            "\(outcome)" == "/ip4/8.8.8.8/tcp/1 (named by /dns/two.example/tcp/1, /dns4/one.example/tcp/1): "
                + "connection refused after 2 ms")
    }

    @Test("a name that leads nowhere new says so, and what cannot be tried says why")
    func nowhere() throws {
        var dial = self.dial()
        #expect(
            dial.resolved(0, to: AddressRanking.rank([self.name]), permits: 9, now: at(5)) == [
                .failed([
                    DialAttempt(
                        address: self.name, error: .other("the name leads to nothing new"), elapsed: .milliseconds(5))
                ])
            ])
        dial = self.dial()
        let udp = try address("/ip4/8.8.8.8/udp/1/quic-v1")
        #expect(
            dial.resolved(0, to: [], refused: [(udp, .noTransport)], permits: 9, now: at(5)) == [
                .failed([DialAttempt(address: udp, error: .noTransport, elapsed: .zero, names: [self.name])])
            ])
    }

    @Test(
        "names count with what they lead to: no more addresses than the limits allow, and what is known is not tried twice"
    )
    func bounds() throws {
        var limits = PeerDial.Limits()
        limits.addresses = 4
        var dial = self.dial(limits)
        let many = try (1...9).map { try address("/ip4/8.8.8.8/tcp/\($0)") }
        dial.add(AddressRanking.rank([many[0]]), now: .zero)
        var begun = dial.resolved(0, to: AddressRanking.rank(many), permits: 9, now: at(1))
        begun += dial.poll(permits: 9, now: at(5_000))
        #expect(begun.count == 3)
        #expect(dial.nextDeadline.map { $0 >= at(15_001) } == true, "nothing else has its turn before it")
    }

    @Test("what a name leads to waits for permits like the rest")
    func permits() {
        var dial = self.dial()
        #expect(dial.resolved(0, to: AddressRanking.rank([self.four]), permits: 0, now: at(1)) == [])
        #expect(dial.isStarved)
        #expect(dial.poll(permits: 1, now: at(2)) == [.attempt(1, self.four)])
    }

    @Test("random orders with names: one outcome, every attempt ended, every address told of", arguments: [21, 22, 23])
    func randomOrders(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let names = try (1...4).map { try address("/dns4/n\($0).example/tcp/1") }
            var dial = PeerDial(addresses: AddressRanking.rank(names), now: .zero)
            var open: [Int: Multiaddr] = [:]
            var outcome: [DialAttempt]?
            var now: UInt64 = 0
            func apply(_ actions: [PeerDial.Action]) {
                for action in actions {
                    switch action {
                    case .attempt(let number, let address): #expect(open.updateValue(address, forKey: number) == nil)
                    case .abandon(let number), .timedOut(let number, _): open[number] = nil
                    case .failed(let attempts):
                        #expect(outcome == nil, "seed \(seed)")
                        outcome = attempts
                    }
                }
            }
            apply(dial.poll(permits: 3, now: at(now)))
            var led = Set<Multiaddr>()
            while outcome == nil, now < 200_000 {
                now += UInt64.random(in: 0...900, using: &generator)
                let permits = Int.random(in: 0...3, using: &generator)
                guard Bool.random(using: &generator), let number = open.keys.sorted().randomElement(using: &generator),
                    let one = open.removeValue(forKey: number)
                else {
                    apply(dial.poll(permits: permits, now: at(now)))
                    continue
                }
                if one.dnsName != nil, Int.random(in: 0..<4, using: &generator) > 0 {
                    let found = try (0..<Int.random(in: 0...3, using: &generator)).map { _ in
                        try address("/ip4/8.8.8.\(Int.random(in: 1...9, using: &generator))/tcp/1")
                    }
                    led.formUnion(found)
                    apply(dial.resolved(number, to: AddressRanking.rank(found), permits: permits, now: at(now)))
                } else {
                    apply(dial.failed(number, .refused, permits: permits, now: at(now)))
                }
                #expect(open.count <= 8)
            }
            let told = Set((outcome ?? []).map(\.address))
            #expect(outcome != nil && open.isEmpty && led.isSubset(of: told), "seed \(seed)")
            for name in names { #expect(!dial.isTrying(name)) }
        }
    }
}
