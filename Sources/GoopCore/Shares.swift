public import Multiformats
public import PeerIdentity

/// For whom something is taken: a peer, and where its connection comes from.
///
/// Keys are free, so a peer alone says little. Of addresses even a host has few: what counts as one host is an IPv4 address or an
/// IPv6 /56, and as one network an IPv4 /24 or an IPv6 /48. In a local network all this would be everybody there: a private IPv4
/// address has no network; of IPv6 the address itself is the host, and the /56 the network, for many addresses are to be had in it.
public struct ShareHolder: Sendable, Hashable {
    /// As the connection proved it.
    public let peer: PeerID
    /// Nil where the connection has no address.
    let host: IPAddress?
    /// Nil where it does not count.
    let network: IPAddress?

    /// - Parameter address: the other end of the connection, that of the relay if there is one; nil if it has none.
    public init(_ peer: PeerID, at address: IPAddress?) {
        self.peer = peer
        guard let address = address?.unmapped else {
            host = nil
            network = nil
            return
        }
        switch address {
        case .v4(let value):
            host = address
            let isLocal = address.isPrivate || address.isLinkLocal
            network = isLocal || address.isLoopback ? nil : IPAddress.v4(value & ~0xff)
        case .v6(let high, _):
            host = address.holder
            network =
                address.localNetwork ?? (address.isLoopback ? nil : IPAddress.v6(high: high & ~0xffff, low: 0))
        }
    }

    /// The network follows from the address, and is not hashed again for every request.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(peer)
        hasher.combine(host)
    }

    /// What takes turns with others: the host, or a peer without one.
    package var group: Group { host.map { .host($0) } ?? .peer(peer) }

    /// See `group`.
    package enum Group: Sendable, Hashable {
        case host(IPAddress)
        case peer(PeerID)
    }
}

/// Places, or bytes, that strangers share: whoever comes finds some, however many keys the others have made up.
///
/// A holder gets a part of what the others have left, not a fixed number: so one who is alone gets almost all, and gives others
/// their part as it ends. Of seven eighths of all, one network gets at most seven eighths of what other networks leave; of
/// that, one host three quarters of what its neighbours leave; of that, one peer half of what the others there leave, and never
/// more than `perPeer`. The last eighth is kept for those who have less than the floor.
///
/// Nobody is made to give anything back: what was taken when there was more stays. So who asks must be bounded in time as well.
///
/// A value without I/O, not safe for concurrent use. Taking and giving back look a holder up once; one that has just come, three
/// times at most. Of holders that have nothing left, as many are remembered as have some, and `rememberedHolders` more.
public struct Shares: Sendable {
    /// Holders without anything that are remembered, so that one who asks again and again is not entered each time.
    static let rememberedHolders = 256

    /// The bound: places, or bytes.
    public let total: Int
    /// What one peer on one host has at most.
    public let perPeer: Int
    /// What a host may have, if there is room at all, whatever others took; a network twice as much.
    public let floor: Int
    /// What all have together.
    public private(set) var held = 0

    private enum Level {
        case network
        case host
        case peer
    }

    private struct Account {
        let level: Level
        /// The account that this one is a part of.
        let above: Int?
        var held = 0
    }

    private enum Place: Hashable {
        case host(IPAddress)
        case network(IPAddress)
    }

    private var accounts: [Account] = []
    private var holders: [ShareHolder: Int] = [:]
    private var places: [Place: Int] = [:]
    /// Holders that have something.
    private var active = 0

    /// Nothing is taken.
    ///
    /// - Parameters:
    ///   - total: of everybody; none if it is negative.
    ///   - perPeer: of one peer on one host.
    ///   - floor: what a host may have whatever others took; an eighth of `total` is kept for that.
    public init(total: Int, perPeer: Int, floor: Int) {
        self.total = max(0, total)
        self.perPeer = perPeer
        self.floor = floor
    }

    /// Holders in the books, those without anything included; for tests.
    package var holderCount: Int { holders.count }

    /// What a holder has.
    public func held(by holder: ShareHolder) -> Int { holders[holder].map { accounts[$0].held } ?? 0 }

    /// Takes so much, or refuses: then nothing changes.
    public mutating func take(_ amount: Int = 1, for holder: ShareHolder) -> Bool {
        // What is left is compared, so that no sum overflows.
        guard amount >= 0, amount <= total - held else { return false }
        let number = holders[holder] ?? enter(holder)
        guard room(number, for: amount) != nil else { return false }
        change(number, by: amount)
        return true
    }

    /// Gives back so much, at most what the holder has.
    public mutating func giveBack(_ amount: Int = 1, of holder: ShareHolder) {
        guard let number = holders[holder] else { return }
        change(number, by: -min(max(0, amount), accounts[number].held))
    }

    // MARK: Private

    /// What the account may have by its part; nil if it, or one that it is a part of, cannot have so much more.
    private func room(_ number: Int, for amount: Int) -> Int? {
        let account = accounts[number]
        var left = total - total / 8 - (held - account.held)
        if let above = account.above {
            guard let given = room(above, for: amount) else { return nil }
            left = given - (accounts[above].held - account.held)
        }
        var least = floor
        switch account.level {
        case .network:
            left = left / 8 * 7 + left % 8 * 7 / 8
            least = 2 * floor
        case .host: left = left / 4 * 3 + left % 4 * 3 / 4
        case .peer:
            left = min(left / 2, perPeer)
            least = min(floor, perPeer)
        }
        return account.held + amount <= max(left, least) ? left : nil
    }

    private mutating func change(_ number: Int, by amount: Int) {
        guard amount != 0 else { return }
        if accounts[number].held == 0 { active += 1 }
        held += amount
        var next: Int? = number
        while let account = next {
            accounts[account].held += amount
            next = accounts[account].above
        }
        if accounts[number].held == 0 { active -= 1 }
    }

    private mutating func enter(_ holder: ShareHolder) -> Int {
        if holders.count >= 2 * active + Shares.rememberedHolders { forgetIdle() }
        var above: Int?
        if let network = holder.network { above = number(of: .network(network), .network, in: nil) }
        if let host = holder.host { above = number(of: .host(host), .host, in: above) }
        accounts.append(Account(level: .peer, above: above))
        holders[holder] = accounts.count - 1
        return accounts.count - 1
    }

    private mutating func number(of place: Place, _ level: Level, in above: Int?) -> Int {
        if let number = places[place] { return number }
        accounts.append(Account(level: level, above: above))
        places[place] = accounts.count - 1
        return accounts.count - 1
    }

    /// Makes the books anew, of those who have something. It happens once in as many new holders as it looks at.
    private mutating func forgetIdle() {
        var known: [(holder: ShareHolder, amount: Int)] = []
        for (holder, number) in holders where accounts[number].held > 0 {
            known.append((holder, accounts[number].held))
        }
        accounts = []
        holders = [:]
        places = [:]
        held = 0
        active = 0
        for (holder, amount) in known { change(enter(holder), by: amount) }
    }
}
