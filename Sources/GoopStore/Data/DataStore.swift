import Foundation
import GRDB
public import GoopCore
public import PeerIdentity

/// The database of a site, as its owner and its visitors use it: every operation of the data protocol, under the policies.
///
/// Reads run beside each other on read-only connections; writes share commits in one line, and are on the disk before they
/// are acknowledged. May be used from any task.
///
/// Source: peer wire reference, sections 4 to 7.
public final class DataStore: Sendable {
    /// How a store behaves.
    public struct Configuration: Sendable {
        /// When a write counts as done.
        public var durability = SiteDatabase.Durability.full
        /// What visitors may fill; `limit(to:)` changes it while the store is open.
        public var quota = VisitorQuota()
        /// The owner, who is the `_owner` of rows that are made here.
        public var owner: PeerID
        /// The owner's e-mail for those rows, or empty; `setOwnerEmail(_:)` changes it while the store is open.
        public var ownerEmail = ""
        /// Told which indexes are missing whenever that changes, from any thread; none: all are there. Must return at once.
        public var onMissingIndexes: @Sendable ([MissingIndex]) -> Void = { _ in }
        /// Until an index that could not be made is tried again: at first, and at most; tests shorten it.
        var indexPauses: ClosedRange<Duration> = .seconds(60) ... .seconds(3600)
        /// For how long tables are believed to be as they were; tests shorten it.
        var tablesLifetime = KnownTables.lifetime
        /// What the writer holds at most; tests narrow it.
        var writeLimits = WriteQueue.Limits()
        /// The most rows that are changed at once; tests have fewer.
        var maximumBulkRows = DataStore.maximumBulkRows
        /// Which day it is, in days since 1970, UTC; tests turn it.
        var day: @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970) / 86_400 }
        /// Awaited between the steps of an operation; for tests.
        var pause: @Sendable (Step) async -> Void = { _ in }

        /// Makes a configuration with the defaults.
        public init(owner: PeerID) { self.owner = owner }
    }

    /// Between which steps something else can happen.
    enum Step: Sendable {
        /// The rows of a bulk form were found; they are not yet changed.
        case rowsFound
        /// The tables were read from the file; they are not yet remembered.
        case tablesRead
        /// A policy allows a subscription, which does not stand yet.
        case subscribing
    }

    /// What an answer to a visitor may cost: 10,000 rows, 4 MiB, 2 s.
    static let visitorLimits = ReadConnection.Limits(
        rows: 10_000, bytes: 4 << 20, time: .seconds(2), valueBytes: 4 << 20)
    /// What an answer to the owner may cost: 200,000 rows, 64 MiB, 30 s.
    static let ownerLimits = ReadConnection.Limits(
        rows: 200_000, bytes: 64 << 20, time: .seconds(30), valueBytes: 32 << 20)
    /// How often a read is begun whose table changes meanwhile, before the answer is `conflict`.
    static let readAttempts = 2

    let database: SiteDatabase
    let configuration: Configuration
    let readers: ReaderPool
    let writer: WriteQueue
    let recent: RecentChanges
    let ending: StoreEnding
    private let hub: ChangeHub
    private let indexes: IndexKeeper
    let known: KnownTables
    private let quotaInForce: InForce<VisitorQuota>
    private let ownerEmailInForce: InForce<String>

    /// Opens a file, new or old, of ours or of upstream.
    ///
    /// - Throws: `corrupt` if it is no database or a damaged one, `locked`, `full`, or `internalFailure` if it is no file that
    ///   can be opened. The detail is for the owner's eyes.
    public static func open(path: String, configuration: Configuration) throws(DataError) -> DataStore {
        // For the owner's eyes only, from the first moment; SQLite gives its log the same mode. Only where nothing is: a link
        // to a disk that is not mounted must not become an empty database.
        let descriptor = Foundation.open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        if descriptor >= 0 {
            Foundation.close(descriptor)
        } else if errno == EEXIST, !FileManager.default.fileExists(atPath: path) {
            throw DataError(
                code: .internalFailure, message: "the owner's database cannot be opened",
                detail: "\(path) is a link to a file that is not there")
        }
        do {
            let database = try SiteDatabase(path: path, durability: configuration.durability)
            do {
                return try DataStore(path: path, database: database, configuration: configuration)
            } catch {
                // The first error is the one to tell.
                try? database.close()
                throw error
            }
        } catch {
            throw DataError(opening: path, failed: error)
        }
    }

    private init(path: String, database: SiteDatabase, configuration: Configuration) throws {
        self.database = database
        self.configuration = configuration
        let hub = ChangeHub()
        let recent = RecentChanges()
        let (known, missing) = try database.pool.writeWithoutTransaction { connection in
            try SystemTables.prepare(connection)
            let known = try KnownTables(
                connection, owner: configuration.owner.base58, hub: hub, recent: recent,
                lifetime: configuration.tablesLifetime, pause: { await configuration.pause(.tablesRead) })
            // Of a file from elsewhere. Without them everything works, only slower: a full disk stops nothing here.
            let catalogue = try Catalogue.load(connection)
            let missing = WantedIndex.make(try WantedIndex.missing(of: catalogue, in: connection)) { index in
                try connection.inTransaction(.immediate) {
                    try index.make(for: catalogue, in: connection)
                    return .commit
                }
            }
            return (known, missing)
        }
        self.hub = hub
        self.recent = recent
        self.known = known
        let ending = StoreEnding()
        self.ending = ending
        let readers = ReaderPool(path: path, ending: ending)
        self.readers = readers
        let quotaInForce = InForce(configuration.quota)
        self.quotaInForce = quotaInForce
        let ownerEmailInForce = InForce(configuration.ownerEmail)
        self.ownerEmailInForce = ownerEmailInForce
        writer = WriteQueue(
            database: database, limits: configuration.writeLimits,
            whileNobodyReads: { readers.whileNobodyReads($0) },
            makeTransaction: { connection in
                let (catalogue, total, usage) = try known.inTransaction(connection)
                return WriteTransaction(
                    database: connection, catalogue: catalogue, totalUsage: total, knownUsage: usage,
                    owner: (configuration.owner.base58, ownerEmailInForce.value), quota: quotaInForce.value,
                    day: configuration.day(), recent: recent, ending: ending, isWatched: { hub.isWatched($0) })
            },
            onCommit: { transaction in
                let effects = transaction.effects
                if effects.catalogue == nil { recent.note(transaction.changed) } else { recent.noteAnything() }
                known.committed(effects)
                hub.publish(effects.changes)
            })
        indexes = IndexKeeper(
            database: database, writer: writer, pauses: configuration.indexPauses, missing: missing,
            onChange: configuration.onMissingIndexes)
    }

    /// Answers what waits, and what comes, with `unreachable`, and breaks off the scans that run; the writes that run go on.
    /// Strangers can have so much in line that whoever waits behind it would not come to an end.
    public func takeNoMore() {
        ending.begin()
        writer.takeNoMore()
        readers.takeNoMore()
    }

    /// Takes no more, ends subscriptions, and closes the file once what runs has ended.
    public func close() async {
        hub.close()
        indexes.close()
        // Both lines at first: reads would go on for as long as the writer takes.
        takeNoMore()
        await writer.close()
        await readers.close()
        // Nothing is lost if it fails: what was acknowledged is in the file or its log.
        try? database.close()
    }

    /// Whether the file is whole, as SQLite's own check finds; for tools and tests.
    public func integrityProblems() async throws(DataError) -> [String] {
        do {
            let found = try await database.pool.read { try String.fetchAll($0, sql: "PRAGMA integrity_check") }
            return found == ["ok"] ? [] : found
        } catch {
            throw DataError(writing: error, isOwner: true)
        }
    }

    // MARK: Operations

    /// Performs one operation.
    ///
    /// - Returns: the bare value of the answer, in upstream's shape; an empty list where upstream says null.
    /// - Throws: `DataError` with upstream's text where it has one.
    public func perform(_ request: DataRequest, caller: DataCaller) async throws(DataError) -> JSONValue {
        try await perform(request, caller: caller) { $0 }
    }

    /// The same, for a caller that makes something else of the answer: of rows on the thread that has read them, where it takes
    /// none of the caller's time and wakes no further thread.
    ///
    /// - Parameter make: called with the value of the answer; more than once if the table changes meanwhile, and not if the
    ///   operation fails.
    public func perform<Answer: Sendable>(
        _ request: DataRequest, caller: DataCaller, _ make: @escaping @Sendable (JSONValue) -> Answer
    ) async throws(DataError) -> Answer {
        switch request.op {
        case .tables, .ormSchema, .describe, .role, .exportSchema:
            return make(try await describe(request, caller: caller))
        case .query, .queryOne, .exists, .count, .pluck, .distinct, .aggregate:
            return try await read(request, caller: caller, make)
        case .insert, .update, .delete, .upsert:
            return make(try await write(request, caller: caller))
        case .updateWhere, .deleteWhere:
            return make(try await writeMany(request, caller: caller))
        case .createTable, .addColumn, .dropColumn, .renameColumn, .renameTable, .deleteTable, .setPolicy:
            return make(try await changeTables(request, caller: caller))
        case .template:
            return make(try await catalogue().template)
        case .luaList:
            return make(["functions": .array([])])
        case .luaCall:
            throw DataError(
                code: .luaNotAvailable, message: "lua scripting not enabled", detail: "this peer runs no functions")
        }
    }

    /// Changes of a table from now on, of the rows that the caller may read.
    ///
    /// What was written before is in the rows that are read from now on: nothing is in neither. So this returns after the
    /// transaction under way.
    ///
    /// The stream ends with `tooLarge` when its reader is more than 256 changes or 4 MiB behind or one transaction made more
    /// than those in the table, with `conflict` when the table itself changed: read it again then, and ask anew.
    public func changes(
        of table: String, caller: DataCaller
    ) async throws(DataError) -> AsyncThrowingStream<DataChange, any Error> {
        let table = try await catalogue().table(table)
        let owner = try owner(for: .read, of: table, caller: caller)
        await configuration.pause(.subscribing)
        let changes = try hub.subscribe(table: table.name, caller: caller, owner: owner) { known.isStill(table) }
        // Of what that wrote while nobody watched the table, no change was made.
        await writer.endOfTransaction()
        return changes
    }

    /// Who owns rows that are made here, and what visitors may fill.
    var ownerID: String { configuration.owner.base58 }
    var quota: VisitorQuota { quotaInForce.value }

    /// What visitors may fill from the next transaction on. Whoever has more already keeps it, and adds nothing.
    public func limit(to quota: VisitorQuota) { quotaInForce.value = quota }

    /// The owner's e-mail, or empty, for rows that are made from the next transaction on. Rows that are there keep theirs.
    public func setOwnerEmail(_ email: String) { ownerEmailInForce.value = email }

    func catalogue() async throws(DataError) -> Catalogue {
        do { return try await known.current(in: database.pool) } catch {
            throw DataError(writing: error, isOwner: false)
        }
    }

    /// No groups exist yet, so the policy `group` lets nobody in.
    static func role(of caller: DataCaller) -> CallerRole { .noGroups }

    private static func decision(_ action: RowAction, of table: TableInfo, caller: DataCaller) -> AccessDecision {
        table.access.decision(action, caller: caller, role: role(of: caller), roles: table.schema?.roles)
    }

    /// The owner whose rows alone may be seen; nil: all.
    func owner(for action: RowAction, of table: TableInfo, caller: DataCaller) throws(DataError) -> String? {
        switch DataStore.decision(action, of: table, caller: caller) {
        case .allowed(.allRows): return nil
        case .allowed(.ownRows): return caller.peer?.base58 ?? configuration.owner.base58
        case .refused(let text):
            throw DataError(
                code: .refused, message: text,
                detail: table.access.explanation(of: action, role: DataStore.role(of: caller)))
        }
    }

    // MARK: Reading

    private func describe(_ request: DataRequest, caller: DataCaller) async throws(DataError) -> JSONValue {
        let catalogue = try await catalogue()
        /// A table that a visitor can do nothing with is not shown to it.
        func isShown(_ table: TableInfo) -> Bool {
            RowAction.allCases.contains { action in
                if case .allowed = DataStore.decision(action, of: table, caller: caller) { true } else { false }
            }
        }
        switch request.op {
        case .tables:
            return .array(
                catalogue.sorted.filter(isShown).map { table in
                    var object: JSONObject = [
                        "name": .string(table.name), "insert_policy": .string(table.policyInForce),
                        "created_at": .string(table.createdAt),
                    ]
                    if caller == .owner { object["mode"] = table.schema == nil ? "classic" : "orm" }
                    return .object(object)
                })
        case .ormSchema:
            let schemas = catalogue.sorted.filter(isShown).compactMap { table in
                table.schema.map { JSONObject.Member(name: table.name, value: $0.json) }
            }
            return .object(JSONObject(members: schemas))
        default: break
        }
        let table = try catalogue.table(request.table ?? request.name)
        switch request.op {
        case .role:
            guard caller != .owner else { return ["permissions": RolePermissions.all.json, "role": "owner"] }
            return ["permissions": .null, "role": ""]
        case .exportSchema:
            guard caller == .owner else { throw DataStore.ownersOnly() }
            guard let schema = table.schema else {
                throw DataError(
                    code: .badRequest, message: "not an ORM table", detail: "only those have a schema to export")
            }
            return ["schema": schema.json, "status": "exported", "table": .string(table.name)]
        default:
            guard isShown(table) else {
                throw DataError(
                    code: .refused, message: "describe not allowed: table is local-only",
                    detail: table.access.explanation(of: .read, role: DataStore.role(of: caller)))
            }
            if let schema = table.schema { return ["mode": "orm", "schema": schema.json] }
            // Upstream's answer has no access here; without it a page cannot know what its visitor may do.
            return [
                "access": table.access.json, "columns": .array(table.columns.map(\.json)), "mode": "classic",
            ]
        }
    }

    private func read<Answer: Sendable>(
        _ request: DataRequest, caller: DataCaller, _ make: @escaping @Sendable (JSONValue) -> Answer
    ) async throws(DataError) -> Answer {
        for _ in 0..<DataStore.readAttempts {
            let table = try await catalogue().table(request.table ?? request.name)
            let owner = try owner(for: .read, of: table, caller: caller)
            let isOwner = caller == .owner
            let limits = isOwner ? DataStore.ownerLimits : DataStore.visitorLimits
            // All of it on the reader's thread: the caller may be on an event loop.
            let answer = try await readIfStill(table, for: caller) { (connection) throws(DataError) -> Answer in
                let select = try SelectPlan(table: table, owner: owner).select(request)
                let found = try connection.rows(select, table: table, limits: limits, isOwner: isOwner)
                return make(found.answer(to: request.op))
            }
            if let answer { return answer }
        }
        throw DataError(code: .conflict, message: "the table changes too fast", detail: "try again")
    }

    /// Runs a read that a policy allowed when it was asked for.
    ///
    /// It waits in line, and runs on the rows of the moment when it begins: by then the table can be closed to the caller, and
    /// have rows that were made because it is. So it is looked at behind the rows, also where they are an error, which can tell
    /// of them.
    /// - Returns: nil if the table or its policy changed meanwhile: ask again whether the caller may read.
    func readIfStill<Value: Sendable>(
        _ table: TableInfo, for caller: DataCaller,
        _ body: @escaping @Sendable (ReadConnection) throws(DataError) -> Value
    ) async throws(DataError) -> Value? {
        try await readers.read(for: caller) { [known] (connection) throws(DataError) -> Value? in
            let outcome = Result { () throws(DataError) -> Value in try body(connection) }
            guard known.isStill(table) else { return nil }
            return try outcome.get()
        }
    }

    // MARK: Writing

    private func write(_ request: DataRequest, caller: DataCaller) async throws(DataError) -> JSONValue {
        // An upsert looks for its row on the writer, where nothing changes between that and what it writes; in a table that
        // everybody may change it can be a look at every row.
        try await writer.write(of: caller, cost: request.cost, isHeavy: request.op == .upsert) { transaction in
            let rows = RowWriter(
                transaction: transaction, table: try transaction.catalogue.table(request.table ?? request.name),
                caller: caller, role: DataStore.role(of: caller))
            switch request.op {
            case .insert: return try rows.insert(request.data ?? [:])
            case .update: return try rows.update(request.id ?? 0, request.data ?? [:])
            case .delete: return try rows.delete(request.id ?? 0)
            default: return try rows.upsert(request.keyColumn ?? request.columnName, request.data ?? [:])
            }
        }
    }

    private func changeTables(_ request: DataRequest, caller: DataCaller) async throws(DataError) -> JSONValue {
        guard caller == .owner else { throw DataStore.ownersOnly() }
        let answer = try await writer.write(of: .owner, cost: request.cost, isHeavy: true) { transaction in
            let tables = SchemaWriter(transaction: transaction)
            switch request.op {
            case .createTable: return try tables.create(request)
            case .addColumn: return try tables.addColumn(request)
            case .dropColumn: return try tables.dropColumn(request)
            case .renameColumn: return try tables.renameColumn(request)
            case .renameTable: return try tables.rename(request)
            case .deleteTable: return try tables.drop(request)
            default: return try tables.setPolicy(request)
            }
        }
        await indexes.make()
        return answer
    }

    private static func ownersOnly() -> DataError {
        DataError(code: .refused, message: "schema operations not allowed for remote peers")
    }
}

extension DataRequest {
    /// About the bytes that the request holds on to while it waits.
    var cost: Int {
        512 + (data ?? [:]).reduce(0) { $0 + $1.key.utf8.count + $1.value.cost }
            + args.reduce(0) { $0 + $1.cost } + (`where` ?? "").utf8.count + columnDefs.reduce(0) { $0 + $1.cost }
    }
}

extension DataError {
    /// What is asked of a store that is closed, or being closed.
    static let closed = DataError(code: .unreachable, message: "database not available")
}
