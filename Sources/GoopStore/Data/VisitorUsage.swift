import GRDB
import GoopCore

/// How much of the database is filled with rows of others, per peer: kept in `_goop2_usage`, in the transaction of each write.
///
/// A row counts as its owner's, whoever made it grow, so that the account of a peer is at any time what a recount of its rows
/// would find. Rows that another program changes are not counted again: the numbers are for limits, not for accounting.
struct VisitorUsage: Sendable, Hashable {
    /// What a row costs in the file beside its values and the e-mail of its owner, in bytes.
    ///
    /// 103 are the row's own part of a page: 52 of `_owner`, 38 of the two times, and 13 of the record's header, the row's
    /// number and its place in the page. 69 are an entry of the index on `_owner`: the same 52, the row's number, and the room
    /// that index pages leave between rows of many owners. 12 are an entry of the index on an automatic number. That makes
    /// 184, measured with 20,000 rows; numbers of rows grow with the table. It is one figure for every table, with these
    /// indexes or without, so that no change of a policy changes an account. A value in a unique column is in the file
    /// twice and counts once: the table's owner decides that there is such a column.
    static let bytesPerRow: Int64 = 192
    /// What the account of a peer takes in the file, its entry in an index included: 130, rounded up. It counts in the total
    /// only, for many identities with a row each.
    static let bytesPerPeer: Int64 = 136
    /// How many bytes the e-mail of a row's owner takes, as SQL: it is the one system column whose size a visitor chooses.
    static let emailSize = "coalesce(length(CAST(\"_owner_email\" AS BLOB)), 0)"

    var rows: Int64 = 0
    var bytes: Int64 = 0

    /// What the account itself takes.
    var accountBytes: Int64 { rows > 0 || bytes > 0 ? VisitorUsage.bytesPerPeer : 0 }

    static func + (left: VisitorUsage, right: VisitorUsage) -> VisitorUsage {
        VisitorUsage(rows: max(0, left.rows &+ right.rows), bytes: max(0, left.bytes &+ right.bytes))
    }

    /// The usage of one peer.
    static func of(_ peer: String, in database: Database) throws -> VisitorUsage {
        let found = try database.cachedFirst(
            "SELECT row_count, byte_count FROM \"_goop2_usage\" WHERE peer_id = ?", [.text(peer)]
        ) { row in VisitorUsage(rows: row.integer(at: 0) ?? 0, bytes: row.integer(at: 1) ?? 0) }
        return found ?? VisitorUsage()
    }

    /// The usage of all together but the owner, with what their accounts take, and what visitors added to the owner's rows.
    static func total(in database: Database, owner: String) throws -> VisitorUsage {
        let row = try Row.fetchOne(
            database,
            sql: """
                SELECT coalesce(sum(row_count), 0), coalesce(sum(byte_count), 0) + \(bytesPerPeer) * COUNT(*)
                FROM "_goop2_usage" WHERE peer_id <> ?
                """, arguments: [owner])
        let growth = try RowGrowth.total(in: database, owner: owner)
        return VisitorUsage(rows: row?.integer(at: 0) ?? 0, bytes: (row?.integer(at: 1) ?? 0) &+ growth)
    }

    /// Writes it down. Who has nothing is not remembered: identities are free.
    func store(_ peer: String, in database: Database) throws {
        guard rows > 0 || bytes > 0 else {
            return try database.cached("DELETE FROM \"_goop2_usage\" WHERE peer_id = ?", [.text(peer)])
        }
        try database.cached(
            """
            INSERT INTO "_goop2_usage" (peer_id, row_count, byte_count) VALUES (?, ?, ?)
            ON CONFLICT (peer_id) DO UPDATE SET row_count = excluded.row_count, byte_count = excluded.byte_count
            """, [.text(peer), .integer(rows), .integer(bytes)])
    }

    /// What the rows of each peer in a table take, counted row by row.
    static func count(_ table: TableInfo, in database: Database) throws -> [String: VisitorUsage] {
        let rows = try Row.fetchAll(
            database,
            sql: """
                SELECT "_owner", COUNT(*), SUM(\(table.sizeExpression) + \(emailSize)) + \(bytesPerRow) * COUNT(*)
                FROM \(table.quoted) WHERE typeof("_owner") = 'text' AND "_owner" <> '' GROUP BY "_owner"
                """)
        var usage: [String: VisitorUsage] = [:]
        for row in rows {
            guard let peer = row.text(at: 0) else { continue }
            usage[peer] = VisitorUsage(rows: row.integer(at: 1) ?? 0, bytes: row.integer(at: 2) ?? 0)
        }
        return usage
    }

    /// Every row of every table, counted anew.
    static func recount(in database: Database) throws -> [String: VisitorUsage] {
        try Catalogue.load(database).sorted.reduce(into: [:]) { all, table in
            try all.merge(count(table, in: database)) { $0 + $1 }
        }
    }

    /// Replaces what is written down by a recount.
    static func rebuild(in database: Database) throws {
        try database.execute(sql: "DELETE FROM \"_goop2_usage\"")
        for (peer, usage) in try recount(in: database) { try usage.store(peer, in: database) }
    }
}

/// What visitors may fill.
public struct VisitorQuota: Sendable, Hashable {
    /// Rows of one visitor, in all tables together.
    public var rows: Int64
    /// Bytes of the rows of one visitor: the values, and what a row costs beside them, but not what others added to them. Also
    /// bytes that one visitor may add to rows of others in a day.
    public var bytes: Int64
    /// Bytes of the rows of all visitors, and of what they added to the owner's: identities are free, disks are not.
    public var totalBytes: Int64
    /// Bytes of the values of a row up to which a visitor may make or change it, whoever owns it.
    public var rowBytes: Int64

    /// Makes a quota.
    public init(
        rows: Int64 = 10_000, bytes: Int64 = 16 << 20, totalBytes: Int64 = 1 << 30, rowBytes: Int64 = 64 << 10
    ) {
        self.rows = rows
        self.bytes = bytes
        self.totalBytes = totalBytes
        self.rowBytes = rowBytes
    }
}
