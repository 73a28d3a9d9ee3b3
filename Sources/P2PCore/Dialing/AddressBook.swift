public import Multiformats
public import PeerIdentity

/// Who told us an address, in order of trust.
public enum AddressSource: Int, Sendable, Hashable, Comparable, CaseIterable {
    /// A third party said so: gossip, a rendezvous server, a presence message.
    case hearsay
    /// Discovered by multicast on a network we are attached to.
    case multicast
    /// The peer itself said so, over an authenticated connection.
    case identify
    /// The peer signed it.
    case signedRecord
    /// We are, or were, connected there.
    case connection
    /// The operator or the application configured it.
    case configured

    /// Whether it is more than what a peer says of itself, or a third party of it. Only then an address may lead where routers and
    /// clouds have doors of theirs, and a name into private networks if nothing else is said.
    fileprivate var isFirstHand: Bool { self == .multicast || self >= .connection }

    /// By trust.
    public static func < (left: AddressSource, right: AddressSource) -> Bool { left.rawValue < right.rawValue }
}

/// Bounds of the address book.
public struct AddressBookLimits: Sendable, Equatable {
    /// Peers remembered. Past it a peer that is not connected is forgotten, those first that only others spoke of, then those
    /// that we were connected with, then those that the operator chose; of one standing the one with the oldest news. Nobody
    /// makes room for a peer of lower standing: then it is the newcomer that is not remembered.
    public var peers = 8_192
    /// Addresses of one connected peer; past it the least trusted, soonest expiring one is forgotten.
    public var addressesPerPeer = 500
    /// Addresses of one peer that is not connected.
    public var addressesPerDisconnectedPeer = 20
    /// Bytes of one address; a longer one is not stored.
    public var addressBytes = 512
    /// Bytes of the addresses of one connected peer: one address may have ten, or as many as `addressBytes`.
    public var addressBytesPerPeer = 24 * 1_024
    /// Bytes of the addresses of one peer that is not connected: identities cost a stranger nothing.
    public var addressBytesPerDisconnectedPeer = 2_048
    /// Protocol names remembered of one peer.
    public var protocolsPerPeer = 512
    /// Bytes of protocol names remembered of one peer that is not connected: identities cost a stranger nothing.
    public var protocolBytesPerDisconnectedPeer = 2_048
    /// How long addresses that were used are kept after the last connection ended.
    public var recentlyConnectedTTL: Duration = .seconds(15 * 60)
    /// The longest lifetime anyone may ask for.
    public var maximumTTL: Duration = .seconds(24 * 3_600)
    /// The first wait after a failed attempt.
    public var backoffBase: Duration = .seconds(5)
    /// The longest wait.
    public var backoffMaximum: Duration = .seconds(300)

    /// The default figures.
    public init() {}
}

/// What is known of how to reach other peers: addresses with source and expiry, their dial history, and the protocols
/// that they said they speak.
///
/// Unspecified, IPv6 link-local, multicast and undecodable addresses are never stored. Loopback addresses on hearsay neither, since
/// they would have us knock on our own machine's doors for a stranger; nor IPv4 link-local ones that a peer or a third party told,
/// where routers and clouds have doors of theirs. For the same reason it is kept with a name where it may lead (`mayLead`).
public struct AddressBook: Sendable {
    private struct Entry {
        var source: AddressSource
        var expires: MonotonicInstant
        var failures = 0
        var blockedUntil: MonotonicInstant = .zero
        /// Of a name: it may lead into a private network.
        var leadsInside: Bool
    }

    private struct Peer {
        var entries: [Multiaddr: Entry] = [:]
        var recordSequence: UInt64?
        var protocols: [ProtocolID]?
        var security: ProtocolID?
        var isConnected = false
        var touched: MonotonicInstant

        /// Whether anything is known of the peer but addresses.
        var isMet: Bool { isConnected || security != nil || protocols != nil || recordSequence != nil }
        var bestSource: AddressSource? { entries.values.lazy.map(\.source).max() }
    }

    /// Who makes room for whom.
    private enum Standing: Int, Comparable {
        /// Others said that it is there, which costs them nothing.
        case rumoured
        /// It proved who it is.
        case met
        /// The operator named it, or keeps it.
        case chosen

        static func < (left: Standing, right: Standing) -> Bool { left.rawValue < right.rawValue }
    }

    /// One stored address, for inspection.
    public struct Item: Sendable, Hashable {
        /// Where.
        public let address: Multiaddr
        /// Who said so.
        public let source: AddressSource
        /// Not before this instant, after failures.
        public let blockedUntil: MonotonicInstant
    }

    /// The figures in force.
    public let limits: AddressBookLimits
    private var peers: [PeerID: Peer] = [:]
    private var kept: Set<PeerID> = []
    /// Until when it is known that there is no room for a newcomer of that standing.
    private var fullUntil: [Standing: MonotonicInstant] = [:]

    /// An empty book.
    public init(limits: AddressBookLimits = AddressBookLimits()) { self.limits = limits }

    /// Peers known.
    public var count: Int { self.peers.count }

    // MARK: Addresses

    /// Adds addresses or prolongs them; a trailing `/p2p` part must name `peer` and is stripped.
    ///
    /// - Parameter leadsInside: whether names among them may lead into private networks; if nothing is said, those of multicast, of
    ///   connections and of the configuration may.
    /// - Returns: the addresses that are now known and were not before.
    @discardableResult
    public mutating func add(
        _ addresses: some Sequence<Multiaddr>, of peer: PeerID, source: AddressSource, ttl: Duration,
        leadsInside: Bool? = nil, now: MonotonicInstant
    ) -> [Multiaddr] {
        let leadsInside = leadsInside ?? source.isFirstHand
        let longest = self.limits.addressBytes
        let usable = addresses.lazy.compactMap { Self.admissible($0, of: peer, source: source, maximumBytes: longest) }
            .prefix(self.limits.addressesPerPeer)
        let lifetime = min(max(ttl, .zero), self.limits.maximumTTL)
        let expires = now.advanced(by: lifetime)
        var record = self.peers[peer] ?? Peer(touched: now)
        var fresh: [Multiaddr] = []
        for address in usable {
            if var entry = record.entries[address] {
                entry.source = max(entry.source, source)
                entry.expires = max(entry.expires, expires)
                entry.leadsInside = entry.leadsInside || leadsInside
                record.entries[address] = entry
            } else {
                record.entries[address] = Entry(source: source, expires: expires, leadsInside: leadsInside)
                fresh.append(address)
            }
        }
        guard !record.entries.isEmpty || self.peers[peer] != nil else { return [] }
        record.touched = now
        self.trim(&record, now: now)
        return self.store(record, of: peer, now: now) ? fresh.filter { record.entries[$0] != nil } : []
    }

    /// Takes over a verified signed record if it is newer than the one known.
    ///
    /// The addresses of an earlier record that are missing from this one are forgotten.
    /// - Parameter leadsInside: whether names among them may lead into private networks.
    /// - Returns: false if it was not newer.
    public mutating func certify(
        _ certified: PeerRecord, ttl: Duration, leadsInside: Bool = false, now: MonotonicInstant
    ) -> Bool {
        var record = self.peers[certified.peer] ?? Peer(touched: now)
        if let known = record.recordSequence, certified.sequence <= known { return false }
        record.recordSequence = certified.sequence
        record.entries = record.entries.filter { $0.value.source != .signedRecord }
        self.store(record, of: certified.peer, now: now)
        self.add(
            certified.addresses, of: certified.peer, source: .signedRecord, ttl: ttl, leadsInside: leadsInside,
            now: now)
        return true
    }

    /// Takes over what a peer said of itself over an authenticated connection.
    ///
    /// A record that is no news, because it came before or because the peer's clock was set back, still tells where the peer
    /// is as we see it from this connection: its addresses count like unsigned ones.
    /// - Parameter remote: where it said so from. Names may lead into private networks if that is in one, or on this machine.
    public mutating func identified(
        _ info: IdentifyInfo, via remote: Multiaddr? = nil, ttl: Duration, now: MonotonicInstant
    ) {
        let leadsInside = remote.map { !$0.isRelayed && ($0.isLoopback || $0.isPrivate || $0.isLinkLocal) } ?? false
        self.setProtocols(info.protocols, of: info.peer, now: now)
        if let sequence = info.signedRecord?.sequence {
            let usable = PeerRecord(peer: info.peer, sequence: sequence, addresses: info.listenAddresses)
            if self.certify(usable, ttl: ttl, leadsInside: leadsInside, now: now) { return }
        }
        self.add(
            info.listenAddresses, of: info.peer, source: .identify, ttl: ttl, leadsInside: leadsInside, now: now)
    }

    /// Whether `address` may be dialled because a name leads there. By a name of its own a stranger could have us open connections
    /// to hosts of our network that it cannot reach; the addresses that it tells are looked at when it tells them, those behind a
    /// name only when they are found.
    /// - Parameter named: the address with the name, as it was told. One that is not known leads to public addresses.
    public func mayLead(_ named: Multiaddr, of peer: PeerID, to address: Multiaddr) -> Bool {
        guard !address.isPublic, let entry = self.peers[peer]?.entries[named] else { return address.isPublic }
        return entry.source == .configured || (entry.leadsInside && !address.isLinkLocal)
    }

    /// The addresses worth trying, most trusted first; expired ones are left out.
    public func addresses(of peer: PeerID, now: MonotonicInstant) -> [Multiaddr] {
        self.items(of: peer, now: now).map(\.address)
    }

    /// The same, with source and back-off.
    public func items(of peer: PeerID, now: MonotonicInstant) -> [Item] {
        guard let record = self.peers[peer] else { return [] }
        return record.entries.filter { record.isConnected || $0.value.expires > now }.sorted { left, right in
            if left.value.source != right.value.source { return left.value.source > right.value.source }
            if left.value.failures != right.value.failures { return left.value.failures < right.value.failures }
            return left.key.bytes.lexicographicallyPrecedes(right.key.bytes)
        }.map { Item(address: $0.key, source: $0.value.source, blockedUntil: $0.value.blockedUntil) }
    }

    /// Forgets addresses, for instance when multicast said goodbye for them. Addresses that came from `source` or less
    /// trusted ones go; better founded ones stay.
    public mutating func remove(_ addresses: some Sequence<Multiaddr>, of peer: PeerID, upTo source: AddressSource) {
        for address in addresses {
            let bare = address.withoutPeerID
            if let entry = self.peers[peer]?.entries[bare], entry.source <= source {
                self.peers[peer]?.entries[bare] = nil
            }
        }
    }

    // MARK: Dial history

    /// An attempt failed: the address is blocked for 5 s + 1 s * n², at most 5 minutes.
    public mutating func dialFailed(_ address: Multiaddr, of peer: PeerID, now: MonotonicInstant) {
        guard var entry = self.peers[peer]?.entries[address] else { return }
        let square = Double(entry.failures) * Double(entry.failures)
        entry.failures = min(entry.failures + 1, 1_000)
        let wait = min(self.limits.backoffBase + .seconds(min(square, 100_000)), self.limits.backoffMaximum)
        entry.blockedUntil = now.advanced(by: wait)
        self.peers[peer]?.entries[address] = entry
    }

    /// An attempt succeeded: the address is unblocked and known to be good.
    /// - Parameter leadsInside: whether it is a name that may lead into private networks; that a name has led somewhere says nothing
    ///   of where it leads next.
    public mutating func dialSucceeded(
        _ address: Multiaddr, of peer: PeerID, leadsInside: Bool = false, now: MonotonicInstant
    ) {
        self.add(
            CollectionOfOne(address), of: peer, source: .connection, ttl: self.limits.recentlyConnectedTTL,
            leadsInside: leadsInside, now: now)
        self.peers[peer]?.entries[address]?.failures = 0
        self.peers[peer]?.entries[address]?.blockedUntil = .zero
    }

    /// Unblocks all addresses of a peer: something new was heard of it.
    public mutating func clearBackoff(of peer: PeerID) {
        guard var record = self.peers[peer] else { return }
        for address in record.entries.keys {
            record.entries[address]?.failures = 0
            record.entries[address]?.blockedUntil = .zero
        }
        self.peers[peer] = record
    }

    // MARK: Connections

    /// While a peer is connected its addresses do not expire.
    public mutating func connected(_ peer: PeerID, security: ProtocolID, now: MonotonicInstant) {
        var record = self.peers[peer] ?? Peer(touched: now)
        record.isConnected = true
        record.security = security
        record.touched = now
        self.store(record, of: peer, now: now)
    }

    /// The last connection ended: the best addresses are kept for a while.
    public mutating func disconnected(_ peer: PeerID, now: MonotonicInstant) {
        guard var record = self.peers[peer] else { return }
        record.isConnected = false
        record.touched = now
        let expires = now.advanced(by: self.limits.recentlyConnectedTTL)
        for address in record.entries.keys {
            if let entry = record.entries[address], entry.expires < expires {
                record.entries[address]?.expires = expires
            }
        }
        self.trim(&record, now: now)
        var left = self.limits.protocolBytesPerDisconnectedPeer
        record.protocols = record.protocols.map { names in
            Array(
                names.prefix {
                    left -= $0.name.utf8.count
                    return left >= 0
                })
        }
        self.store(record, of: peer, now: now)
    }

    // MARK: Whom to keep

    /// Whether the peer, once it is known, makes room for others of its kind only. For the owner to say: whoever is kept holds
    /// a place until it is kept no longer.
    public mutating func keep(_ peer: PeerID, _ isKept: Bool) {
        if isKept { self.kept.insert(peer) } else { self.kept.remove(peer) }
    }

    // MARK: What the peer speaks

    /// The protocols the peer named last, over an authenticated connection; nil if it never did.
    public func protocols(of peer: PeerID) -> [ProtocolID]? { self.peers[peer]?.protocols }

    /// Replaces the peer's protocols; at most `protocolsPerPeer` are kept.
    public mutating func setProtocols(_ protocols: [ProtocolID], of peer: PeerID, now: MonotonicInstant) {
        var record = self.peers[peer] ?? Peer(touched: now)
        record.protocols = Array(protocols.prefix(self.limits.protocolsPerPeer))
        record.touched = now
        self.store(record, of: peer, now: now)
    }

    /// The peer refused a protocol that it had named: it is no longer presumed to speak it.
    public mutating func removeProtocol(_ protocolID: ProtocolID, of peer: PeerID) {
        self.peers[peer]?.protocols?.removeAll { $0 == protocolID }
    }

    /// The security protocol of the last connection with the peer; a dial may presume it.
    public func security(of peer: PeerID) -> ProtocolID? { self.peers[peer]?.security }

    /// The presumed security protocol was refused: presume nothing.
    public mutating func clearSecurity(of peer: PeerID) { self.peers[peer]?.security = nil }

    /// Forgets what has expired; peers without anything left go. Where nothing has, nothing is written: the book is large, and
    /// whoever locks it waits meanwhile.
    /// - Returns: how many peers' records were changed.
    @discardableResult
    public mutating func expire(now: MonotonicInstant) -> Int {
        let due = self.peers.compactMap { peer, record in self.isDue(record, now: now) ? peer : nil }
        for peer in due {
            // Taken out of the table, so that it is changed in place.
            guard var record = self.peers.removeValue(forKey: peer) else { continue }
            record.entries = record.entries.filter { $0.value.expires > now }
            if !record.entries.isEmpty || !self.isStale(record, now: now) { self.peers[peer] = record }
        }
        return due.count
    }

    private func isDue(_ record: Peer, now: MonotonicInstant) -> Bool {
        guard !record.isConnected else { return false }
        return record.entries.isEmpty
            ? self.isStale(record, now: now) : record.entries.values.contains { $0.expires <= now }
    }

    private func isStale(_ record: Peer, now: MonotonicInstant) -> Bool {
        !record.isMet || record.touched.advanced(by: self.limits.recentlyConnectedTTL) <= now
    }

    // MARK: Private

    /// The form in which an address is stored, or nil if it must not be.
    private static func admissible(
        _ address: Multiaddr, of peer: PeerID, source: AddressSource, maximumBytes: Int
    ) -> Multiaddr? {
        if let named = address.peerIDBytes {
            guard named == peer.bytes else { return nil }
        }
        let bare = address.withoutPeerID
        guard !bare.bytes.isEmpty, bare.bytes.count <= maximumBytes, !bare.isUnspecified else { return nil }
        if let ip = bare.ipAddress {
            guard !ip.isMulticast else { return nil }
            if ip.isLinkLocal {
                guard ip.bytes.count == 4, source.isFirstHand else { return nil }
            }
        }
        if bare.tcpPort == 0 { return nil }
        if bare.isLoopback, source == .hearsay { return nil }
        return bare
    }

    private func trim(_ record: inout Peer, now: MonotonicInstant) {
        let (bound, bytes) =
            record.isConnected
            ? (self.limits.addressesPerPeer, self.limits.addressBytesPerPeer)
            : (self.limits.addressesPerDisconnectedPeer, self.limits.addressBytesPerDisconnectedPeer)
        guard record.entries.count > bound || record.entries.keys.reduce(0, { $0 + $1.bytes.count }) > bytes else {
            return
        }
        var left = bytes
        let kept = record.entries.sorted { left, right in
            if left.value.source != right.value.source { return left.value.source > right.value.source }
            if left.value.failures != right.value.failures { return left.value.failures < right.value.failures }
            if left.value.expires != right.value.expires { return left.value.expires > right.value.expires }
            return left.key.bytes.lexicographicallyPrecedes(right.key.bytes)
        }.prefix(bound).prefix {
            left -= $0.key.bytes.count
            return left >= 0
        }
        record.entries = Dictionary(uniqueKeysWithValues: kept.map { ($0.key, $0.value) })
    }

    private func standing(of peer: PeerID, _ record: Peer) -> Standing {
        let best = record.bestSource ?? .hearsay
        if best == .configured || self.kept.contains(peer) { return .chosen }
        return record.isMet || best > .multicast ? .met : .rumoured
    }

    /// Forgets a sixteenth of all at once, so that a flood of new peers does not pay for a search each time; and where less
    /// than that gives way, it is searched once a second.
    private mutating func makeRoom(for newcomer: Peer, of standing: Standing, now: MonotonicInstant) {
        if let until = self.fullUntil[standing], until > now { return }
        self.expire(now: now)
        guard self.peers.count >= self.limits.peers else { return }
        let share = max(1, self.limits.peers / 16)
        let idle = self.peers.filter { !$0.value.isConnected }
        let byStanding = Dictionary(grouping: idle) { self.standing(of: $0.key, $0.value) }
        guard let lowest = byStanding.keys.min(), lowest <= standing, var victims = byStanding[lowest] else {
            self.fullUntil[standing] = now.advanced(by: .seconds(1))
            return
        }
        if lowest == .rumoured {
            // Of the two kinds of rumours the more numerous, the newcomer's counted: a flood of one leaves the other alone.
            func isAnnounced(_ record: Peer) -> Bool { record.bestSource == .multicast }
            let announced = victims.filter { isAnnounced($0.value) }
            let others = victims.filter { !isAnnounced($0.value) }
            let isMore = isAnnounced(newcomer) ? announced.count >= others.count : announced.count > others.count
            victims = isMore ? announced : others
        }
        victims.sort { $0.value.touched < $1.value.touched }
        for (peer, _) in victims.prefix(share) { self.peers[peer] = nil }
        if victims.count < share { self.fullUntil[standing] = now.advanced(by: .seconds(1)) }
    }

    /// False if there was no room for the peer.
    @discardableResult
    private mutating func store(_ record: Peer, of peer: PeerID, now: MonotonicInstant) -> Bool {
        if self.peers[peer] == nil, self.peers.count >= self.limits.peers {
            self.makeRoom(for: record, of: self.standing(of: peer, record), now: now)
            guard self.peers.count < self.limits.peers else { return false }
        }
        self.peers[peer] = record
        return true
    }
}
