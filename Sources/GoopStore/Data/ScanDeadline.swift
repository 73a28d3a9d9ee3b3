import GRDB
import GRDBSQLite

/// Ends a scan on the writer's connection that takes too long: everybody else's writes wait for it.
///
/// Only around SELECT: an interrupted change would take the whole transaction with it.
final class ScanDeadline {
    private let end: ContinuousClock.Instant
    private let ending: StoreEnding

    init(_ time: Duration, ending: StoreEnding) {
        end = .now + time
        self.ending = ending
    }

    private var isOver: Bool { ending.hasBegun || ContinuousClock.now >= end }

    /// Runs a body; past the end, or once the store is being closed, its statement fails with SQLITE_INTERRUPT.
    func watch<Value>(_ database: Database, _ body: () throws -> Value) rethrows -> Value {
        sqlite3_progress_handler(
            database.sqliteConnection, ReadConnection.instructionsPerCheck,
            { context in
                guard let context else { return 1 }
                return Unmanaged<ScanDeadline>.fromOpaque(context).takeUnretainedValue().isOver ? 1 : 0
            }, Unmanaged.passUnretained(self).toOpaque())
        defer { sqlite3_progress_handler(database.sqliteConnection, 0, nil, nil) }
        return try withExtendedLifetime(self) { try body() }
    }
}
