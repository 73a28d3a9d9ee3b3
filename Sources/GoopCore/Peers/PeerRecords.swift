public import PeerIdentity

/// The peers that are remembered over restarts, and what the owner decided about them: decides, and stores nothing.
///
/// Whoever owns it stores each record that a method gives back, and removes those that it names.
///
/// Bounds: at most `Limits.peers` records. A new peer, seen or decided about, takes the place of the one that was seen
/// longest ago and about which the owner decided nothing. When there is none, a peer that is seen is not remembered, and a
/// decision is refused. What nobody decided about is forgotten `Limits.lifetimeMilliseconds` after it was seen last.
public struct PeerRecords: Sendable {
    /// Times and bounds.
    public struct Limits: Sendable, Hashable {
        /// The most records.
        public var peers = 4096
        /// Addresses of one record.
        public var addresses = 8
        /// The longest petname, in UTF-8 bytes.
        public var petnameBytes = 128
        /// Ninety days.
        public var lifetimeMilliseconds: Int64 = 90 * 86_400_000
        /// A mere sign of life is worth a new record only this long after the last one.
        public var refreshMilliseconds: Int64 = 60_000

        /// The usual limits.
        public init() {}
    }

    /// Why a decision was refused.
    public enum Refusal: Error, Sendable, Hashable, CustomStringConvertible {
        /// Nobody decides about themselves.
        case ownPeer
        /// More bytes than the limit, line breaks, or characters that cannot be seen.
        case petname(maximumBytes: Int)
        /// As many decisions as can be kept.
        case full(limit: Int)

        /// For the person.
        public var description: String {
            switch self {
            case .ownPeer: "that is your own peer"
            case .petname(let maximum): "a name has at most \(maximum) bytes, in one line of visible characters"
            case .full(let limit): "you have decided about \(limit) peers already; take one decision back first"
            }
        }
    }

    /// What to write after something was seen.
    public struct Writes: Sendable, Hashable {
        /// To be stored.
        public var stored: KnownPeer?
        /// To be removed.
        public var removed: PeerID?

        /// Nothing to write.
        public init() {}
    }

    /// What to write after the owner decided something.
    public struct Decided: Sendable, Hashable {
        /// To be stored.
        public var record: KnownPeer
        /// To be removed.
        public var removed: PeerID?
    }

    private let ownID: PeerID
    private let limits: Limits
    private var known: [PeerID: KnownPeer] = [:]
    /// The skeletons of the names of favourites and of peers with a name of the owner's choice, and who bears them.
    /// No name without a bearer: a peer may take a new one with every message.
    private(set) var pinned: [String: Set<PeerID>] = [:]

    /// - Parameter known: as it was stored; what does not fit the limits is left out.
    public init(ownID: PeerID, known: [KnownPeer] = [], limits: Limits = .init()) {
        self.ownID = ownID
        self.limits = limits
        // Decisions first: if not all fit, sightings are left out.
        for peer in known.sorted(by: { $0.isChosen && !$1.isChosen }) where peer.id != ownID {
            guard self.known.count < limits.peers else { break }
            var peer = peer
            peer.addresses = Array(peer.addresses.prefix(limits.addresses))
            self.known[peer.id] = peer
        }
        for peer in self.known.values { pin(peer) }
    }

    /// Every record, sorted by id.
    public var all: [KnownPeer] { known.values.sorted { $0.id < $1.id } }

    /// The record of a peer.
    public subscript(peer: PeerID) -> KnownPeer? { known[peer] }

    /// Everybody who does not exist here.
    public var blocked: Set<PeerID> { Set(known.values.lazy.filter { $0.standing == .blocked }.map(\.id)) }

    /// True for a peer that does not exist here.
    public func isBlocked(_ peer: PeerID) -> Bool { known[peer]?.standing == .blocked }

    // MARK: Seen

    /// A peer is there as this entry says.
    public mutating func remember(_ entry: PeerEntry) -> Writes {
        var writes = Writes()
        guard entry.id != ownID, !isBlocked(entry.id) else { return writes }
        guard makeRoom(for: entry.id, removed: &writes.removed) else { return writes }
        let before = known[entry.id]
        var record = before ?? KnownPeer(id: entry.id)
        record.label = entry.label
        if !entry.addresses.isEmpty { record.addresses = Array(entry.addresses.prefix(limits.addresses)) }
        record.lastSeenMilliseconds = max(record.lastSeenMilliseconds, entry.lastSeenMilliseconds)
        if let before, before.label == record.label, before.addresses == record.addresses,
            record.lastSeenMilliseconds &- before.lastSeenMilliseconds < limits.refreshMilliseconds
        {
            return writes
        }
        replace(before, by: record)
        writes.stored = record
        return writes
    }

    /// False if every place is taken by a peer about which the owner decided something.
    private mutating func makeRoom(for peer: PeerID, removed: inout PeerID?) -> Bool {
        guard known[peer] == nil, known.count >= limits.peers else { return true }
        let expendable = known.values.filter { !$0.isChosen }
        guard let oldest = expendable.min(by: { ($0.lastSeenMilliseconds, $0.id) < ($1.lastSeenMilliseconds, $1.id) })
        else { return false }
        known[oldest.id] = nil
        removed = oldest.id
        return true
    }

    /// Forgets whom nobody decided about and who was not seen for long; gives back those whose records are to be removed.
    public mutating func expire(unixMilliseconds now: Int64) -> [PeerID] {
        let old = known.values.filter {
            !$0.isChosen
                && now.subtractingReportingOverflow($0.lastSeenMilliseconds).partialValue
                    > limits.lifetimeMilliseconds
        }.map(\.id)
        for peer in old { known[peer] = nil }
        return old.sorted()
    }

    // MARK: Decided

    /// Gives a peer a name of the owner's choice; blanks around it are cut, and an empty one takes the name away.
    public mutating func setPetname(_ name: String, of peer: PeerID) throws(Refusal) -> Decided {
        let name = Self.trimmed(name)
        guard name.utf8.count <= limits.petnameBytes, name.unicodeScalars.allSatisfy(Self.isVisible),
            name.isEmpty || !NameSkeleton.of(name).isEmpty
        else {
            throw .petname(maximumBytes: limits.petnameBytes)
        }
        return try decide(peer) { $0.petname = name }
    }

    /// Makes a peer a favourite, or no longer.
    public mutating func setFavorite(_ isFavorite: Bool, of peer: PeerID) throws(Refusal) -> Decided {
        try decide(peer) { $0.isFavorite = isFavorite }
    }

    /// Mutes, blocks, or neither.
    public mutating func setStanding(_ standing: PeerStanding, of peer: PeerID) throws(Refusal) -> Decided {
        try decide(peer) { $0.standing = standing }
    }

    private mutating func decide(
        _ peer: PeerID, _ change: (inout KnownPeer) -> Void
    ) throws(Refusal) -> Decided {
        guard peer != ownID else { throw .ownPeer }
        var removed: PeerID?
        guard makeRoom(for: peer, removed: &removed) else { throw .full(limit: limits.peers) }
        let before = known[peer]
        var record = before ?? KnownPeer(id: peer)
        change(&record)
        replace(before, by: record)
        return Decided(record: record, removed: removed)
    }

    private mutating func replace(_ before: KnownPeer?, by record: KnownPeer) {
        if let before {
            for name in Self.pinnedNames(of: before) {
                pinned[name]?.remove(before.id)
                if pinned[name]?.isEmpty == true { pinned[name] = nil }
            }
        }
        known[record.id] = record
        pin(record)
    }

    private mutating func pin(_ peer: KnownPeer) {
        for name in Self.pinnedNames(of: peer) { pinned[name, default: []].insert(peer.id) }
    }

    private static func pinnedNames(of peer: KnownPeer) -> Set<String> {
        guard peer.standing != .blocked, peer.isFavorite || !peer.petname.isEmpty else { return [] }
        return Set([NameSkeleton.of(peer.petname), NameSkeleton.of(peer.label)].filter { !$0.isEmpty })
    }

    // MARK: Shown

    /// The entry with what the owner decided.
    public func dressed(_ entry: PeerEntry) -> PeerEntry {
        var entry = entry
        let record = known[entry.id]
        entry.petname = record?.petname ?? ""
        entry.isMuted = record?.standing == .muted
        entry.favorite = record?.isFavorite ?? false
        let likeness = resembled(by: entry)
        entry.resembles = likeness?.peer
        entry.resemblesLabelOnly = likeness?.isLabelOnly ?? false
        return entry
    }

    /// A favourite or named peer with another key whose name this peer bears, or one that looks the same: perhaps an impostor.
    private func resembled(by entry: PeerEntry) -> (peer: PeerID, isLabelOnly: Bool)? {
        // Skeletons are work, and those who are around choose how much.
        guard !pinned.isEmpty else { return nil }
        guard known[entry.id]?.petname.isEmpty ?? true, !(known[entry.id]?.isFavorite ?? false) else { return nil }
        let name = NameSkeleton.of(entry.label)
        guard !name.isEmpty else { return nil }
        let others = (pinned[name] ?? []).filter { $0 != entry.id }
        // Whom the owner calls so comes first: they are whom this one would be taken for.
        if let called = others.filter({ isCalled($0, name) }).min() { return (called, false) }
        guard let other = others.min() else { return nil }
        return (other, true)
    }

    /// - Parameter name: as `NameSkeleton.of` gives it.
    private func isCalled(_ peer: PeerID, _ name: String) -> Bool {
        guard let record = known[peer] else { return false }
        return NameSkeleton.of(record.petname.isEmpty ? record.label : record.petname) == name
    }

    private static func trimmed(_ text: String) -> String {
        var text = Substring(text)
        while let first = text.first, first.isWhitespace { text = text.dropFirst() }
        while let last = text.last, last.isWhitespace { text = text.dropLast() }
        return String(text)
    }

    /// No control characters, line ends, marks that turn the direction of the text around them, or what is seen nowhere.
    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7f..<0xa0, 0x2028, 0x2029, 0x200e, 0x200f, 0x061c, 0x202a...0x202e, 0x2066...0x2069: false
        default: !scalar.isUnseen
        }
    }
}
