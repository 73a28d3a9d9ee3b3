import Dispatch
import GoopCore
import GoopStore
import LibP2P
import Logging
import Synchronization

/// The peer's own database, or why there is none: a file that cannot be used stops nothing else.
///
/// What is in the way may pass: another program lets go, the disk gets room, the owner puts a backup in place. So each request
/// tries anew to open a file that could not be opened; while one tries, the others hear what the last one found.
final class SiteTables: Sendable {
    /// The name of the file in the peer's folder.
    static let fileName = "data.db"

    private enum State {
        case open(DataStore)
        case failed(DataError)
        case opening(last: DataError)
        case closed
    }

    private let path: String
    /// What the next opening works with.
    private let configuration: Mutex<DataStore.Configuration>
    private let logger: Logger
    /// Told what is in the way whenever that changes; nil: nothing.
    private let onChange: @Sendable (DataError?) -> Void
    private let state: Mutex<State>

    /// Opens the database of a folder, on a thread where waiting for another program's lock holds up nothing else.
    static func open(
        _ peer: PreparedPeer, owner: PeerID, logger: Logger, onChange: @escaping @Sendable (DataError?) -> Void
    ) async -> SiteTables {
        await onItsOwnQueue { SiteTables(peer, owner: owner, logger: logger, onChange: onChange) }
    }

    /// Not on the pool of threads that reads files of the site, which has one for each processor.
    private static func onItsOwnQueue<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { done in
            DispatchQueue(label: "goop2.data.open").async { done.resume(returning: body()) }
        }
    }

    /// Opens the database of a folder; waits for another program's lock for as long as SQLite does.
    convenience init(
        _ peer: PreparedPeer, owner: PeerID, logger: Logger,
        onChange: @escaping @Sendable (DataError?) -> Void = { _ in }
    ) {
        let settings = peer.configuration.data
        var configuration = DataStore.Configuration(owner: owner)
        configuration.durability = settings.durability == "normal" ? .normal : .full
        configuration.ownerEmail = peer.configuration.sharedEmail
        configuration.quota = VisitorQuota(settings)
        self.init(
            path: peer.folder.path + "/" + SiteTables.fileName, configuration: configuration, logger: logger,
            onChange: onChange)
    }

    /// Opens a database; whatever is wrong is logged, and told to whoever asks for data.
    init(
        path: String, configuration: DataStore.Configuration, logger: Logger,
        onChange: @escaping @Sendable (DataError?) -> Void = { _ in }
    ) {
        self.path = path
        var configuration = configuration
        configuration.onMissingIndexes = { SiteTables.tell($0, of: path, logger) }
        self.configuration = Mutex(configuration)
        self.logger = logger
        self.onChange = onChange
        state = Mutex(.closed)
        do throws(DataError) {
            let store = try DataStore.open(path: path, configuration: configuration)
            state.withLock { $0 = .open(store) }
            onChange(nil)
        } catch {
            state.withLock { $0 = .failed(error) }
            tell(error)
        }
    }

    /// Why there is no database; nil if there is one.
    var fault: DataError? {
        state.withLock { state in
            switch state {
            case .open: nil
            case .failed(let error), .opening(let error): error
            case .closed: SiteTables.closed
            }
        }
    }

    private static let closed = DataError(code: .unreachable, message: "database not available")

    private func tell(_ error: DataError) {
        logger.warning(
            "the database cannot be used; everything else runs", metadata: ["file": "\(path)", "reason": "\(error)"])
        onChange(error)
    }

    /// Tells which indexes could not be made: nothing stops for it, so it is no fault of the database.
    private static func tell(_ missing: [MissingIndex], of path: String, _ logger: Logger) {
        if missing.isEmpty { logger.notice("every index is there now", metadata: ["file": "\(path)"]) }
        for index in missing {
            logger.warning(
                """
                an index could not be made: the table works, but takes longer, and how long may tell visitors of rows \
                that they are not shown; it is tried again by itself
                """,
                metadata: [
                    "file": "\(path)", "table": "\(index.table)", "column": "\(index.column)",
                    "reason": "\(index.reason)", "next": "\(index.nextStep)",
                ])
        }
    }

    private enum Step {
        case use(DataStore)
        case fail(DataError)
        case open(last: DataError)
    }

    private func store(for caller: DataCaller) async throws(DataError) -> DataStore {
        do throws(DataError) { return try await store() } catch {
            guard caller != .owner, error.code != .locked, error.code != .corrupt else { throw error }
            // Paths and the words of SQLite are for the owner.
            throw DataError(
                code: error.code, message: error.message,
                detail: "the site's rows can neither be read nor stored until its owner has looked after that")
        }
    }

    /// The open database, for its owner.
    func store() async throws(DataError) -> DataStore {
        let step = state.withLock { state -> Step in
            switch state {
            case .open(let store): return .use(store)
            case .opening(let last): return .fail(last)
            case .closed: return .fail(SiteTables.closed)
            case .failed(let last):
                state = .opening(last: last)
                return .open(last: last)
            }
        }
        switch step {
        case .use(let store): return store
        case .fail(let error): throw error
        case .open(let last): return try await openAgain(after: last)
        }
    }

    /// Opening may wait for another program's lock: on a thread where that is allowed.
    private func openAgain(after last: DataError) async throws(DataError) -> DataStore {
        let path = path
        let configuration = configuration.withLock { $0 }
        let outcome = await SiteTables.onItsOwnQueue { () -> Result<DataStore, DataError> in
            do throws(DataError) {
                return .success(try DataStore.open(path: path, configuration: configuration))
            } catch { return .failure(error) }
        }
        switch outcome {
        case .success(let store):
            let isClosed = state.withLock { state in
                if case .closed = state { return true }
                state = .open(store)
                // It may have been changed while the file was opened.
                let current = self.configuration.withLock { $0 }
                store.limit(to: current.quota)
                store.setOwnerEmail(current.ownerEmail)
                return false
            }
            if isClosed {
                await store.close()
                throw SiteTables.closed
            }
            logger.notice("the database can be used now", metadata: ["file": "\(path)"])
            onChange(nil)
            return store
        case .failure(let error):
            state.withLock { if case .opening = $0 { $0 = .failed(error) } }
            if error != last { tell(error) }
            throw error
        }
    }

    /// What visitors may fill, from the next request on; also of a database that is opened later.
    func limit(to quota: VisitorQuota) {
        configuration.withLock { $0.quota = quota }
        state.withLock { if case .open(let store) = $0 { store.limit(to: quota) } }
    }

    /// The owner's e-mail in rows that are made from now on; also of a database that is opened later.
    func setOwnerEmail(_ email: String) {
        configuration.withLock { $0.ownerEmail = email }
        state.withLock { if case .open(let store) = $0 { store.setOwnerEmail(email) } }
    }

    /// Performs an operation.
    func perform(_ request: DataRequest, caller: DataCaller) async throws(DataError) -> JSONValue {
        try await store(for: caller).perform(request, caller: caller)
    }

    /// The same, for a caller that makes something else of the answer; see `DataStore`.
    func perform<Answer: Sendable>(
        _ request: DataRequest, caller: DataCaller, _ make: @escaping @Sendable (JSONValue) -> Answer
    ) async throws(DataError) -> Answer {
        try await store(for: caller).perform(request, caller: caller, make)
    }

    /// Adds rows of the owner, those that the table refuses left out.
    func insert(_ rows: [JSONValue], into table: String) async throws(DataError) -> [RefusedRow] {
        try await store().insert(rows, into: table)
    }

    /// Changes a row of the owner, if it is still as the owner has seen it.
    func update(
        _ id: Int64, of table: String, to values: [String: JSONValue], seen: [String: SeenValue]
    ) async throws(DataError) {
        try await store().update(id, of: table, to: values, seen: seen)
    }

    /// Every table, with how much is in it.
    func overview() async throws(DataError) -> [TableOverview] { try await store().overview() }

    /// What visitors have filled.
    func visitors(most: Int) async throws(DataError) -> VisitorOverview {
        try await store().visitors(most: most)
    }

    /// Changes of a table.
    func changes(
        of table: String, caller: DataCaller
    ) async throws(DataError) -> AsyncThrowingStream<DataChange, any Error> {
        try await store(for: caller).changes(of: table, caller: caller)
    }

    /// Answers what waits for rows, and what comes, with `unreachable`, and breaks off scans.
    func takeNoMore() {
        state.withLock { state in
            guard case .open(let store) = state else { return }
            store.takeNoMore()
        }
    }

    /// Closes the file once what runs has ended; what waits is answered `unreachable`.
    func close() async {
        let store = state.withLock { state -> DataStore? in
            defer { state = .closed }
            if case .open(let store) = state { return store }
            return nil
        }
        await store?.close()
    }
}

extension VisitorQuota {
    /// As the settings say it, in bytes.
    init(_ settings: GoopConfiguration.Tables) {
        self.init(
            rows: Int64(settings.visitorRows), bytes: Int64(settings.visitorMegabytes) << 20,
            totalBytes: Int64(settings.totalMegabytes) << 20, rowBytes: Int64(settings.visitorRowKilobytes) << 10)
    }
}
