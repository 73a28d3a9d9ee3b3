import GRDB

/// The database of a site (`data.db` in the peer's folder): one writer, many readers, in WAL mode.
///
/// What a write acknowledged is on the disk (`synchronous=FULL`) unless the owner chose otherwise.
///
/// Source: spec/peer.md §5.
public struct SiteDatabase: Sendable {
    /// When a commit counts as done.
    public enum Durability: String, Sendable {
        /// After the disk has it: survives a power cut.
        case full = "FULL"
        /// After the kernel has it: survives a crash of the process, not of the machine.
        case normal = "NORMAL"
    }

    /// Connections of the pool that read at the same time: the store's own look at the tables. Requests are read by
    /// `ReaderPool`.
    static let maximumReaders = 4

    /// How long a statement waits for the lock of another program.
    static let busyMilliseconds = 5000

    let pool: DatabasePool

    /// Opens the file at `path`, or makes it.
    ///
    /// - Throws: `DatabaseError` if the file cannot be opened, or is no SQLite database.
    public init(path: String, durability: Durability = .full) throws {
        var configuration = Configuration()
        configuration.label = "data.db"
        configuration.maximumReaderCount = Self.maximumReaders
        configuration.busyMode = .timeout(Double(Self.busyMilliseconds) / 1000)
        // A rollback that fails must be an error of the next transaction, not a trap.
        configuration.allowsUnsafeTransactions = true
        configuration.prepareDatabase { database in
            // A file from elsewhere may carry triggers and views with functions of its own choice.
            try database.execute(sql: "PRAGMA trusted_schema=OFF")
        }
        self.pool = try DatabasePool(path: path, configuration: configuration)
        // Only now: opening in WAL mode sets the writer to NORMAL.
        try pool.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA synchronous=\(durability.rawValue)")
        }
    }

    /// Finishes what runs and closes every connection.
    public func close() throws {
        // SQLite takes the log into the file when its last connection closes, unless that one only reads, as the pool's may; and
        // people copy files without their logs. Whatever keeps it from that, nothing is lost: the log stays.
        try? pool.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
        try pool.close()
    }
}
