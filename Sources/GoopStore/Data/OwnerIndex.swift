import GRDB
import GoopCore

/// An index on `_owner` of the tables whose visitors see their own rows only: what a visitor asks takes no longer because of
/// rows that it is not shown, and so tells nothing of them.
enum OwnerIndex {
    /// Makes those that are missing.
    static func add(to catalogue: Catalogue, in database: Database) throws {
        for table in catalogue.sorted where table.access.showsOwnRowsOnly {
            guard try !IndexName.isFirst("_owner", of: table.name, in: database) else { continue }
            let name = try IndexName.free("_owner_\(table.name)", in: database)
            try database.execute(sql: "CREATE INDEX \(DataName.quoted(name)) ON \(table.quoted) (\"_owner\")")
        }
    }
}
