import GRDB
import GoopCore
import Synchronization

/// Sees to it that tables get the indexes that they should have: made after each change of tables, and tried again where
/// something was in the way.
///
/// Never within the change itself: SQLite takes a whole transaction back when the disk is full, and a policy that hides rows
/// must count also where there is no room for its index.
final class IndexKeeper: Sendable {
    private struct State {
        var care: IndexCare
        var retry: Task<Void, Never>?
        var isClosed = false
    }

    private let database: SiteDatabase
    private let writer: WriteQueue
    /// Told which are missing whenever that changes.
    private let onChange: @Sendable ([MissingIndex]) -> Void
    private let state: Mutex<State>

    /// - Parameters:
    ///   - pauses: until it is tried again: at first, and at most.
    ///   - missing: what could not be made when the file was opened.
    init(
        database: SiteDatabase, writer: WriteQueue, pauses: ClosedRange<Duration>, missing: [MissingIndex],
        onChange: @escaping @Sendable ([MissingIndex]) -> Void
    ) {
        self.database = database
        self.writer = writer
        self.onChange = onChange
        state = Mutex(State(care: IndexCare(pauses: pauses)))
        ended(state.withLock { $0.care.began() }, missing: missing)
    }

    /// Makes what is missing. Returns when that is done, or could not be.
    func make() async {
        let round = state.withLock { $0.care.began() }
        let wanted = try? await database.pool.read { try WantedIndex.missing(of: Catalogue.load($0), in: $0) }
        guard let wanted else { return ended(round, missing: nil) }
        var attempts = IndexAttempts()
        for index in wanted where attempts.isNext(index) {
            do throws(DataError) {
                _ = try await writer.write(of: .owner, cost: 0, isHeavy: true) { transaction in
                    try index.make(for: transaction.catalogue, in: transaction.database)
                    return .null
                }
            } catch { attempts.failed(index, error) }
        }
        ended(round, missing: attempts.missing)
    }

    private func ended(_ round: Int, missing: [MissingIndex]?) {
        let news = state.withLock { state -> [MissingIndex]? in
            guard !state.isClosed else { return nil }
            let outcome = state.care.ended(round, missing: missing)
            if let pause = outcome.retryAfter {
                state.retry?.cancel()
                // The pace of the tries: nothing tells that a disk has room again, or that another program lets go.
                state.retry = Task { [weak self] in
                    guard (try? await Task.sleep(for: pause)) != nil else { return }
                    await self?.make()
                }
            }
            return outcome.news
        }
        if let news { onChange(news) }
    }

    /// Nothing is tried any more.
    func close() {
        let retry = state.withLock { state in
            state.isClosed = true
            return state.retry
        }
        retry?.cancel()
    }
}

/// Which indexes are known to be missing, and when they are tried again. A value without I/O.
struct IndexCare {
    /// What follows from a round.
    struct Outcome: Equatable {
        /// What is missing, if that is not what was missing before.
        var news: [MissingIndex]?
        /// When to try again; nil: not before tables change.
        var retryAfter: Duration?
    }

    private let pauses: ClosedRange<Duration>
    private var pause: Duration
    private var missing: [MissingIndex] = []
    private var round = 0

    /// Nothing is known to be missing.
    init(pauses: ClosedRange<Duration>) {
        self.pauses = pauses
        pause = pauses.lowerBound
    }

    /// A round begins: what comes of those that began earlier counts no more.
    /// - Returns: its number.
    mutating func began() -> Int {
        round += 1
        return round
    }

    /// A round has ended.
    /// - Parameter found: what it could not make; nil: that could not be found out.
    mutating func ended(_ round: Int, missing found: [MissingIndex]?) -> Outcome {
        var outcome = Outcome()
        guard round == self.round else { return outcome }
        if let found, found != missing {
            missing = found
            outcome.news = found
        }
        guard found == nil || !missing.isEmpty else {
            pause = pauses.lowerBound
            return outcome
        }
        outcome.retryAfter = pause
        pause = min(pause * 2, pauses.upperBound)
        return outcome
    }
}
