import Dispatch
import GRDB
import GoopCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// One writer for all callers: what waits while one commit is on its way to the disk shares the next.
///
/// Each write has a savepoint of its own, so that one that fails takes nothing else with it; callers hear only after COMMIT.
/// Callers take turns (`WriteLine`), a heavy write has a transaction for itself, and a transaction that took its time takes
/// no more writes. At the bound of waiting writes, or of their bytes, the answer is `busy`.
final class WriteQueue: Sendable {
    /// What the queue holds at most.
    struct Limits: Sendable {
        var shares = WriteShares()
        /// Writes that share a commit.
        var batch = 256
        /// For how long writes that wait already are taken into a transaction; it never waits for others to come. A write that
        /// comes alone is committed at once.
        ///
        /// A group commit that waits has a bound for it, of 2 ms as a rule, because the disk stands still meanwhile and the row
        /// gains nothing by it. Here that wait is none. This is another bound, that of work: the first write of a transaction waits
        /// while those behind it are done, which without the transaction would each wait for the first one's commit, and
        /// then for one of their own. Shorter, there are more commits for the same rows: each row is told sooner of some, and
        /// all of them wait longer. The next rows of 64 visitors are in within that time (docs/benchmarks.md), and it is half of
        /// what a row may take there.
        var batchTime = Duration.milliseconds(10)
        /// How long a bulk write may take.
        var time = Duration.seconds(5)
        /// Bytes of SQLite's log beyond which readers stop for a moment, so that it can begin anew.
        var logBytes = 64 << 20
    }

    /// A write that waits.
    private struct Pending: Sendable {
        let isOwner: Bool
        let body: @Sendable (WriteTransaction) throws -> JSONValue
        let done: CheckedContinuation<Result<JSONValue, DataError>, Never>
    }

    private struct State {
        var line: WriteLine<Pending>
        /// The length of the log at which it is emptied next.
        var longLog: Int
        var isDraining = false
        /// Whether a transaction can have written something that it has not committed.
        var isWriting = false
        /// Those who wait for its end; each holds a place among the watchers of tables, which are bounded.
        var waitingForEnd: [CheckedContinuation<Void, Never>] = []
        var isClosed = false
        var closing: [CheckedContinuation<Void, Never>] = []
    }

    private let database: SiteDatabase
    private let limits: Limits
    private let queue = DispatchQueue(label: "goop2.data.writer")
    private let state: Mutex<State>
    /// Told of every batch, in order, after it is committed and before its callers hear.
    private let onCommit: @Sendable (WriteTransaction) -> Void
    private let makeTransaction: @Sendable (Database) throws -> WriteTransaction
    private let whileNobodyReads: @Sendable (@escaping @Sendable () -> Void) -> Void

    /// - Parameters:
    ///   - whileNobodyReads: runs a body, on another thread, when the reads under way have ended and before others begin.
    ///   - makeTransaction: called inside of each transaction, before its writes.
    init(
        database: SiteDatabase, limits: Limits = .init(),
        whileNobodyReads: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void,
        makeTransaction: @escaping @Sendable (Database) throws -> WriteTransaction,
        onCommit: @escaping @Sendable (WriteTransaction) -> Void
    ) {
        self.database = database
        self.limits = limits
        state = Mutex(State(line: WriteLine(shares: limits.shares), longLog: limits.logBytes))
        self.makeTransaction = makeTransaction
        self.whileNobodyReads = whileNobodyReads
        self.onCommit = onCommit
    }

    /// How many writes wait; for tests.
    var waiting: Int { state.withLock { $0.line.count } }
    /// How many wait for the end of a transaction; for tests.
    var waitingForEnd: Int { state.withLock { $0.waitingForEnd.count } }

    /// Runs a body inside of a transaction; returns once that is committed.
    ///
    /// - Parameters:
    ///   - cost: about the bytes that the body holds on to.
    ///   - isHeavy: whether it may take long, and should not make others wait who share its commit.
    func write(
        of caller: DataCaller, cost: Int, isHeavy: Bool,
        _ body: @escaping @Sendable (WriteTransaction) throws -> JSONValue
    ) async throws(DataError) -> JSONValue {
        let result = await withCheckedContinuation { (done: CheckedContinuation<Result<JSONValue, DataError>, Never>) in
            let pending = Pending(isOwner: caller == .owner, body: body, done: done)
            let refusal = state.withLock { state -> DataError? in
                guard !state.isClosed else { return DataError.closed }
                if let waiting = state.line.enter(pending, of: caller.holder, cost: cost, isHeavy: isHeavy) {
                    return DataError(
                        code: .busy, message: "too many writes", detail: "\(waiting) wait already; try again")
                }
                if !state.isDraining {
                    state.isDraining = true
                    queue.async { self.drain() }
                }
                return nil
            }
            if let refusal { done.resume(returning: .failure(refusal)) }
        }
        return try result.get()
    }

    /// Returns when the transaction under way is committed or taken back; at once if there is none.
    func endOfTransaction() async {
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            let isOver = state.withLock { state -> Bool in
                if state.isWriting { state.waitingForEnd.append(done) }
                return !state.isWriting
            }
            if isOver { done.resume() }
        }
    }

    private func drain() {
        while true {
            let first = state.withLock { state -> (write: Pending, isHeavy: Bool)? in
                state.isWriting = false
                for waiter in state.waitingForEnd { waiter.resume() }
                state.waitingForEnd = []
                if let first = state.line.first() { return first }
                state.isDraining = false
                for waiter in state.closing { waiter.resume() }
                state.closing = []
                return nil
            }
            guard let first else { return }
            for (pending, result) in commit(first.write, isAlone: first.isHeavy) {
                pending.done.resume(returning: result)
            }
            emptyLongLog()
        }
    }

    /// SQLite begins its log anew only if at a commit nobody reads what was before it. Visitors whose reads follow each other
    /// without a pause would let it grow for as long as somebody writes, until the disk is full; and SQLite's own wait for
    /// readers does not help, because those that come meanwhile take the places of those that leave.
    private func emptyLongLog() {
        var status = stat()
        guard stat(database.pool.path + "-wal", &status) == 0 else { return }
        let size = Int(status.st_size)
        let isLong = state.withLock { state in
            guard size > state.longLog else { return false }
            state.longLog = .max
            return true
        }
        guard isLong else { return }
        whileNobodyReads { [self] in
            let isEmpty = database.pool.writeWithoutTransaction { connection in
                // All reads and writes stand still meanwhile. Only the pool's own readers or another program can be in the way:
                // it is tried again when the log has grown, sooner than the five seconds that a write waits.
                try? connection.execute(sql: "PRAGMA busy_timeout = 250")
                defer { try? connection.execute(sql: "PRAGMA busy_timeout = \(SiteDatabase.busyMilliseconds)") }
                return (try? connection.checkpoint(.truncate)) != nil
            }
            // Another program may read for longer than SQLite waits: not at every commit anew.
            state.withLock { $0.longLog = isEmpty ? limits.logBytes : size + limits.logBytes }
        }
    }

    /// One transaction: a write, and unless it wants to be alone, those that come meanwhile.
    private func commit(_ first: Pending, isAlone: Bool) -> [(Pending, Result<JSONValue, DataError>)] {
        database.pool.writeWithoutTransaction { database in
            var taken = [first]
            var results: [Result<JSONValue, DataError>] = []
            do {
                try database.cached("BEGIN IMMEDIATE")
                // Not earlier: another program's lock can be waited for, and nothing is written until then.
                state.withLock { $0.isWriting = true }
                let transaction = try makeTransaction(database)
                let end = ContinuousClock.now + limits.batchTime
                while results.count < taken.count {
                    results.append(try run(taken[results.count], in: transaction))
                    guard !isAlone, taken.count < limits.batch, ContinuousClock.now < end,
                        let next = state.withLock({ $0.line.another() })
                    else { break }
                    taken.append(next)
                }
                try transaction.finish()
                try database.cached("COMMIT")
                onCommit(transaction)
                return Array(zip(taken, results))
            } catch {
                rollBack(database)
                // Writes that failed by themselves keep their own reason.
                return taken.enumerated().map { index, pending in
                    if index < results.count, case .failure = results[index] { return (pending, results[index]) }
                    return (pending, .failure(DataError(writing: error, isOwner: pending.isOwner)))
                }
            }
        }
    }

    /// - Throws: if the whole transaction is gone, as when the disk is full.
    private func run(
        _ pending: Pending, in transaction: WriteTransaction
    ) throws -> Result<JSONValue, DataError> {
        let database = transaction.database
        transaction.begin()
        try database.cached("SAVEPOINT one_write")
        do {
            transaction.deadline = .now + limits.time
            let value = try pending.body(transaction)
            try database.cached("RELEASE one_write")
            return .success(value)
        } catch {
            guard database.isInsideTransaction else { throw error }
            transaction.takeBack()
            try database.cached("ROLLBACK TO one_write")
            try database.cached("RELEASE one_write")
            return .failure(DataError(writing: error, isOwner: pending.isOwner))
        }
    }

    private func rollBack(_ database: Database) {
        guard database.isInsideTransaction else { return }
        // If even that fails the connection is broken, and the next BEGIN says so.
        try? database.execute(sql: "ROLLBACK")
    }

    /// Answers what waits, and what comes, with `unreachable`; what is in the transaction under way is committed.
    func takeNoMore() {
        let waiting = state.withLock { state in
            state.isClosed = true
            return state.line.removeWaiting()
        }
        for pending in waiting { pending.done.resume(returning: .failure(.closed)) }
    }

    /// Takes no more, and returns once the transaction under way has ended.
    func close() async {
        takeNoMore()
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            let isIdle = state.withLock { state -> Bool in
                if state.isDraining { state.closing.append(done) }
                return !state.isDraining
            }
            if isIdle { done.resume() }
        }
    }
}

extension Database {
    /// Runs a statement that is used again and again.
    func cached(_ sql: String, _ values: [QueryValue] = []) throws {
        try cachedStatement(sql: sql).execute(arguments: Database.arguments(values))
    }

    /// Runs a statement that is not kept.
    func once(_ sql: String, _ values: [QueryValue]) throws {
        try makeStatement(sql: sql).execute(arguments: Database.arguments(values))
    }

    /// What `body` makes of the first row of a statement that is used again and again; nil if there is none. The row is not copied:
    /// it is there only meanwhile.
    func cachedFirst<Value>(_ sql: String, _ values: [QueryValue], _ body: (Row) -> Value) throws -> Value? {
        let rows = try Row.fetchCursor(cachedStatement(sql: sql), arguments: Database.arguments(values))
        return try withExtendedLifetime(rows) { try rows.next().map(body) }
    }

    /// Values for the places of a statement, in their order.
    ///
    /// The types are written out, for GRDB has three forms of this. Where an optional is wanted the compiler takes that of
    /// `[Any]`, which asks of each value what it conforms to: a tenth of the writer's time. That of a sequence of one type maps
    /// by a key path, which is made anew at each call: it took as long as the insert itself.
    private static func arguments(_ values: [QueryValue]) -> StatementArguments {
        let values: [(any DatabaseValueConvertible)?] = values.map { $0.databaseValue }
        return StatementArguments(values)
    }
}
