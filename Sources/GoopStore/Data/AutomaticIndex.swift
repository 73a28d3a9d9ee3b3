import GRDB
import GoopCore

/// An index on each automatic integer column: the next number is the largest plus one, and without an index each insert
/// reads the whole table for it, on the writer, while everybody else's writes wait.
///
/// The largest is asked of the file each time and remembered nowhere, so it is right whoever changed the rows: after the
/// largest was deleted its number is given again, as upstream's `MAX + 1` does. A remembered one would have to be looked for
/// anew after each such delete, and visitors could make the writer do that as often as they like.
enum AutomaticIndex {
    /// How the names begin. Upstream's programs keep to the index; to drop the column there, drop the index first.
    private static let prefix = "_auto_"

    /// Those that the tables should have. Any other index that begins with the column serves as well, a unique one for example.
    static func wanted(by catalogue: Catalogue) -> [WantedIndex] {
        catalogue.sorted.flatMap { table in
            (table.schema?.columns ?? []).filter(\.isNumbered)
                .compactMap { table.column($0.name)?.name }
                .map { WantedIndex(table: table.name, column: $0, name: "\(prefix)\(table.name)_\($0)") }
        }
    }

    /// Drops the index of a column that is to go: SQLite keeps a column that has one.
    static func remove(_ column: String, of table: String, in database: Database) throws {
        let names = try String.fetchAll(
            database,
            sql: """
                SELECT list.name FROM pragma_index_list(?) AS list, pragma_index_info(list.name) AS info
                WHERE list.origin = 'c' AND substr(list.name, 1, ?) = ?
                GROUP BY list.name HAVING COUNT(*) = 1 AND lower(min(info.name)) = lower(?)
                """, arguments: [table, prefix.count, prefix, column])
        for name in names { try database.execute(sql: "DROP INDEX \(DataName.quoted(name))") }
    }

    /// The largest number in a column, as SQL. A file from elsewhere may hold texts there, which SQLite takes for larger than
    /// every number, and BLOBs for larger still: below the empty text there are numbers only, and with an index they are
    /// found in one step, however many of the others there are.
    static func largest(of column: String, in table: TableInfo) -> String {
        let name = DataName.quoted(column)
        return "SELECT \(name) FROM \(table.quoted) WHERE \(name) < '' ORDER BY \(name) DESC LIMIT 1"
    }
}
