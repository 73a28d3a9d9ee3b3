import GoopCore
import GoopHTTP
import NIOCore
import PeerIdentity
import Synchronization

/// A peer in memory: sites are dictionaries, the peer list is what a test says.
final class FakeBackend: ViewerBackend {
    /// How a peer answers.
    enum Site: Sendable {
        case files([String: File])
        case failing(SiteError)
        /// Never answers; ends only by cancellation.
        case silent
    }

    struct File: Sendable {
        var mediaType = "text/html"
        /// The whole head, where a test wants another than that of a whole file.
        var head: SiteHead?
        /// What the head announces; nil for the true size.
        var announcedSize: Int?
        var chunks: [ByteBuffer]
        /// After the chunks the stream stands still instead of ending.
        var stalls = false
        /// So many chunks come together; nil: one by one.
        var run: Int?

        init(_ text: String, mediaType: String = "text/html", announcedSize: Int? = nil, stalls: Bool = false) {
            chunks = [ByteBuffer(string: text)]
            self.mediaType = mediaType
            self.announcedSize = announcedSize
            self.stalls = stalls
        }
    }

    struct State {
        var peers: [PeerID: PeerEntry] = [:]
        var names: [PeerID: String] = [:]
        var preferences = ViewerPreferences()
        var twin: String?
        var sites: [PeerID: Site] = [:]
        var listeners: [Int: AsyncStream<PeerChange>.Continuation] = [:]
        var nextListener = 0
        var opened: [String] = []
        var queries: [SiteQuery] = []
        var discarded = 0
        /// Chunks of files that were fetched in runs.
        var given = 0
        var consents: [SiteConsent: Set<PeerID>] = [:]
        var siteWatchers: [AsyncThrowingStream<SiteChanges, any Error>.Continuation] = []
        var tables = FakeTables()
        var readiness = Readiness(components: [.init(name: "node", isReady: true)])
    }

    let owner: SelfProfile
    /// Tables whose watch has ended, by whom ever.
    let endedWatches: AsyncStream<String>
    private let endedWatch: AsyncStream<String>.Continuation
    private let state = Mutex(State())

    init(owner: SelfProfile = SelfProfile(id: PrivateKey.generate().peerID, label: "Owner", email: "o@example.org")) {
        self.owner = owner
        (endedWatches, endedWatch) = AsyncStream.makeStream(of: String.self)
    }

    var opened: [String] { state.withLock { $0.opened } }
    var queries: [SiteQuery] { state.withLock { $0.queries } }
    var discarded: Int { state.withLock { $0.discarded } }
    var given: Int { state.withLock { $0.given } }

    func set(_ site: Site, of peer: PeerID) {
        state.withLock { $0.sites[peer] = site }
    }

    func set(_ readiness: Readiness) {
        state.withLock { $0.readiness = readiness }
    }

    func apply(_ change: PeerChange) {
        let listeners = state.withLock { state in
            switch change {
            case .updated(let entry): state.peers[entry.id] = entry
            case .removed(let id): state.peers[id] = nil
            }
            return Array(state.listeners.values)
        }
        for listener in listeners {
            // As the peer's own list does: whoever is too far behind is let go.
            if case .dropped = listener.yield(change) { listener.finish() }
        }
    }

    func selfProfile() async -> SelfProfile { owner }

    func peers() async -> [PeerEntry] {
        state.withLock { $0.peers.values.sorted { $0.id < $1.id } }
    }

    var preferences: ViewerPreferences { state.withLock { $0.preferences } }

    func prefer(_ change: (inout ViewerPreferences) -> Void) {
        state.withLock { change(&$0.preferences) }
    }

    func twin() async -> String? { state.withLock { $0.twin } }

    /// Somebody says that they are this peer.
    func set(twinAt place: String?) {
        state.withLock { $0.twin = place }
    }

    /// Remembers a name, as of somebody who may be in no list.
    func call(_ peer: PeerID, _ name: String) {
        state.withLock { $0.names[peer] = name }
    }

    func name(of peer: PeerID) async -> String {
        guard peer != owner.id else { return owner.label }
        return state.withLock { $0.names[peer] ?? $0.peers[peer]?.shownName ?? "" }
    }

    func peerChanges() async -> AsyncStream<PeerChange> {
        let (stream, continuation) = AsyncStream.makeStream(of: PeerChange.self, bufferingPolicy: .bufferingNewest(64))
        state.withLock { state in
            let key = state.nextListener
            state.nextListener += 1
            state.listeners[key] = continuation
        }
        return stream
    }

    /// What was asked of tables, in order.
    var asked: [DataRequest] { state.withLock { $0.tables.asked } }

    /// The next answers to data requests, whatever they ask.
    func answer(_ answers: Result<JSONValue, DataError>...) {
        state.withLock { $0.tables.answers += answers }
    }

    /// Sends a change to everybody who watches its table; nil ends their streams.
    func change(_ change: DataChange?) {
        for watcher in state.withLock({ $0.tables.watchers }) {
            guard let change else {
                watcher.changes.finish(throwing: FakeTables.gone)
                continue
            }
            // As the store does, whose tables have names in any case of letters.
            if watcher.table.lowercased() == change.table.lowercased() { watcher.changes.yield(change) }
        }
    }

    /// Ends the streams of one table.
    func endWatches(of table: String) {
        for watcher in state.withLock({ $0.tables.watchers }) where watcher.table == table {
            watcher.changes.finish(throwing: FakeTables.gone)
        }
    }

    /// From now on who wants to watch a table waits, until it is false.
    func holdWatches(_ areHeld: Bool) {
        let released = state.withLock { state in
            state.tables.areHeld = areHeld
            defer { if !areHeld { state.tables.held = [] } }
            return areHeld ? [] : state.tables.held
        }
        for continuation in released { continuation.resume() }
    }

    /// From now on nobody may watch this table, or everybody may again.
    func refuse(_ table: String, _ isRefused: Bool = true) {
        state.withLock { state in
            if isRefused { state.tables.refused.insert(table) } else { state.tables.refused.remove(table) }
        }
    }

    /// The tables that were ever watched, in order.
    var watched: [String] { state.withLock { $0.tables.watchers.map(\.table) } }

    /// The room that answers from now on take a share of.
    func count(in room: AnswerRoom) {
        state.withLock { $0.tables.room = room }
    }

    func data(_ request: DataRequest, of peer: PeerID) async throws(DataError) -> DataAnswer {
        let (answer, room) = state.withLock { state -> (Result<JSONValue, DataError>, AnswerRoom?) in
            state.tables.asked.append(request)
            let answer = state.tables.answers.isEmpty ? .success(.null) : state.tables.answers.removeFirst()
            return (answer, state.tables.room)
        }
        let value = try answer.get()
        let share = room?.share(for: peer)
        try share?.hold(value.heldBytes)
        return DataAnswer(value: value, share: share)
    }

    func dataChanges(
        of peer: PeerID, table: String
    ) async throws(DataError) -> AsyncThrowingStream<DataChange, any Error> {
        await withCheckedContinuation { continuation in
            let isHeld = state.withLock { state in
                if state.tables.areHeld { state.tables.held.append(continuation) }
                return state.tables.areHeld
            }
            if !isHeld { continuation.resume() }
        }
        if table.hasPrefix("secret") || state.withLock({ $0.tables.refused.contains(table) }) {
            throw DataError(code: .refused, message: "not allowed", detail: "local table")
        }
        let (stream, continuation) = AsyncThrowingStream.makeStream(
            of: DataChange.self, bufferingPolicy: .bufferingNewest(64))
        continuation.onTermination = { [endedWatch] _ in endedWatch.yield(table) }
        state.withLock { $0.tables.watchers.append((table, continuation)) }
        return stream
    }

    func hasConsent(_ consent: SiteConsent, for peer: PeerID) async -> Bool {
        state.withLock { $0.consents[consent]?.contains(peer) ?? false }
    }

    func setConsent(_ consent: SiteConsent, _ given: Bool, for peer: PeerID) async throws {
        state.withLock { state in
            if given {
                state.consents[consent, default: []].insert(peer)
            } else {
                state.consents[consent, default: []].remove(peer)
            }
        }
    }

    /// Tells everybody who watches a site; nil ends their streams.
    func tell(_ changes: SiteChanges?) {
        for watcher in state.withLock({ $0.siteWatchers }) {
            if let changes { watcher.yield(changes) } else { watcher.finish(throwing: SiteError(kind: .unreachable)) }
        }
    }

    func siteChanges(of peer: PeerID) async throws(SiteError) -> AsyncThrowingStream<SiteChanges, any Error> {
        if case .failing(let error) = state.withLock({ $0.sites[peer] }) { throw error }
        let (stream, continuation) = AsyncThrowingStream.makeStream(
            of: SiteChanges.self, bufferingPolicy: .bufferingNewest(8))
        state.withLock { $0.siteWatchers.append(continuation) }
        return stream
    }

    func readiness() async -> Readiness { state.withLock { $0.readiness } }

    func openSite(_ query: SiteQuery, of peer: PeerID) async throws(SiteError) -> SiteBody {
        let path = query.path
        let site = state.withLock { state in
            state.opened.append(path)
            state.queries.append(query)
            return state.sites[peer]
        }
        switch site {
        case nil:
            throw SiteError(kind: .unreachable)
        case .failing(let error):
            throw error
        case .silent:
            await untilCancelled()
            throw SiteError(kind: .timedOut)
        case .files(let files):
            guard let file = files[path] else { throw SiteError(kind: .notFound) }
            let size = file.chunks.reduce(0) { $0 + $1.readableBytes }
            let head = file.head ?? SiteHead(mediaType: file.mediaType, size: file.announcedSize ?? size)
            return SiteBody(
                head: head,
                chunks: Chunks(chunks: file.chunks, stalls: file.stalls),
                runs: file.run.map { size in
                    Runs(chunks: Chunks(chunks: file.chunks, stalls: file.stalls), size: size) { count in
                        self.state.withLock { $0.given += count }
                    }
                },
                discard: { self.state.withLock { $0.discarded += 1 } })
        }
    }

    struct Chunks: AsyncSequence, Sendable {
        let chunks: [ByteBuffer]
        let stalls: Bool

        struct Iterator: AsyncIteratorProtocol {
            var chunks: IndexingIterator<[ByteBuffer]>
            let stalls: Bool

            mutating func next() async throws -> ByteBuffer? {
                if let chunk = chunks.next() { return chunk }
                if stalls {
                    await untilCancelled()
                    throw CancellationError()
                }
                return nil
            }
        }

        func makeAsyncIterator() -> Iterator { Iterator(chunks: chunks.makeIterator(), stalls: stalls) }
    }

    struct Runs: AsyncSequence, Sendable {
        let chunks: Chunks
        let size: Int
        let given: @Sendable (Int) -> Void

        struct Iterator: AsyncIteratorProtocol {
            var chunks: Chunks.Iterator
            let size: Int
            let given: @Sendable (Int) -> Void

            mutating func next() async throws -> [ByteBuffer]? {
                var run: [ByteBuffer] = []
                while run.count < size, let chunk = chunks.chunks.next() { run.append(chunk) }
                given(run.count)
                if !run.isEmpty { return run }
                return try await chunks.next().map { [$0] }
            }
        }

        func makeAsyncIterator() -> Iterator { Iterator(chunks: chunks.makeAsyncIterator(), size: size, given: given) }
    }
}

/// The tables of every peer: answers in the order a test gave them.
struct FakeTables {
    static let gone = DataError(code: .unreachable, message: "peer unreachable", detail: "it went")

    var asked: [DataRequest] = []
    var room: AnswerRoom?
    var refused: Set<String> = []
    var areHeld = false
    var held: [CheckedContinuation<Void, Never>] = []
    var answers: [Result<JSONValue, DataError>] = []
    var watchers: [(table: String, changes: AsyncThrowingStream<DataChange, any Error>.Continuation)] = []
}

extension PeerEntry {
    static func sample(_ id: PeerID, label: String = "Ana", reachable: Bool = true) -> PeerEntry {
        PeerEntry(
            id: id, label: label, email: "ana@example.org", reachable: reachable,
            lastSeenMilliseconds: 1_795_500_906_123)
    }
}
