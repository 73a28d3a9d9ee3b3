public import Multiformats
public import PeerIdentity

/// Who is there: what is known about every other peer, and how that changes with messages, probes, connections, time.
///
/// A peer is listed once it has said so itself: a presence message counts only if its signer is the peer it names.
/// Messages of one peer are ordered by their time stamps; an older or repeated one has no effect. What is known about a
/// peer before its first message (a discovery, a connection) is kept aside and joined to the entry when it comes.
///
/// Bounds: at most `Limits.peers` entries; a newcomer beyond takes the place of the peer that is offline longest, else
/// of one that was never reached and is silent longest; favourites, reachable and connected peers never give way, and
/// if only such are left the newcomer is refused.
/// Source: P2P wire reference, sections 3.2 to 3.6.
public struct PeerTable: Sendable {
    /// Times and bounds.
    public struct Limits: Sendable, Hashable {
        /// Silence after which a peer counts as offline.
        public var timeToLive: Duration
        /// How long an offline peer stays listed.
        public var grace: Duration
        /// The most entries.
        public var peers: Int
        /// How far ahead of this machine's clock a time stamp counts.
        public var maximumClockLeadMilliseconds: Int64
        /// Two failed probes closer than this count as one.
        public var strikeInterval: Duration
        /// A longer time between two calls of `timerFired` was none to be heard in: the computer slept, or did not get to it.
        public var longestTick: Duration

        /// Makes limits; the defaults are upstream's.
        public init(
            timeToLive: Duration = .seconds(20), grace: Duration = .seconds(15 * 60), peers: Int = 4096,
            maximumClockLeadMilliseconds: Int64 = 300_000, strikeInterval: Duration = .seconds(2),
            longestTick: Duration = .seconds(5)
        ) {
            self.timeToLive = timeToLive
            self.grace = grace
            self.peers = max(1, peers)
            self.maximumClockLeadMilliseconds = maximumClockLeadMilliseconds
            self.strikeInterval = strikeInterval
            self.longestTick = longestTick
        }
    }

    /// What the owner of the table has to do.
    public enum Effect: Sendable, Hashable {
        /// Tell the viewers.
        case changed(PeerChange)
        /// Find out whether the peer answers, and report the outcome.
        case probe(PeerID)
        /// The peer can be tried at these addresses.
        case learned(PeerID, [Multiaddr])
    }

    /// Why a presence message had no effect.
    public enum Refusal: Error, Sendable, Hashable {
        /// The message names another peer than the one that signed it.
        case notTheSigner
        case aboutOurselves
        /// Not newer than the last one of this peer.
        case stale
        /// A type that means nothing on this topic.
        case unknownKind
        /// A goodbye of somebody who is not listed.
        case unknownPeer
        /// No place for another peer.
        case full(limit: Int)
    }

    fileprivate struct Record: Sendable {
        var entry: PeerEntry
        var heard: Duration
        var offlineSince: Duration?
        var newestTimestamp = Int64.min
        var strikes = 0
        var lastStrike: Duration?
        /// Of failed probes, since the peer last said something new.
        var pause = RetryPause()
        /// The path of the live connections, `.none` without one.
        var connected = PeerPath.none
    }

    /// What is known about a peer that has not spoken yet.
    private struct Prelude: Sendable {
        var sources: Set<FactSource> = []
        var connected = PeerPath.none
        var favorite = false
    }

    private let ownID: PeerID
    private let limits: Limits
    private var records: [PeerID: Record] = [:]
    private var preludes: [PeerID: Prelude] = [:]
    /// The uptime of the last call of `timerFired`.
    private var lastTick: Duration?

    /// Makes an empty table of everybody but `ownID`.
    public init(ownID: PeerID, limits: Limits = .init()) {
        self.ownID = ownID
        self.limits = limits
    }

    /// The number of listed peers, online or not.
    public var count: Int { records.count }

    /// All entries, sorted by id.
    public var entries: [PeerEntry] { records.values.map(\.entry).sorted { $0.id < $1.id } }

    /// The entry of a peer, if it is listed.
    public subscript(peer: PeerID) -> PeerEntry? { records[peer]?.entry }

    // MARK: Presence

    /// A presence message whose signature by `signer` was verified.
    public mutating func received(
        _ message: PresenceMessage, from signer: PeerID, now: Moment
    ) throws(Refusal) -> [Effect] {
        guard PeerTable.names(message.peerID, signer) else { throw .notTheSigner }
        guard signer != ownID else { throw .aboutOurselves }
        let ceiling = now.unixMilliseconds.addingReportingOverflow(limits.maximumClockLeadMilliseconds)
        let timestamp = min(message.timestamp, ceiling.overflow ? .max : ceiling.partialValue)
        if let record = records[signer], timestamp <= record.newestTimestamp { throw .stale }
        switch message.kind {
        case .online, .update: return try announced(message, from: signer, timestamp: timestamp, now: now)
        case .offline: return try saidGoodbye(signer, timestamp: timestamp, now: now)
        case .punch, .other: throw .unknownKind
        }
    }

    private static func names(_ text: String, _ peer: PeerID) -> Bool {
        // Upstream compares texts, and always writes this form; another form of the same id is accepted too.
        text == peer.base58 || PeerID(text) == peer
    }

    private mutating func announced(
        _ message: PresenceMessage, from peer: PeerID, timestamp: Int64, now: Moment
    ) throws(Refusal) -> [Effect] {
        var effects: [Effect] = []
        let isNewcomer = records[peer] == nil
        if isNewcomer { effects = try makeRoom() }
        var record = records.removeValue(forKey: peer) ?? newRecord(of: peer, now: now)
        let before = record.entry
        record.newestTimestamp = timestamp
        record.heard = now.uptime
        record.offlineSince = nil
        record.entry.apply(message)
        // Why it did not answer before it went says nothing about now.
        if before.offline { record.entry.unreachableReason = nil }
        record.entry.offline = false
        record.entry.saidGoodbye = false
        record.entry.offlineSinceMilliseconds = nil
        record.entry.lastSeenMilliseconds = now.unixMilliseconds
        record.entry.sources.insert(.gossip)
        record.entry.addresses = PresenceProfile.learned(message.addresses)
        let entry = record.entry
        let isNews = isNewcomer || entry.isVisiblyDifferent(from: before)
        if isNews || message.kind == .online { record.pause = RetryPause() }
        let mayProbe = record.pause.isOver(now: now.uptime)
        records[peer] = record

        if isNews { effects.append(.changed(.updated(entry))) }
        if !entry.addresses.isEmpty, isNewcomer || before.offline || entry.addresses != before.addresses {
            effects.append(.learned(peer, entry.addresses))
        }
        if message.kind == .online || entry.addresses != before.addresses || (!entry.reachable && mayProbe) {
            effects.append(.probe(peer))
        }
        return effects
    }

    private mutating func saidGoodbye(_ peer: PeerID, timestamp: Int64, now: Moment) throws(Refusal) -> [Effect] {
        guard var record = records.removeValue(forKey: peer) else { throw .unknownPeer }
        let before = record.entry
        record.newestTimestamp = timestamp
        if !before.offline { record.goOffline(now: now) }
        // It may also have been silent before.
        record.entry.saidGoodbye = true
        records[peer] = record
        return record.entry == before ? [] : [.changed(.updated(record.entry))]
    }

    private mutating func newRecord(of peer: PeerID, now: Moment) -> Record {
        let prelude = preludes.removeValue(forKey: peer) ?? Prelude()
        let isConnected = prelude.connected != .none
        let entry = PeerEntry(
            id: peer, favorite: prelude.favorite, reachable: isConnected && prelude.connected != .relay,
            lastSeenMilliseconds: now.unixMilliseconds, sources: prelude.sources, path: prelude.connected)
        return Record(entry: entry, heard: now.uptime, connected: prelude.connected)
    }

    /// Makes sure that one more peer fits.
    private mutating func makeRoom() throws(Refusal) -> [Effect] {
        guard records.count >= limits.peers else { return [] }
        let expendable = records.filter { !$0.value.entry.favorite && $0.value.connected == .none }
        let offline = expendable.filter { $0.value.entry.offline }
            .min { ($0.value.offlineSince ?? .zero, $0.key) < ($1.value.offlineSince ?? .zero, $1.key) }
        let silent = expendable.filter { !$0.value.entry.reachable }
            .min { ($0.value.heard, $0.key) < ($1.value.heard, $1.key) }
        guard let victim = (offline ?? silent)?.key else { throw .full(limit: limits.peers) }
        records[victim] = nil
        return [.changed(.removed(victim))]
    }

    // MARK: Probes and connections

    /// A probe got the peer's answer.
    public mutating func probeSucceeded(_ peer: PeerID, now: Moment) -> [Effect] {
        update(peer) { record in
            record.strikes = 0
            record.lastStrike = nil
            record.pause = RetryPause()
            record.entry.reachable = true
            record.entry.unreachableReason = nil
            record.entry.sources.insert(.probe)
        }
    }

    /// A probe failed. One failure is an accident: a reachable peer becomes unreachable with the second, at least two
    /// seconds later. Of one that is unreachable a heartbeat without news asks for the next probe only when `RetryPause` is over.
    /// - Parameter reason: in plain words; cut at 256 bytes.
    public mutating func probeFailed(_ peer: PeerID, reason: String, now: Moment) -> [Effect] {
        let strikeInterval = limits.strikeInterval
        return update(peer) { record in
            if let last = record.lastStrike, now.uptime - last <= strikeInterval { return }
            record.strikes = min(record.strikes + 1, 2)
            record.lastStrike = now.uptime
            record.pause.failed(now: now.uptime)
            guard record.strikes >= 2 || !record.entry.reachable else { return }
            record.entry.reachable = false
            record.entry.unreachableReason = reason.prefix(utf8Bytes: PresenceMessage.Limit.shortTextBytes)
        }
    }

    /// The connections to a peer changed.
    ///
    /// A connection is taken for a sign that the peer answers, unless a probe has failed: whoever has blocked us lets
    /// connections begin and ends them, again and again. Then only the answer to a probe counts.
    /// - Parameter path: the best path of those that live now; `.none` when the last one has ended.
    public mutating func connectionChanged(_ peer: PeerID, path: PeerPath, now: Moment) -> [Effect] {
        guard peer != ownID else { return [] }
        guard records[peer] != nil else {
            note(peer) {
                $0.connected = path
                if path != .none { $0.sources.insert(.connection) }
            }
            return []
        }
        var effects = update(peer) { record in
            let before = record.connected
            record.connected = path
            record.entry.path = path
            guard path != .none else { return }
            record.entry.sources.insert(.connection)
            if before == .none, record.entry.offline {
                // The peer proved that it lives, so its clock may start anew: after a restart it may have been set back.
                record.newestTimestamp = .min
            }
            if path != .relay, record.strikes == 0 {
                record.entry.reachable = true
                record.entry.unreachableReason = nil
            }
        }
        if let record = records[peer], !record.entry.offline {
            // After a failed probe one that ends tells nothing new, and one that begins wants proof.
            let isInDoubt = path == .none ? record.strikes == 0 : record.wantsProof
            if isInDoubt { effects.append(.probe(peer)) }
        }
        return effects
    }

    /// The peer was found by multicast DNS.
    public mutating func discovered(_ peer: PeerID, source: FactSource, now: Moment) -> [Effect] {
        guard peer != ownID else { return [] }
        guard records[peer] != nil else {
            note(peer) { $0.sources.insert(source) }
            return []
        }
        return update(peer) { $0.entry.sources.insert(source) }
    }

    // MARK: The owner's side

    /// Lists a peer that was known in an earlier run, as offline; one that is listed already stays as it is.
    public mutating func seed(_ remembered: PeerEntry, now: Moment) -> [Effect] {
        guard remembered.id != ownID, records[remembered.id] == nil, records.count < limits.peers else { return [] }
        var entry = remembered
        entry.reachable = false
        entry.offline = true
        entry.saidGoodbye = false
        entry.path = .none
        entry.encryptionSupported = false
        entry.offlineSinceMilliseconds = entry.offlineSinceMilliseconds ?? now.unixMilliseconds
        entry.sources = [.cache]
        records[entry.id] = Record(entry: entry, heard: now.uptime, offlineSince: now.uptime)
        return [.changed(.updated(entry))]
    }

    /// Marks a peer as the owner's favourite, or no longer; favourites stay listed while they are offline.
    public mutating func setFavorite(_ peer: PeerID, _ favorite: Bool) -> [Effect] {
        guard records[peer] != nil else {
            note(peer) { $0.favorite = favorite }
            return []
        }
        return update(peer) { $0.entry.favorite = favorite }
    }

    /// Takes a peer off the list and forgets what is known of it, at once.
    public mutating func remove(_ peer: PeerID) -> [Effect] {
        preludes[peer] = nil
        return records.removeValue(forKey: peer) == nil ? [] : [.changed(.removed(peer))]
    }

    // MARK: Time

    /// Lets time pass: to be called about once a second. After a pause of more than `Limits.longestTick` whoever was online before has
    /// the whole time to live to be heard again: in a computer that slept nobody could be.
    public mutating func timerFired(now: Moment) -> [Effect] {
        if let lastTick, now.uptime - lastTick > limits.longestTick {
            for peer in Array(records.keys) where records[peer]?.offlineSince == nil {
                records[peer]?.heard = now.uptime
            }
        }
        lastTick = now.uptime
        var effects: [Effect] = []
        for peer in records.keys.sorted() {
            guard var record = records[peer] else { continue }
            if let since = record.offlineSince {
                guard now.uptime - since > limits.grace, !record.entry.favorite else { continue }
                records[peer] = nil
                effects.append(.changed(.removed(peer)))
            } else if now.uptime - record.heard > limits.timeToLive {
                record.goOffline(now: now)
                records[peer] = record
                effects.append(.changed(.updated(record.entry)))
            } else if record.wantsProof {
                effects.append(.probe(peer))
            } else if record.strikes == 1, record.entry.reachable, let last = record.lastStrike,
                now.uptime - last > limits.strikeInterval
            {
                effects.append(.probe(peer))
            }
        }
        return effects
    }

    // MARK: Inside

    private mutating func update(_ peer: PeerID, _ change: (inout Record) -> Void) -> [Effect] {
        guard var record = records.removeValue(forKey: peer) else { return [] }
        let before = record.entry
        change(&record)
        records[peer] = record
        return record.entry.isVisiblyDifferent(from: before) ? [.changed(.updated(record.entry))] : []
    }

    /// Keeps a fact about a peer that is not listed. At the bound, facts of peers without a connection are dropped
    /// first; if all are connected the new fact is.
    private mutating func note(_ peer: PeerID, _ change: (inout Prelude) -> Void) {
        var prelude = preludes.removeValue(forKey: peer) ?? Prelude()
        change(&prelude)
        guard prelude.connected != .none || !prelude.sources.isEmpty || prelude.favorite else { return }
        if preludes.count >= limits.peers {
            preludes = preludes.filter { $0.value.connected != .none || $0.value.favorite }
        }
        if preludes.count < limits.peers { preludes[peer] = prelude }
    }
}

extension PeerTable.Record {
    /// A direct connection stands, and the last probe failed.
    fileprivate var wantsProof: Bool { strikes > 0 && !entry.reachable && connected != .none && connected != .relay }

    fileprivate mutating func goOffline(now: Moment) {
        offlineSince = now.uptime
        strikes = 0
        lastStrike = nil
        pause = RetryPause()
        entry.offline = true
        entry.offlineSinceMilliseconds = now.unixMilliseconds
        entry.reachable = false
    }
}

extension PeerEntry {
    /// Takes over what an `online` or `update` message says; what upstream sometimes leaves out keeps its old value.
    fileprivate mutating func apply(_ message: PresenceMessage) {
        label = message.content
        email = message.email
        avatarHash = message.avatarHash
        activeTemplate = message.activeTemplate
        videoDisabled = message.videoDisabled
        if !message.publicKey.isEmpty { publicKey = message.publicKey }
        if !message.clientVersion.isEmpty { clientVersion = message.clientVersion }
        encryptionSupported = encryptionSupported || message.encryptionSupported
    }

    /// True if somebody who looks at the list would see a difference; a mere sign of life is none.
    fileprivate func isVisiblyDifferent(from other: PeerEntry) -> Bool {
        var silenced = self
        silenced.lastSeenMilliseconds = other.lastSeenMilliseconds
        return silenced != other
    }
}

extension String {
    /// The longest beginning of whole characters that fits this many UTF-8 bytes.
    package func prefix(utf8Bytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        var used = 0
        return String(
            prefix { character in
                used += character.utf8.count
                return used <= limit
            })
    }
}
