import Dispatch
import GRDB
import GoopCore
import Synchronization

/// One writer for all callers: what waits while one commit is on its way to the disk shares the next.
///
/// Each write has a savepoint of its own, so that one that fails takes nothing else with it; callers hear only after COMMIT.
/// At the bound of waiting writes, or of their bytes, the answer is `busy`.
final class WriteQueue: Sendable {
    /// What the queue holds at most.
    struct Limits: Sendable {
        /// Writes that wait.
        var writes = 2048
        /// About the memory of those.
        var bytes = 64 << 20
        /// Writes that share a commit.
        var batch = 256
        /// How long a bulk write may take.
        var time = Duration.seconds(5)
    }

    /// A write that waits.
    private struct Pending: Sendable {
        let cost: Int
        let isOwner: Bool
        let body: @Sendable (WriteTransaction) throws -> JSONValue
        let done: CheckedContinuation<Result<JSONValue, DataError>, Never>
    }

    private struct State {
        var pending: [Pending] = []
        var bytes = 0
        var isDraining = false
        var isClosed = false
        var closing: [CheckedContinuation<Void, Never>] = []
    }

    private let database: SiteDatabase
    private let limits: Limits
    private let queue = DispatchQueue(label: "goop2.data.writer")
    private let state = Mutex(State())
    /// Told of every batch, in order, after it is committed and before its callers hear.
    private let onCommit: @Sendable (WriteTransaction.Effects) -> Void
    private let makeTransaction: @Sendable (Database) throws -> WriteTransaction

    /// - Parameter makeTransaction: called inside of each transaction, before its writes.
    init(
        database: SiteDatabase, limits: Limits = .init(),
        makeTransaction: @escaping @Sendable (Database) throws -> WriteTransaction,
        onCommit: @escaping @Sendable (WriteTransaction.Effects) -> Void
    ) {
        self.database = database
        self.limits = limits
        self.makeTransaction = makeTransaction
        self.onCommit = onCommit
    }

    /// Runs a body inside of a transaction; returns once that is committed.
    ///
    /// - Parameter cost: about the bytes that the body holds on to.
    func write(
        cost: Int, isOwner: Bool, _ body: @escaping @Sendable (WriteTransaction) throws -> JSONValue
    ) async throws(DataError) -> JSONValue {
        let result = await withCheckedContinuation { (done: CheckedContinuation<Result<JSONValue, DataError>, Never>) in
            let pending = Pending(cost: cost, isOwner: isOwner, body: body, done: done)
            let refusal = state.withLock { state -> DataError? in
                guard !state.isClosed else {
                    return DataError(code: .unreachable, message: "database not available")
                }
                guard state.pending.count < limits.writes, state.bytes + cost <= limits.bytes else {
                    return DataError(
                        code: .busy, message: "too many writes",
                        detail: "\(state.pending.count) wait already; try again")
                }
                state.pending.append(pending)
                state.bytes += cost
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

    private func drain() {
        while true {
            let batch = state.withLock { state -> [Pending] in
                let batch = Array(state.pending.prefix(limits.batch))
                state.pending.removeFirst(batch.count)
                state.bytes -= batch.reduce(0) { $0 + $1.cost }
                if batch.isEmpty {
                    state.isDraining = false
                    for waiter in state.closing { waiter.resume() }
                    state.closing = []
                }
                return batch
            }
            guard !batch.isEmpty else { return }
            let results = commit(batch)
            for (pending, result) in zip(batch, results) { pending.done.resume(returning: result) }
        }
    }

    private func commit(_ batch: [Pending]) -> [Result<JSONValue, DataError>] {
        database.pool.writeWithoutTransaction { database in
            var results: [Result<JSONValue, DataError>] = []
            do {
                try database.cached("BEGIN IMMEDIATE")
                let transaction = try makeTransaction(database)
                for pending in batch { results.append(try run(pending, in: transaction)) }
                try transaction.finish()
                try database.cached("COMMIT")
                onCommit(transaction.effects)
                return results
            } catch {
                rollBack(database)
                // Writes that failed by themselves keep their own reason.
                return batch.enumerated().map { index, pending in
                    if index < results.count, case .failure = results[index] { return results[index] }
                    return .failure(DataError(writing: error, isOwner: pending.isOwner))
                }
            }
        }
    }

    /// - Throws: if the whole transaction is gone, as when the disk is full.
    private func run(
        _ pending: Pending, in transaction: WriteTransaction
    ) throws -> Result<JSONValue, DataError> {
        let database = transaction.database
        let before = transaction.effects
        try database.cached("SAVEPOINT one_write")
        do {
            transaction.deadline = .now + limits.time
            let value = try pending.body(transaction)
            try database.cached("RELEASE one_write")
            return .success(value)
        } catch {
            guard database.isInsideTransaction else { throw error }
            transaction.effects = before
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

    /// Writes what waits; nothing more is taken.
    func close() async {
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            let isIdle = state.withLock { state -> Bool in
                state.isClosed = true
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
        let statement = try cachedStatement(sql: sql)
        // No key path: one through a generic function is made anew at each call, which took as long as the insert itself.
        try statement.execute(arguments: StatementArguments(values.map { $0.databaseValue }))
    }

    /// Rows of a statement that is used again and again.
    func cachedRows(_ sql: String, _ values: [QueryValue]) throws -> [Row] {
        try Row.fetchAll(
            cachedStatement(sql: sql), arguments: StatementArguments(values.map { $0.databaseValue }))
    }
}
