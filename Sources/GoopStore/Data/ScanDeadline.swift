import GRDB
import GRDBSQLite

/// Ends a scan on the writer's connection that takes too long: everybody else's writes wait for it.
///
/// Only around SELECT: an interrupted change would take the whole transaction with it.
final class ScanDeadline {
    private let end: ContinuousClock.Instant

    init(_ time: Duration) { end = .now + time }

    /// Runs a body; past the end its statement fails with SQLITE_INTERRUPT.
    func watch<Value>(_ database: Database, _ body: () throws -> Value) rethrows -> Value {
        sqlite3_progress_handler(
            database.sqliteConnection, ReadConnection.instructionsPerCheck,
            { context in
                guard let context else { return 1 }
                return ContinuousClock.now < Unmanaged<ScanDeadline>.fromOpaque(context).takeUnretainedValue().end
                    ? 0 : 1
            }, Unmanaged.passUnretained(self).toOpaque())
        defer { sqlite3_progress_handler(database.sqliteConnection, 0, nil, nil) }
        return try withExtendedLifetime(self) { try body() }
    }
}
