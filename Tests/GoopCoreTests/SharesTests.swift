import GoopTestKit
import Multiformats
import PeerIdentity
import Testing

@testable import GoopCore

/// What strangers share: whoever comes finds some, however many keys the others have made up.
@Suite struct SharesTests {
    private static func key(at address: String?) -> ShareHolder {
        ShareHolder(PrivateKey.generate().peerID, at: address.flatMap { IPAddress($0) })
    }

    /// Takes one by one what a holder can get.
    private static func takeAll(_ shares: inout Shares, _ holder: ShareHolder) -> Int {
        var taken = 0
        while shares.take(for: holder) { taken += 1 }
        return taken
    }

    private static func keys(_ count: Int, at address: String?) -> [ShareHolder] {
        (0..<count).map { _ in key(at: address) }
    }

    /// The keys of one address, and somebody elsewhere.
    struct Crowd: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let addresses: [String]
        let elsewhere: String
    }

    static let crowds = [
        Crowd(testDescription: "an IPv4 address", addresses: ["8.8.8.8"], elsewhere: "9.9.9.9"),
        Crowd(testDescription: "a neighbour", addresses: ["8.8.8.8"], elsewhere: "8.8.8.9"),
        Crowd(
            testDescription: "an IPv6 /56", addresses: ["2a00:1:2:3300::1", "2a00:1:2:33ff::1"],
            elsewhere: "2a00:1:2:3400::1"),
        Crowd(testDescription: "a mapped address", addresses: ["8.8.8.8", "::ffff:8.8.8.8"], elsewhere: "9.9.9.9"),
        Crowd(testDescription: "an IPv4 /24", addresses: (1...40).map { "8.8.8.\($0)" }, elsewhere: "9.9.9.9"),
        Crowd(
            testDescription: "an IPv6 /48", addresses: (1...40).map { "2a00:1:2:\($0)00::1" },
            elsewhere: "2a00:1:3::1"),
        Crowd(testDescription: "a private address", addresses: ["192.168.1.7"], elsewhere: "192.168.1.8"),
        Crowd(testDescription: "a neighbour by IPv6", addresses: ["fd00::1"], elsewhere: "fd00::2"),
        Crowd(testDescription: "a neighbour without a router", addresses: ["fe80::1"], elsewhere: "fe80::2"),
        Crowd(
            testDescription: "a local network elsewhere", addresses: (1...40).map { "fd00:1:2:0::\($0)" },
            elsewhere: "fd00:1:2:100::1"),
        Crowd(testDescription: "this machine", addresses: ["127.0.0.1"], elsewhere: "::1"),
    ]

    @Test(arguments: crowds, [4, 40]) func whoeverComesFindsSome(crowd: Crowd, keys: Int) {
        var shares = Shares(total: 512, perPeer: 128, floor: 4)
        var taken = 0
        for index in 0..<keys {
            let address = crowd.addresses[index % crowd.addresses.count]
            taken += Self.takeAll(&shares, Self.key(at: address))
        }
        #expect(shares.held == taken && taken > 128)
        // A page asks for six files at a time.
        let visitor = Self.key(at: crowd.elsewhere)
        #expect(Self.takeAll(&shares, visitor) >= 6, "\(taken) are taken")
        // As does the next, and the one behind that.
        let others = ["1.2.3.4", "5.6.7.8"].map { Self.key(at: $0) }
        for other in others { #expect(Self.takeAll(&shares, other) >= 4) }
        #expect(shares.held <= shares.total)
    }

    @Test func manyVisitorsOfOneAddressAreServedWhileNobodyElseAsks() {
        for address in ["8.8.8.8", "192.168.1.7", "127.0.0.1", nil] {
            var shares = Shares(total: 512, perPeer: 128, floor: 4)
            let visitors = Self.keys(64, at: address)
            for _ in 0..<4 {
                for visitor in visitors {
                    let isTaken = shares.take(for: visitor)
                    #expect(isTaken)
                }
            }
            #expect(shares.held == 256)
        }
    }

    @Test func onePeerAloneGetsItsMost() {
        for address in ["8.8.8.8", "192.168.1.7", nil] {
            var shares = Shares(total: 512, perPeer: 128, floor: 4)
            let visitor = Self.key(at: address)
            let taken = Self.takeAll(&shares, visitor)
            #expect(taken == 128)
            #expect(shares.held(by: visitor) == 128)
        }
    }

    @Test func whatIsGivenBackIsThereForOthers() {
        var shares = Shares(total: 512, perPeer: 128, floor: 4)
        let crowd = Self.keys(4, at: "192.168.1.7")
        let held = crowd.map { holder in Self.takeAll(&shares, holder) }
        let full = shares.take(for: crowd[0])
        #expect(!full)
        // More than it has is as much as it has.
        for (holder, amount) in zip(crowd, held) { shares.giveBack(amount + 1, of: holder) }
        #expect(shares.held == 0)
        shares.giveBack(of: crowd[0])
        shares.giveBack(-3, of: crowd[0])
        shares.giveBack(of: Self.key(at: "1.1.1.1"))
        #expect(shares.held == 0)
        let again = crowd.map { holder in Self.takeAll(&shares, holder) }
        #expect(again == held)
    }

    /// Hosts without number take all but what is kept; then each has its floor, until nothing is left.
    @Test func theFloorIsThereForThoseWhoHaveLess() {
        var shares = Shares(total: 512, perPeer: 128, floor: 4)
        var floors = 0
        for index in 1...64 {
            let first = Self.takeAll(&shares, Self.key(at: "10.0.0.\(index)"))
            let second = Self.takeAll(&shares, Self.key(at: "10.0.0.\(index)"))
            #expect(first >= min(4, shares.total - shares.held + first + second))
            if first == 4, second == 0 { floors += 1 }
        }
        #expect(floors >= 12)
        #expect(shares.held == shares.total)
        let visitor = Self.key(at: "10.0.1.1")
        let full = shares.take(for: visitor)
        #expect(!full, "the bound holds")
    }

    @Test func nothingIsTakenThatIsNotThere() {
        var none = Shares(total: -1, perPeer: 1, floor: 1)
        var few = Shares(total: 3, perPeer: .max, floor: 5)
        let visitor = Self.key(at: nil)
        let answers = [
            none.take(for: visitor), few.take(-1, for: visitor), few.take(.max, for: visitor),
            few.take(3, for: visitor), few.take(for: visitor), few.take(0, for: visitor),
        ]
        #expect(answers == [false, false, false, true, false, true])
    }

    @Test(arguments: 0..<8) func anyOrder(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var shares = Shares(total: 1000, perPeer: 200, floor: 10)
        let addresses = [
            "8.8.8.8", "8.8.8.9", "9.9.9.9", "10.0.0.1", "127.0.0.1", "2a00:1:2:3300::1", "2a00:1:2:4400::1",
        ]
        var holders = (0..<24).map { index in Self.key(at: index % 8 == 7 ? nil : addresses[index % 8]) }
        var model: [ShareHolder: Int] = [:]
        for step in 0..<6000 {
            let index = Int.random(in: 0..<holders.count, using: &random)
            let holder = holders[index]
            let amount = Int.random(in: 0..<30, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0...3:
                let own = model[holder] ?? 0
                let isTaken = shares.take(amount, for: holder)
                if isTaken { model[holder] = own + amount }
                // Who has nothing of all that is kept gets as much as the floor, where its neighbours have nothing either.
                let isAlone = !model.contains { $0.value > 0 && $0.key.network == holder.network && $0.key != holder }
                if own + amount <= 10, isAlone, holder.network != nil, amount <= 1000 - shares.held {
                    #expect(isTaken, "seed \(seed) step \(step)")
                }
            case 4...6:
                shares.giveBack(amount, of: holder)
                model[holder] = max(0, (model[holder] ?? 0) - amount)
            default:
                // Somebody leaves, and a new key comes.
                shares.giveBack(.max, of: holder)
                model[holder] = nil
                holders[index] = Self.key(at: addresses.randomElement(using: &random))
            }
            #expect(shares.held == model.values.reduce(0, +) && shares.held <= 1000, "seed \(seed) step \(step)")
            #expect(shares.held(by: holder) == model[holder] ?? 0)
        }
        #expect(model.values.allSatisfy { $0 <= 200 })
        for holder in holders { shares.giveBack(.max, of: holder) }
        #expect(shares.held == 0)
    }

    /// Made-up keys that come, take and go, or are refused, are not remembered for good; who has something is.
    @Test func theBooksAreBounded() {
        var shares = Shares(total: 600, perPeer: 8, floor: 4)
        let lasting = Self.keys(40, at: "192.168.1.7")
        for holder in lasting { _ = Self.takeAll(&shares, holder) }
        let held = lasting.map { shares.held(by: $0) }
        let active = held.count { $0 > 0 }
        var most = 0
        for index in 0..<3000 {
            let passing = ShareHolder(lasting[index % 40].peer, at: .v4(0x0808_0000 + UInt32(index)))
            if index % 3 > 0, shares.take(for: passing) { shares.giveBack(of: passing) }
            if index % 3 == 0 { _ = shares.take(200, for: passing) }
            most = max(most, shares.holderCount)
        }
        #expect(active > 8 && most <= 2 * (active + 1) + Shares.rememberedHolders + 1)
        #expect(lasting.map { shares.held(by: $0) } == held)
        #expect(shares.held == held.reduce(0, +))
    }
}
