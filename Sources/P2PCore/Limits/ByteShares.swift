public import Multiformats
public import PeerIdentity

/// The books of memory that many connections share: what grown receive windows may need, or what waits in streams.
///
/// Whoever holds some gets at most a part of what the others have left: one peer an eighth, however many connections it has;
/// the peers of one address together a quarter, and those of one network half, as `AddressScope` groups them. So a few cannot
/// take all of it and keep it, and there is always something for one more. Loopback is exempt; of a private IPv4 address only the
/// address counts, because its network is everybody there. Of private and link-local IPv6 the address itself counts, and its
/// network has seven eighths: many addresses are to be had in it, and those elsewhere are to find something all the same.
///
/// `ResourceLedger` shares out places for streams in the same way; then a byte here is a place there.
///
/// A value, not safe for concurrent use. All operations are constant in time, and reserving allocates nothing.
public struct ByteShares: Sendable {
    /// One connection, as the books know it.
    public struct Holder: Hashable, Sendable {
        fileprivate let number: UInt64
    }

    private enum Scope: Hashable, Sendable {
        case peer(PeerID)
        case host(AddressScope)
        case prefix(AddressScope)
        case localNetwork(AddressScope)

        /// So many parts of so many, of the bytes that the others have left.
        var share: (parts: Int, of: Int) {
            switch self {
            case .peer: (1, 8)
            case .host: (1, 4)
            case .prefix: (1, 2)
            case .localNetwork: (7, 8)
            }
        }
    }

    /// What all holders of one scope have together.
    private struct Account: Sendable {
        let scope: Scope
        let share: (parts: Int, of: Int)
        var holders = 0
        var held = 0
    }

    private struct Entry: Sendable {
        /// Numbers of accounts.
        let peer: Int
        var host: Int?
        var network: Int?
        var held = 0
    }

    /// The bound, in bytes.
    public let maximumBytes: Int
    /// What all holders have together.
    public private(set) var reservedBytes = 0

    private var nextNumber: UInt64 = 1
    private var entries: [Holder: Entry] = [:]
    private var accounts: [Account] = []
    private var unusedAccounts: [Int] = []
    private var accountNumbers: [Scope: Int] = [:]

    /// Nobody holds any of `maximumBytes`.
    public init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

    /// Groups with holders, for tests.
    package var accountCount: Int { self.accountNumbers.count }

    /// Enters a connection, which holds nothing yet. Every one has to `leave`.
    /// - Parameter address: the other end; nil if it has no IP address.
    public mutating func enter(_ peer: PeerID, at address: IPAddress?) -> Holder {
        let holder = Holder(number: self.nextNumber)
        self.nextNumber &+= 1
        var entry = Entry(peer: self.enter(.peer(peer)))
        if let address, !address.isLoopback {
            entry.host = self.enter(.host(.holder(address)))
            if let network = AddressScope.localNetwork(address) {
                entry.network = self.enter(.localNetwork(network))
            } else if !address.isPrivate, !address.isLinkLocal {
                entry.network = self.enter(.prefix(.prefix(address)))
            }
        }
        self.entries[holder] = entry
        return holder
    }

    /// Takes a connection out of the books, and back what it holds. A second time changes nothing.
    public mutating func leave(_ holder: Holder) {
        guard let entry = self.entries[holder] else { return }
        self.change(entry, of: holder, by: -entry.held)
        self.entries[holder] = nil
        self.leave(entry.peer)
        if let host = entry.host { self.leave(host) }
        if let network = entry.network { self.leave(network) }
    }

    /// Reserves bytes, or refuses: then nothing changes.
    public mutating func reserve(_ bytes: Int, for holder: Holder) -> Bool {
        guard let entry = self.entries[holder], self.allows(bytes, entry.peer), self.allows(bytes, entry.host),
            self.allows(bytes, entry.network)
        else { return false }
        self.change(entry, of: holder, by: bytes)
        return true
    }

    /// Gives bytes back, at most what the holder has.
    public mutating func release(_ bytes: Int, of holder: Holder) {
        guard let entry = self.entries[holder] else { return }
        self.change(entry, of: holder, by: -min(bytes, entry.held))
    }

    /// What a connection has; nothing if it is not in the books.
    public func held(by holder: Holder) -> Int { self.entries[holder]?.held ?? 0 }

    // MARK: Private

    private func allows(_ bytes: Int, _ number: Int?) -> Bool {
        guard let number else { return true }
        let held = self.accounts[number].held
        let left = self.maximumBytes - (self.reservedBytes - held)
        let share = self.accounts[number].share
        return held + bytes <= left / share.of * share.parts + left % share.of * share.parts / share.of
    }

    private mutating func change(_ entry: Entry, of holder: Holder, by bytes: Int) {
        self.reservedBytes += bytes
        self.entries[holder]?.held += bytes
        self.accounts[entry.peer].held += bytes
        if let host = entry.host { self.accounts[host].held += bytes }
        if let network = entry.network { self.accounts[network].held += bytes }
    }

    private mutating func enter(_ scope: Scope) -> Int {
        if let number = self.accountNumbers[scope] {
            self.accounts[number].holders += 1
            return number
        }
        let account = Account(scope: scope, share: scope.share, holders: 1)
        let number: Int
        if let unused = self.unusedAccounts.popLast() {
            number = unused
            self.accounts[number] = account
        } else {
            number = self.accounts.count
            self.accounts.append(account)
        }
        self.accountNumbers[scope] = number
        return number
    }

    private mutating func leave(_ number: Int) {
        self.accounts[number].holders -= 1
        guard self.accounts[number].holders == 0 else { return }
        self.accountNumbers[self.accounts[number].scope] = nil
        self.unusedAccounts.append(number)
    }
}
