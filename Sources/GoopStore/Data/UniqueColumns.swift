import GRDB
import GoopCore

/// Columns in which no two rows have the same value: each has an index of its own, which upstream's programs keep to and
/// otherwise do not notice. An index, and not a word of the column, because SQLite can add and drop it later.
enum UniqueColumns {
    /// The columns with such an index, in lower case.
    static func of(_ table: String, in database: Database) throws -> Set<String> {
        try Set(indexes(table, in: database).map(\.column))
    }

    /// Forbids equal values from now on.
    /// - Throws: what SQLite says if there are equal values already.
    static func add(_ column: String, of table: String, in database: Database) throws {
        let name = try IndexName.free("_unique_\(table)_\(column)", in: database)
        try database.execute(
            sql: """
                CREATE UNIQUE INDEX \(DataName.quoted(name)) ON \(DataName.quoted(table)) (\(DataName.quoted(column)))
                """)
    }

    /// Drops the index of a column that is to go: SQLite keeps a column that has one.
    static func remove(_ column: String, of table: String, in database: Database) throws {
        for index in try indexes(table, in: database) where index.column == column.lowercased() {
            try database.execute(sql: "DROP INDEX \(DataName.quoted(index.name))")
        }
    }

    /// Of one column each, made by CREATE INDEX, for all rows.
    private static func indexes(_ table: String, in database: Database) throws -> [(name: String, column: String)] {
        try Row.fetchAll(
            database,
            sql: """
                SELECT list.name, lower(min(info.name)) FROM pragma_index_list(?) AS list, pragma_index_info(list.name) AS info
                WHERE list."unique" = 1 AND list.origin = 'c' AND list.partial = 0
                GROUP BY list.name HAVING COUNT(*) = 1 AND min(info.name) IS NOT NULL
                """, arguments: [table]
        ).map { ($0[0], $0[1]) }
    }
}

/// The names of indexes, and whether one is there already.
enum IndexName {
    /// A name that nothing has: a table that was renamed keeps the names of its indexes.
    static func free(_ wanted: String, in database: Database) throws -> String {
        var name = wanted
        var number = 1
        while try Bool.fetchOne(
            database, sql: "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE lower(name) = lower(?))",
            arguments: [name]) == true
        {
            number += 1
            name = "\(wanted)_\(number)"
        }
        return name
    }

    /// Whether an index of all rows begins with a column, in the order in which values are compared. A column of another
    /// collation has it in the indexes that are made here, too, which is why those count by their names.
    static func isFirst(_ column: String, of table: String, in database: Database) throws -> Bool {
        try Bool.fetchOne(
            database,
            sql: """
                SELECT EXISTS (SELECT 1 FROM pragma_index_list(?) AS list, pragma_index_xinfo(list.name) AS info
                    WHERE list.partial = 0 AND info.seqno = 0 AND lower(info.name) = lower(?)
                        AND (upper(info.coll) = 'BINARY' OR substr(list.name, 1, 6) = '_auto_'
                            OR substr(list.name, 1, 7) = '_owner_' OR substr(list.name, 1, 8) = '_unique_'))
                """, arguments: [table, column]) == true
    }
}
