import Multiformats
import PeerIdentity

/// Who was heard on which interface, from which source address, under which instance name.
///
/// Claims of different sources stay apart, so a stranger can add a claim about a peer but cannot overwrite or take back
/// one that came from another address. Bounds: 128 claims a source, further ones are refused; 1,024 in all, then a source
/// with the most claims loses the one that would end first to one with fewer, and whoever has as many gets no more. Of what
/// one source says 128 things are news at once, and then one a second; a peer that would be one too many is not taken in,
/// and is heard of when it speaks again.
struct MDNSCache: Sendable {
    struct Key: Hashable, Sendable {
        let interface: UInt32
        let source: IPAddress
        let instance: DNSName

        fileprivate var orderedBytes: [UInt8] {
            instance.wire + source.bytes + [UInt8(truncatingIfNeeded: interface)]
        }
    }

    struct Claim: Sendable {
        var peer: PeerID
        var addresses: [Multiaddr]
        /// As the record said it, in seconds.
        var statedTimeToLive: UInt32
        var heardAt: MonotonicInstant
        var expiresAt: MonotonicInstant
        var saidGoodbye = false
        /// How often new addresses of this claim are still news at once.
        var news = TokenBucket(capacity: 4, every: .seconds(1))
    }

    private struct Report: Sendable {
        var claims = 0
        var at: MonotonicInstant
        /// In how many claims each address of the peer stands.
        var addresses: [Multiaddr: Int] = [:]
    }

    static let maximumClaims = 1_024
    static let maximumClaimsPerSource = 128
    /// A record is trusted no longer than this, so that a peer is asked for again while it is there.
    static let longestTimeToLive: UInt32 = 240
    /// A peer heard again without news is reported at most this often.
    static let reportInterval = Duration.seconds(1)
    /// Time between a goodbye and its effect, in which a peer that only restarted is heard again.
    static let goodbyeDelay = Duration.seconds(1)

    private(set) var claims: [Key: Claim] = [:]
    private var reports: [PeerID: Report] = [:]
    private var claimsBySource: [IPAddress: Int] = [:]
    /// How many sources have that many claims: the largest number is found without looking at them all.
    private var sourcesByClaims = [Int](repeating: 0, count: MDNSCache.maximumClaimsPerSource + 1)
    private var news = MDNSSourceLimiter.news
    /// No claim ends before this; nil if there is none.
    private(set) var nextExpiry: MonotonicInstant?

    var peers: Set<PeerID> { Set(reports.keys) }

    /// Takes in what a TXT record said.
    mutating func record(
        _ key: Key, peer: PeerID, addresses: [Multiaddr], timeToLive: UInt32, now: MonotonicInstant
    ) -> [MDNSAction] {
        var actions: [MDNSAction] = []
        let old = claims[key]
        if old == nil, !hasRoom(for: key.source) { return actions }
        // Before the old claim is touched: who has no news left changes nothing by giving its name to another peer.
        if reports[peer] == nil, !news.admit(key.source, now: now) { return actions }
        if let old, old.peer != peer { remove(key, .expired, into: &actions) }
        if claims[key] == nil {
            if claims.count >= Self.maximumClaims { evictOne(into: &actions) }
            count(key.source, change: 1)
            reports[peer]?.claims += 1
        }
        let lifetime = Duration.seconds(Int64(min(timeToLive, Self.longestTimeToLive)))
        let expiresAt = now.advanced(by: lifetime)
        // Counted, not gathered from all claims: a packet holds a hundred records, and each may have new addresses.
        let reported = reports[peer]?.at
        let saysMore = addresses.contains { reports[peer]?.addresses[$0] == nil }
        if reported == nil { reports[peer] = Report(claims: 1, at: now) }
        for address in addresses { reports[peer]?.addresses[address, default: 0] += 1 }
        var claim = Claim(
            peer: peer, addresses: addresses, statedTimeToLive: timeToLive, heardAt: now, expiresAt: expiresAt)
        if let replaced = claims[key] { withdraw(replaced.addresses, of: peer) }
        // The name's own, whomever it stands for.
        if let old { claim.news = old.news }
        let isDue = reported.map { $0.advanced(by: Self.reportInterval) <= now } ?? true
        let isNews = isDue || (saysMore && claim.news.take(now: now) && news.admit(key.source, now: now))
        claims[key] = claim
        nextExpiry = min(nextExpiry ?? expiresAt, expiresAt)
        if isNews {
            reports[peer]?.at = now
            actions.append(
                .discovered(
                    MDNSDiscovery(
                        peer: peer, addresses: addresses, interface: key.interface, timeToLive: lifetime)))
        }
        return actions
    }

    /// Lets the claim end in a second.
    mutating func goodbye(_ key: Key, now: MonotonicInstant) {
        guard let claim = claims[key], !claim.saidGoodbye else { return }
        let end = min(claim.expiresAt, now.advanced(by: Self.goodbyeDelay))
        claims[key]?.expiresAt = end
        claims[key]?.saidGoodbye = true
        nextExpiry = min(nextExpiry ?? end, end)
    }

    /// Drops what has ended.
    mutating func expire(now: MonotonicInstant) -> [MDNSAction] {
        guard let nextExpiry, nextExpiry <= now else { return [] }
        var actions: [MDNSAction] = []
        for (key, claim) in inOrder({ $0.value.expiresAt <= now }) {
            remove(key, claim.saidGoodbye ? .goodbye : .expired, into: &actions)
        }
        self.nextExpiry = claims.values.lazy.map(\.expiresAt).min()
        return actions
    }

    /// Drops what was heard on an interface that is gone.
    mutating func remove(interface: UInt32) -> [MDNSAction] {
        var actions: [MDNSAction] = []
        for (key, _) in inOrder({ $0.key.interface == interface }) { remove(key, .interfaceDown, into: &actions) }
        nextExpiry = claims.values.lazy.map(\.expiresAt).min()
        return actions
    }

    /// The instances heard on an interface whose records are in the first half of their life, and the seconds left.
    func knownAnswers(on interface: UInt32, limit: Int, now: MonotonicInstant) -> [(DNSName, UInt32)] {
        var left: [DNSName: UInt32] = [:]
        for (key, claim) in claims where key.interface == interface && !claim.saidGoodbye {
            let age = claim.heardAt.duration(to: now).components.seconds
            let trusted = Int64(min(claim.statedTimeToLive, Self.longestTimeToLive))
            guard age >= 0, age < trusted / 2 else { continue }
            let seconds = UInt32(clamping: Int64(claim.statedTimeToLive) - age)
            left[key.instance] = max(left[key.instance] ?? 0, seconds)
        }
        let sorted = left.sorted { a, b in
            a.value != b.value ? a.value > b.value : a.key.wire.lexicographicallyPrecedes(b.key.wire)
        }
        return sorted.prefix(limit).map { ($0.key, $0.value) }
    }

    private mutating func withdraw(_ addresses: [Multiaddr], of peer: PeerID) {
        for address in addresses {
            guard let count = reports[peer]?.addresses[address] else { continue }
            reports[peer]?.addresses[address] = count > 1 ? count - 1 : nil
        }
    }

    /// Oldest end first; ties by name, so that a run can be replayed.
    private func inOrder(
        _ isWanted: ((key: Key, value: Claim)) -> Bool
    ) -> [(key: Key, value: Claim)] {
        claims.filter(isWanted).sorted { a, b in
            a.value.expiresAt != b.value.expiresAt
                ? a.value.expiresAt < b.value.expiresAt
                : a.key.orderedBytes.lexicographicallyPrecedes(b.key.orderedBytes)
        }
    }

    /// The most claims that a source has.
    private var mostClaims: Int { sourcesByClaims.lastIndex { $0 > 0 } ?? 0 }

    /// Whether a source may have one more claim. In a full table only if another has more than it: so a flood of records from
    /// one source costs no search for each of them.
    private func hasRoom(for source: IPAddress) -> Bool {
        let own = claimsBySource[source, default: 0]
        return own < Self.maximumClaimsPerSource && (claims.count < Self.maximumClaims || own < mostClaims)
    }

    private mutating func count(_ source: IPAddress, change: Int) {
        let before = claimsBySource[source, default: 0]
        if before > 0 { sourcesByClaims[before] -= 1 }
        let after = before + change
        claimsBySource[source] = after > 0 ? after : nil
        if after > 0 { sourcesByClaims[after] += 1 }
    }

    private mutating func evictOne(into actions: inout [MDNSAction]) {
        let (counts, most) = (claimsBySource, mostClaims)
        let candidates = claims.lazy.filter { counts[$0.key.source] == most }
        if let victim = candidates.min(by: { $0.value.expiresAt < $1.value.expiresAt }) {
            remove(victim.key, .evicted, into: &actions)
        }
    }

    private mutating func remove(_ key: Key, _ reason: MDNSLossReason, into actions: inout [MDNSAction]) {
        guard let claim = claims.removeValue(forKey: key) else { return }
        count(key.source, change: -1)
        withdraw(claim.addresses, of: claim.peer)
        guard let others = reports[claim.peer].map({ $0.claims - 1 }) else { return }
        if others > 0 {
            reports[claim.peer]?.claims = others
        } else {
            reports[claim.peer] = nil
            actions.append(.lost(claim.peer, reason))
        }
    }
}
