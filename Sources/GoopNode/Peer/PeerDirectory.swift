import GoopCore
import GoopHTTP
import Multiformats
import PeerIdentity

/// The peer table with its clock, its listeners, and what it asks for.
///
/// Decides nothing: `PeerTable` does, and `PeerRecords` for what lasts longer than a run.
actor PeerDirectory {
    /// How often what was seen is written down.
    static let noteInterval = 60
    /// Changes that a slow listener can be behind; then it is let go.
    static let changesPerListener = 1024
    /// Listeners at a time.
    static let maximumListeners = 128

    private var table: PeerTable
    private var records: PeerRecords
    private let save: @Sendable (_ stored: [KnownPeer], _ removed: [PeerID]) async throws -> Void
    /// The write that was begun last: one at a time, so that of two about one peer the later one counts.
    private var lastWrite: Task<Void, any Error>?
    /// What was seen and is not stored yet; at most one for each record.
    private var unwritten: [PeerID: KnownPeer?] = [:]
    private let clock: PeerClock
    private let perform: @Sendable (Request) -> Void
    private let refuse: nonisolated(nonsending) @Sendable (Set<PeerID>) async -> Void
    private var listeners: [Int: AsyncStream<PeerChange>.Continuation] = [:]
    /// The listeners that show the own profile beside the list.
    private var profileListeners: Set<Int> = []
    private var nextListener = 0
    private(set) var refusals: [PeerTable.Refusal: Int] = [:]

    /// What the table wants done outside.
    enum Request: Sendable, Hashable {
        case probe(PeerID)
        case learn(PeerID, [Multiaddr])
        /// Whether the peer's connections are kept when there are too many, from now on. Asked for favourites only, which the
        /// owner chooses and `PeerRecords.Limits.peers` bounds: nothing that a stranger does makes one.
        case keep(PeerID, Bool)
    }

    /// - Parameters:
    ///   - records: as they were stored.
    ///   - save: puts records on the disk.
    ///   - perform: starts what is wanted and returns at once.
    ///   - refuse: closes the door to these peers and opens it to all others, at once; returns when their connections are
    ///     closed.
    init(
        table: PeerTable, records: PeerRecords, clock: PeerClock,
        save: @escaping @Sendable (_ stored: [KnownPeer], _ removed: [PeerID]) async throws -> Void,
        perform: @escaping @Sendable (Request) -> Void,
        refuse: nonisolated(nonsending) @escaping @Sendable (Set<PeerID>) async -> Void
    ) {
        self.table = table
        self.records = records
        self.save = save
        self.clock = clock
        self.perform = perform
        self.refuse = refuse
    }

    var entries: [PeerEntry] { table.entries.map(records.dressed) }

    func entry(of peer: PeerID) -> PeerEntry? { table[peer].map(records.dressed) }

    var known: [KnownPeer] { records.all }

    /// What is known of a peer, whether it is listed now or not.
    func record(of peer: PeerID) -> KnownPeer? {
        if let record = records[peer] { return record }
        return table[peer].map {
            KnownPeer(id: peer, label: $0.label, lastSeenMilliseconds: $0.lastSeenMilliseconds)
        }
    }

    /// What the owner calls a peer, listed or not; empty if that is not known.
    func name(of peer: PeerID) -> String { record(of: peer)?.shownName ?? "" }

    /// The same for many; those without a name are left out.
    func names(of peers: Set<PeerID>) -> [PeerID: String] {
        peers.reduce(into: [:]) { names, peer in
            let name = name(of: peer)
            if !name.isEmpty { names[peer] = name }
        }
    }

    var blocked: Set<PeerID> { records.blocked }

    func isBlocked(_ peer: PeerID) -> Bool { records.isBlocked(peer) }

    /// A message whose signature was verified.
    func received(_ message: PresenceMessage, from signer: PeerID) {
        guard !records.isBlocked(signer) else { return }
        do {
            apply(try table.received(message, from: signer, now: clock.now()))
        } catch {
            refusals[error, default: 0] &+= 1
        }
    }

    func probeSucceeded(_ peer: PeerID) { apply(table.probeSucceeded(peer, now: clock.now())) }

    func probeFailed(_ peer: PeerID, reason: String) {
        apply(table.probeFailed(peer, reason: reason, now: clock.now()))
    }

    /// Something else went wrong with a peer: a probe tells whether it answers.
    func doubt(_ peer: PeerID) {
        guard let entry = table[peer], !entry.offline else { return }
        perform(.probe(peer))
    }

    func connectionChanged(_ peer: PeerID, path: PeerPath) {
        guard !records.isBlocked(peer) else { return }
        apply(table.connectionChanged(peer, path: path, now: clock.now()))
    }

    func discovered(_ peer: PeerID) {
        guard !records.isBlocked(peer) else { return }
        apply(table.discovered(peer, source: .mdns, now: clock.now()))
    }

    // MARK: What lasts

    /// Lists whom the owner chose and who was there within a week, as away, with the addresses to try. The connections of
    /// favourites are kept from here on.
    func recall() {
        let now = clock.now()
        for record in records.all where record.isFavorite { perform(.keep(record.id, true)) }
        for peer in records.expire(unixMilliseconds: now.unixMilliseconds) { unwritten[peer] = .some(nil) }
        let week = now.unixMilliseconds - 7 * 86_400_000
        for record in records.all where record.standing != .blocked {
            guard record.isChosen || record.lastSeenMilliseconds > week else { continue }
            list(record, now: now)
        }
    }

    /// Lists a peer as away, unless it is listed, with the addresses to try.
    private func list(_ record: KnownPeer, now: Moment) {
        let entry = PeerEntry(
            id: record.id, label: record.label, favorite: record.isFavorite,
            lastSeenMilliseconds: record.lastSeenMilliseconds, addresses: record.addresses)
        apply(table.seed(entry, now: now))
        if !record.addresses.isEmpty { perform(.learn(record.id, record.addresses)) }
    }

    /// Takes effect at once, whatever the disk does; returns when it is on the disk and connections that it ends are closed.
    /// - Throws: `PeerRecords.Refusal`, or what the disk said; then it is in effect until the next start.
    func decide(_ decision: PeerDecision, about peer: PeerID) async throws -> KnownPeer {
        let before = entries
        let wasBlocked = records.isBlocked(peer)
        let decided: PeerRecords.Decided
        var closing: Task<Void, Never>?
        switch decision {
        case .petname(let name): decided = try records.setPetname(name, of: peer)
        case .favorite(let isFavorite):
            decided = try records.setFavorite(isFavorite, of: peer)
            // Who is blocked is not in the table; it hears of this when the block is undone.
            if !wasBlocked { apply(table.setFavorite(peer, isFavorite)) }
            perform(.keep(peer, isFavorite))
        case .standing(let standing):
            decided = try records.setStanding(standing, of: peer)
            if standing == .blocked { apply(table.remove(peer)) }
            // Neither waits for the other: a disk that hangs keeps nobody in, a peer that does not let go keeps nothing off the disk.
            closing = Task { await shut() }
        }
        // A name may make others look like impostors, or no longer.
        for (old, new) in zip(before.filter { $0.id != peer || table[peer] != nil }, entries) where old != new {
            tell(.updated(new))
        }
        // The block took it out of the table, and with it what keeps a favourite listed: as at the start it comes back.
        if wasBlocked, decided.record.standing != .blocked {
            if decided.record.isChosen { list(decided.record, now: clock.now()) }
            // In a full table it has no place until it speaks.
            apply(table.setFavorite(peer, decided.record.isFavorite))
        }
        for peer in [peer, decided.removed].compactMap(\.self) { unwritten[peer] = nil }
        let outcome = await write([decided.record], removing: [decided.removed].compactMap(\.self)).result
        await closing?.value
        try outcome.get()
        return decided.record
    }

    /// Whoever is blocked now is out. The set is read and applied in one step, so that of two decisions neither undoes the other.
    private func shut() async { await refuse(records.blocked) }

    private func write(_ stored: [KnownPeer], removing removed: [PeerID] = []) -> Task<Void, any Error> {
        let write = Task { [save, lastWrite] in
            _ = await lastWrite?.result
            try await save(stored, removed)
        }
        lastWrite = write
        return write
    }

    /// Lets time pass until cancelled.
    func run() async {
        var seconds = 0
        while !Task.isCancelled {
            // The clock of the table: entries grow old by the second.
            do { try await Task.sleep(for: .seconds(1)) } catch { break }
            apply(table.timerFired(now: clock.now()))
            seconds += 1
            if seconds % PeerDirectory.noteInterval == 0 { await note() }
        }
        // A task of its own, for this one is cancelled.
        await Task { await note() }.value
        for listener in listeners.values { listener.finish() }
        listeners = [:]
    }

    /// Changes from now on. Ends when the listener is too far behind, and at once beyond the bound of listeners.
    /// - Parameter endWithProfile: whether to end, too, when the own profile has changed: whoever asks anew shows that as well.
    func changes(endWithProfile: Bool = false) -> AsyncStream<PeerChange> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: PeerChange.self, bufferingPolicy: .bufferingNewest(PeerDirectory.changesPerListener))
        guard listeners.count < PeerDirectory.maximumListeners else {
            continuation.finish()
            return stream
        }
        let number = nextListener
        nextListener += 1
        listeners[number] = continuation
        if endWithProfile { profileListeners.insert(number) }
        continuation.onTermination = { [weak self] _ in
            Task { [weak self] in await self?.forget(number) }
        }
        return stream
    }

    private func forget(_ number: Int) {
        listeners[number] = nil
        profileListeners.remove(number)
    }

    /// The own name or e-mail address is another now.
    func profileChanged() {
        for number in profileListeners { listeners.removeValue(forKey: number)?.finish() }
        profileListeners = []
    }

    private func apply(_ effects: [PeerTable.Effect]) {
        for effect in effects {
            switch effect {
            case .changed(.updated(let entry)):
                if !entry.offline { saw(entry) }
                tell(.updated(records.dressed(entry)))
            case .changed(let change): tell(change)
            case .probe(let peer): perform(.probe(peer))
            case .learned(let peer, let addresses): perform(.learn(peer, addresses))
            }
        }
    }

    private func tell(_ change: PeerChange) {
        for (number, listener) in listeners {
            // One that lost a change would show an old state until the next one; told of the end, it asks anew.
            guard case .dropped = listener.yield(change) else { continue }
            listeners[number] = nil
            listener.finish()
        }
    }

    private func saw(_ entry: PeerEntry) {
        let writes = records.remember(entry)
        if let removed = writes.removed { unwritten[removed] = .some(nil) }
        if let stored = writes.stored { unwritten[stored.id] = stored }
    }

    /// Writes down what was seen.
    private func note() async {
        for entry in table.entries where !entry.offline { saw(entry) }
        let writes = unwritten
        unwritten = [:]
        do {
            try await write(
                writes.values.compactMap(\.self), removing: writes.filter { $0.value == nil }.map(\.key)
            ).value
        } catch {
            // Tried again with the next note, as they are now: the owner may have decided something meanwhile.
            for peer in writes.keys where !unwritten.keys.contains(peer) {
                unwritten.updateValue(records[peer], forKey: peer)
            }
        }
    }
}
