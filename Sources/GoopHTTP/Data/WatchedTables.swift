import GoopCore

/// The tables of one event stream: which of them are watched, and what becomes of one whose watch ends.
///
/// While another table is live, the watch of one that was interrupted is begun again, later each time, and the page hears of
/// that table only. It goes on for as long as the page is there: one try in `pauses.upperBound` costs nothing, and there is
/// at most one at a time for each table. A table that is refused is lost. Once no table is live, the stream has nothing to
/// tell: all are lost, it ends, and the page decides when it comes again.
struct WatchedTables {
    /// So long a watch has to last for the next try to come soon again: one that ends at once is no success.
    static let lasting = Duration.seconds(30)

    /// What follows when the watch of a table ends.
    enum Outcome: Equatable {
        /// Another one, after so long.
        case again(after: Duration)
        /// None for these tables any more; why, for each.
        case lost([Loss])
    }

    /// A table of which no changes come any more.
    struct Loss: Equatable {
        let table: String
        let reason: DataError
    }

    private enum State {
        /// For the first time.
        case opening
        case open(since: ContinuousClock.Instant)
        /// Waits for the next try, or for what comes of it.
        case interrupted(DataError)
        case lost
    }

    private struct Table {
        var state = State.opening
        /// Watches in a row that did not last.
        var failures = 0

        var isLive: Bool {
            switch state {
            case .opening, .open: true
            case .interrupted, .lost: false
            }
        }
    }

    private let pauses: ClosedRange<Duration>
    private let names: [String]
    private var tables: [String: Table]

    /// - Parameters:
    ///   - names: each once.
    ///   - pauses: before the second try, and the longest; doubled in between.
    init(_ names: [String], pauses: ClosedRange<Duration>) {
        self.names = names
        self.pauses = pauses
        tables = Dictionary(uniqueKeysWithValues: names.map { ($0, Table()) })
    }

    /// Changes of a table arrive from now on; false if that comes too late, because all are lost.
    mutating func opened(_ name: String, now: ContinuousClock.Instant) -> Bool {
        guard var table = tables[name] else { return false }
        if case .lost = table.state { return false }
        table.state = .open(since: now)
        tables[name] = table
        return true
    }

    /// The watch of a table has ended, or could not begin.
    mutating func ended(_ name: String, because reason: DataError, now: ContinuousClock.Instant) -> Outcome {
        guard var table = tables[name] else { return .lost([]) }
        switch table.state {
        case .lost: return .lost([])
        case .open(let since):
            if now - since >= WatchedTables.lasting { table.failures = 0 }
            table.state = .interrupted(reason)
        case .opening, .interrupted:
            table.state = reason.code.isFinal ? .lost : .interrupted(reason)
        }
        let isLost = if case .lost = table.state { true } else { false }
        let pause = pauses.lowerBound * (1 << min(table.failures, 16))
        table.failures += 1
        tables[name] = table
        guard tables.values.contains(where: \.isLive) else {
            return .lost((isLost ? [Loss(table: name, reason: reason)] : []) + loseInterrupted())
        }
        return isLost ? .lost([Loss(table: name, reason: reason)]) : .again(after: min(pause, pauses.upperBound))
    }

    private mutating func loseInterrupted() -> [Loss] {
        names.compactMap { name in
            guard case .interrupted(let reason) = tables[name]?.state else { return nil }
            tables[name]?.state = .lost
            return Loss(table: name, reason: reason)
        }
    }
}

extension DataErrorCode {
    /// Whether asking again changes nothing: the owner has refused, or there is no such thing.
    fileprivate var isFinal: Bool {
        switch self {
        case .refused, .notFound, .badRequest, .invalidQuery, .unknownOperation: true
        default: false
        }
    }
}
