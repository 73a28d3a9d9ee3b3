import GRDB
import GoopCore

/// What visitors made rows of others grow by, per peer: kept in `_goop2_growth`, in the transaction of each write.
///
/// A row counts as its owner's (`VisitorUsage`), whoever made it grow. Without this account a visitor could use up what
/// others may have, and fill the disk through the site owner's rows, which have no limit.
struct RowGrowth: Sendable, Hashable {
    /// Bytes that the peer added to rows of others on `day`, less those that it removed.
    var added: Int64 = 0
    /// Of `added`, in days since 1970, UTC.
    var day: Int64 = 0
    /// Bytes that visitors other than the peer added to its rows, less those that went again.
    var received: Int64 = 0

    private var isNothing: Bool { added == 0 && received == 0 }

    /// What it takes of the room of all visitors: the entry itself, and what is in rows of the site's owner, which else are not
    /// in the total.
    func bytesOfAll(isOwner: Bool) -> Int64 {
        (isNothing ? 0 : VisitorUsage.bytesPerPeer) + (isOwner ? received : 0)
    }

    /// That of one peer.
    static func of(_ peer: String, in database: Database) throws -> RowGrowth {
        let found = try database.cachedFirst(
            "SELECT added, day, received FROM \"_goop2_growth\" WHERE peer_id = ?", [.text(peer)]
        ) { row in
            RowGrowth(
                added: max(0, row.integer(at: 0) ?? 0), day: row.integer(at: 1) ?? 0,
                received: max(0, row.integer(at: 2) ?? 0))
        }
        return found ?? RowGrowth()
    }

    /// What all of it takes of the room of all visitors.
    static func total(in database: Database, owner: String) throws -> Int64 {
        let row = try Row.fetchOne(database, sql: "SELECT COUNT(*) FROM \"_goop2_growth\"")
        return try (row?.integer(at: 0) ?? 0) * VisitorUsage.bytesPerPeer + of(owner, in: database).received
    }

    /// Writes it down. Who has nothing is not remembered: identities are free.
    func store(_ peer: String, in database: Database) throws {
        guard !isNothing else {
            return try database.cached("DELETE FROM \"_goop2_growth\" WHERE peer_id = ?", [.text(peer)])
        }
        try database.cached(
            """
            INSERT INTO "_goop2_growth" (peer_id, added, day, received) VALUES (?, ?, ?, ?)
            ON CONFLICT (peer_id) DO UPDATE SET added = excluded.added, day = excluded.day, received = excluded.received
            """, [.text(peer), .integer(added), .integer(day), .integer(received)])
    }

    /// Forgets what was added on days before today.
    static func forgetPast(in database: Database) throws {
        try database.execute(
            sql: """
                UPDATE "_goop2_growth" SET added = 0 WHERE day < CAST(strftime('%s', 'now') AS INTEGER) / 86400;
                DELETE FROM "_goop2_growth" WHERE added = 0 AND received = 0;
                """)
    }
}
