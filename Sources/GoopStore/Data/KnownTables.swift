import GRDB
import GoopCore
import Synchronization

/// What the store remembers of the file between requests: the tables, and how much visitors have filled.
final class KnownTables: Sendable {
    /// How long tables are believed to be as they were, while another program could have changed them.
    static let lifetime = Duration.seconds(2)
    /// Peers whose usage is remembered; past it all are forgotten.
    static let maximumUsages = 4096

    private struct State {
        var catalogue: Catalogue
        var total: VisitorUsage
        /// Of peers that wrote lately, as far as it was looked at; true while `version` is.
        var usage: [String: VisitorUsage] = [:]
        var loaded = ContinuousClock.now
        /// Counts changes by this store, so that an older reading never replaces a newer one.
        var generation = 0
        /// SQLite's count of commits of others, on the writer's connection.
        var version: Int64
    }

    private let state: Mutex<State>
    private let hub: ChangeHub
    private let recent: RecentChanges
    private let owner: String
    private let lifetime: Duration
    /// Awaited between reading the tables and remembering them; for tests.
    private let pause: @Sendable () async -> Void

    init(
        _ database: Database, owner: String, hub: ChangeHub, recent: RecentChanges, lifetime: Duration,
        pause: @escaping @Sendable () async -> Void
    ) throws {
        self.hub = hub
        self.recent = recent
        self.owner = owner
        self.lifetime = lifetime
        self.pause = pause
        state = Mutex(
            State(
                catalogue: try Catalogue.load(database),
                total: try VisitorUsage.total(in: database, owner: owner),
                version: try KnownTables.version(database)))
    }

    private static func version(_ database: Database) throws -> Int64 {
        try database.cachedFirst("PRAGMA data_version", []) { $0.integer(at: 0) ?? 0 } ?? 0
    }

    /// For a transaction of the writer: looks whether another program has written.
    func inTransaction(
        _ database: Database
    ) throws -> (catalogue: Catalogue, total: VisitorUsage, usage: [String: VisitorUsage]) {
        let version = try KnownTables.version(database)
        let known = state.withLock { ($0.version == version ? $0.catalogue : nil, $0.total, $0.usage) }
        if let catalogue = known.0 { return (catalogue, known.1, known.2) }
        let catalogue = try Catalogue.load(database)
        let total = try VisitorUsage.total(in: database, owner: owner)
        recent.noteAnything()
        replace(with: catalogue) { state in
            state.version = version
            state.total = total
            state.usage = [:]
        }
        return (catalogue, total, [:])
    }

    /// After a commit.
    func committed(_ effects: WriteTransaction.Effects) {
        guard let catalogue = effects.catalogue else { return state.withLock { KnownTables.note(effects, in: &$0) } }
        replace(with: catalogue) { KnownTables.note(effects, in: &$0) }
    }

    private static func note(_ effects: WriteTransaction.Effects, in state: inout State) {
        state.total = effects.total
        if state.usage.count + effects.usage.count > KnownTables.maximumUsages { state.usage = [:] }
        // One transaction alone may be beyond it, as when a table of very many visitors is dropped.
        guard effects.usage.count <= KnownTables.maximumUsages else { return }
        state.usage.merge(effects.usage) { _, new in new }
    }

    /// For a read; tables that are older than their lifetime are read anew, by one caller, while the others go on with them.
    func current(in pool: DatabasePool) async throws -> Catalogue {
        let (catalogue, generation) = state.withLock { state -> (Catalogue, Int?) in
            guard ContinuousClock.now - state.loaded > lifetime else { return (state.catalogue, nil) }
            state.loaded = .now
            return (state.catalogue, state.generation)
        }
        guard let generation else { return catalogue }
        let read = try await pool.read { try Catalogue.load($0) }
        await pause()
        replace(with: read, ifStill: generation) { _ in }
        return state.withLock { $0.catalogue }
    }

    /// Whether a table is known to be as it was.
    func isStill(_ table: TableInfo) -> Bool { state.withLock { $0.catalogue.tables[table.name] == table } }

    /// - Parameter generation: of the moment when the tables were read, if they may have changed since: then what is known
    ///   already is newer.
    private func replace(
        with catalogue: Catalogue, ifStill generation: Int? = nil, _ change: (inout State) -> Void
    ) {
        let old = state.withLock { state -> Catalogue? in
            if let generation, generation != state.generation { return nil }
            let old = state.catalogue
            state.catalogue = catalogue
            state.loaded = .now
            state.generation &+= 1
            change(&state)
            return old
        }
        // What a subscriber may see, and in which columns, has to be asked anew.
        if let old { hub.end { old.tables[$0] != catalogue.tables[$0] } }
    }
}
