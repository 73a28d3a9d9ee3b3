import GRDB
import GoopCore
import Synchronization

/// How much of the database is filled with rows of others, per peer: kept in `_goop2_usage`, in the transaction of each write.
///
/// Rows that another program changes meanwhile are not counted again; the numbers are for limits, not for accounting.
struct VisitorUsage: Sendable, Hashable {
    /// What a row costs beside its values, in bytes.
    static let bytesPerRow: Int64 = 64

    var rows: Int64 = 0
    var bytes: Int64 = 0

    static func + (left: VisitorUsage, right: VisitorUsage) -> VisitorUsage {
        VisitorUsage(rows: max(0, left.rows &+ right.rows), bytes: max(0, left.bytes &+ right.bytes))
    }

    /// The usage of one peer.
    static func of(_ peer: String, in database: Database) throws -> VisitorUsage {
        let rows = try database.cachedRows(
            "SELECT row_count, byte_count FROM \"_goop2_usage\" WHERE peer_id = ?", [.text(peer)])
        guard let row = rows.first else { return VisitorUsage() }
        return VisitorUsage(rows: row.integer(at: 0) ?? 0, bytes: row.integer(at: 1) ?? 0)
    }

    /// The usage of all together.
    static func total(in database: Database) throws -> VisitorUsage {
        let row = try Row.fetchOne(
            database,
            sql: "SELECT coalesce(sum(row_count), 0), coalesce(sum(byte_count), 0) FROM \"_goop2_usage\"")
        guard let row else { return VisitorUsage() }
        return VisitorUsage(rows: row.integer(at: 0) ?? 0, bytes: row.integer(at: 1) ?? 0)
    }

    func store(_ peer: String, in database: Database) throws {
        try database.cached(
            """
            INSERT INTO "_goop2_usage" (peer_id, row_count, byte_count) VALUES (?, ?, ?)
            ON CONFLICT (peer_id) DO UPDATE SET row_count = excluded.row_count, byte_count = excluded.byte_count
            """, [.text(peer), .integer(rows), .integer(bytes)])
    }

    /// Counts every row of every table anew.
    static func rebuild(in database: Database) throws {
        try database.execute(sql: "DELETE FROM \"_goop2_usage\"")
        for table in try Catalogue.load(database).sorted {
            try database.execute(
                sql: """
                    INSERT INTO "_goop2_usage" (peer_id, row_count, byte_count)
                    SELECT "_owner", COUNT(*), SUM(\(table.sizeExpression)) + \(bytesPerRow) * COUNT(*)
                    FROM \(table.quoted) WHERE "_owner" <> '' GROUP BY "_owner"
                    ON CONFLICT (peer_id) DO UPDATE SET row_count = row_count + excluded.row_count,
                        byte_count = byte_count + excluded.byte_count
                    """)
        }
    }
}

/// What visitors may fill.
public struct VisitorQuota: Sendable, Hashable {
    /// Rows of one visitor, in all tables together.
    public var rows: Int64
    /// Bytes of the rows of one visitor.
    public var bytes: Int64
    /// Bytes of the rows of all visitors: identities are free, disks are not.
    public var totalBytes: Int64

    /// Makes a quota.
    public init(rows: Int64 = 10_000, bytes: Int64 = 16 << 20, totalBytes: Int64 = 1 << 30) {
        self.rows = rows
        self.bytes = bytes
        self.totalBytes = totalBytes
    }
}

/// The quota that the next transaction works with; the owner changes it while visitors write.
final class QuotaInForce: Sendable {
    private let current: Mutex<VisitorQuota>

    init(_ quota: VisitorQuota) { current = Mutex(quota) }

    var value: VisitorQuota {
        get { current.withLock { $0 } }
        set { current.withLock { $0 = newValue } }
    }
}
