import GoopTestKit
import Multiformats
import P2PCore
import PeerIdentity
import Testing

@Suite("Bytes that connections share")
struct ByteSharesTests {
    private static let maximum = 64 << 20

    private static func peer() -> PeerID { PrivateKey.generate().peerID }

    /// Takes all that one connection gets: first as windows grow, each time by as much as they are.
    private static func fill(_ shares: inout ByteShares, _ holder: ByteShares.Holder) -> Int {
        var taken = 0
        for step in (0..<10).map({ (256 << 10) << $0 }) where shares.reserve(step, for: holder) { taken += step }
        while shares.reserve(4096, for: holder) { taken += 4096 }
        return taken
    }

    @Test("one peer gets an eighth of what the others have left, and the next one still gets its own")
    func peers() {
        var shares = ByteShares(maximumBytes: Self.maximum)
        var held: [Int] = []
        var holders: [ByteShares.Holder] = []
        for _ in 0..<20 {
            let holder = shares.enter(Self.peer(), at: nil)
            held.append(Self.fill(&shares, holder))
            holders.append(holder)
        }
        #expect(held[0] == Self.maximum / 8)
        #expect(held.allSatisfy { $0 > 256 << 10 })
        #expect(held.reduce(0, +) == shares.reservedBytes && shares.reservedBytes < Self.maximum)
        for (holder, bytes) in zip(holders, held) { shares.release(bytes, of: holder) }
        #expect(shares.reservedBytes == 0)
        let answers = [Self.maximum / 8, 1].map { shares.reserve($0, for: holders[0]) }
        #expect(answers == [true, false])
    }

    @Test("however many connections a peer has, it gets what one of them would")
    func connectionsOfAPeer() {
        var shares = ByteShares(maximumBytes: Self.maximum)
        let peer = Self.peer()
        var held = 0
        for _ in 0..<8 {
            let holder = shares.enter(peer, at: nil)
            held += Self.fill(&shares, holder)
        }
        #expect(held == Self.maximum / 8)
        let other = shares.enter(Self.peer(), at: nil)
        let granted = shares.reserve(Self.maximum / 16, for: other)
        #expect(granted)
    }

    struct Crowd: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// Of sixteen peers, each at the next of these.
        let addresses: [String]
        /// What they get together, at most; nil if only the peers themselves are bounded.
        let share: Int?
        /// Where somebody else then gets something.
        var elsewhere = "9.9.9.9"
    }

    static let crowds: [Crowd] = [
        Crowd(testDescription: "one IPv4 address", addresses: ["8.8.8.8"], share: maximum / 4),
        Crowd(
            testDescription: "one IPv6 /56", addresses: ["2a00:1:2:3300::1", "2a00:1:2:33ff::1"], share: maximum / 4),
        Crowd(
            testDescription: "one IPv4 /24", addresses: (1...16).map { "8.8.8.\($0)" }, share: maximum / 2),
        Crowd(
            testDescription: "one IPv6 /48", addresses: (1...16).map { "2a00:1:2:\($0)00::1" }, share: maximum / 2),
        Crowd(testDescription: "one private address", addresses: ["192.168.1.7"], share: maximum / 4),
        Crowd(
            testDescription: "one private network", addresses: (1...16).map { "192.168.1.\($0)" }, share: nil),
        Crowd(
            testDescription: "a neighbour by IPv6", addresses: ["fd00::1"], share: maximum / 4, elsewhere: "fd00::2"),
        Crowd(
            testDescription: "a neighbour without a router", addresses: ["fe80::1"], share: maximum / 4,
            elsewhere: "fe80::2"),
        Crowd(
            testDescription: "one local IPv6 network", addresses: (1...16).map { "fd00:1:2:0::\($0)" },
            share: maximum / 8 * 7, elsewhere: "fd00:1:2:100::1"),
        Crowd(testDescription: "loopback", addresses: ["127.0.0.1", "::1"], share: nil),
    ]

    @Test(
        "peers of one address get a quarter together, those of one network half, of a local IPv6 network seven eighths",
        arguments: crowds)
    func crowd(_ crowd: Crowd) throws {
        var shares = ByteShares(maximumBytes: Self.maximum)
        for index in 0..<16 {
            let address = try #require(IPAddress(crowd.addresses[index % crowd.addresses.count]))
            let holder = shares.enter(Self.peer(), at: address)
            _ = Self.fill(&shares, holder)
        }
        if let share = crowd.share {
            #expect(shares.reservedBytes == share)
        } else {
            #expect(shares.reservedBytes > Self.maximum * 3 / 4)
        }
        // Somebody from elsewhere still gets an eighth of what is left.
        let elsewhere: IPAddress = try #require(IPAddress(crowd.elsewhere))
        let other = shares.enter(Self.peer(), at: elsewhere)
        let granted = shares.reserve((Self.maximum - shares.reservedBytes) / 8, for: other)
        #expect(granted)
    }

    @Test("the books balance after 10,000 random steps, and whoever leaves takes nothing along", arguments: 0..<4)
    func balance(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var shares = ByteShares(maximumBytes: 1 << 20)
        let peers = (0..<4).map { _ in Self.peer() }
        let addresses = try ["1.1.1.1", "1.1.1.2", "10.0.0.1", "127.0.0.1", "2a00::1", "fd00::1"].map {
            try #require(IPAddress($0))
        }
        var entered: [(holder: ByteShares.Holder, held: Int)] = []
        var gone: ByteShares.Holder?
        for step in 0..<10_000 {
            let bytes = Int.random(in: 0..<200_000, using: &random)
            let index = entered.indices.randomElement(using: &random)
            switch (Int.random(in: 0..<8, using: &random), index) {
            case (0, _) where entered.count < 32:
                let peer = try #require(peers.randomElement(using: &random))
                entered.append((shares.enter(peer, at: addresses.randomElement(using: &random)), 0))
            case (1...4, let index?):
                if shares.reserve(bytes, for: entered[index].holder) { entered[index].held += bytes }
            case (5, let index?):
                // More than it has is as much as it has.
                shares.release(bytes, of: entered[index].holder)
                entered[index].held -= min(bytes, entered[index].held)
            case (6, let index?):
                shares.leave(entered[index].holder)
                gone = entered.remove(at: index).holder
            default:
                guard let gone else { break }
                shares.leave(gone)
                shares.release(1, of: gone)
                let granted = shares.reserve(0, for: gone)
                #expect(!granted)
            }
            #expect(shares.reservedBytes == entered.reduce(0) { $0 + $1.held }, "seed \(seed) step \(step)")
            #expect((0...(1 << 20)).contains(shares.reservedBytes))
        }
        for (holder, _) in entered { shares.leave(holder) }
        #expect(shares.reservedBytes == 0 && shares.accountCount == 0)
    }
}
