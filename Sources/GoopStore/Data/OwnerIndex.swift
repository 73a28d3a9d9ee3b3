import GRDB
import GoopCore

/// An index on `_owner` of the tables in which rows are looked for among those of one visitor.
///
/// Where visitors see their own rows only, what they ask takes no longer because of rows that they are not shown, and so tells
/// nothing of them. Where they change their own rows only, `upsert` looks for its row among few, on the writer, while everybody
/// else's writes wait.
enum OwnerIndex {
    /// Makes those that are missing.
    static func add(to catalogue: Catalogue, in database: Database) throws {
        for table in catalogue.sorted where table.access.seeksOwnRows {
            guard try !IndexName.isFirst("_owner", of: table.name, in: database) else { continue }
            let name = try IndexName.free("_owner_\(table.name)", in: database)
            try IndexName.make(name, on: "_owner", of: table, in: database)
        }
    }
}
