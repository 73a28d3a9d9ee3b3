import GRDB
public import GoopCore

/// An index that a table should have for speed, see `OwnerIndex` and `AutomaticIndex`.
struct WantedIndex: Sendable, Hashable {
    let table: String
    let column: String
    /// What it is called if nothing else has that name.
    let name: String

    /// All that the tables should have, be they there or not.
    static func all(of catalogue: Catalogue) -> [WantedIndex] {
        OwnerIndex.wanted(by: catalogue) + AutomaticIndex.wanted(by: catalogue)
    }

    /// Those that are not there.
    static func missing(of catalogue: Catalogue, in database: Database) throws -> [WantedIndex] {
        try all(of: catalogue).filter { try !IndexName.isFirst($0.column, of: $0.table, in: database) }
    }

    /// Makes it within a transaction, unless it is there, or no longer wanted.
    func make(for catalogue: Catalogue, in database: Database) throws {
        guard WantedIndex.all(of: catalogue).contains(self), let table = catalogue.tables[table],
            try !IndexName.isFirst(column, of: table.name, in: database)
        else { return }
        let name = DataName.quoted(try IndexName.free(name, in: database))
        try database.execute(sql: "CREATE INDEX \(name) ON \(table.quoted) (\(DataName.quoted(column)))")
    }

    /// Makes those that are missing, outside of a transaction: each has one of its own, so that one that cannot be made takes no
    /// other with it.
    ///
    /// - Parameter make: makes one, and has committed it when it returns.
    static func make(
        _ wanted: [WantedIndex], _ make: (WantedIndex) throws -> Void
    ) -> [MissingIndex] {
        var attempts = IndexAttempts()
        for index in wanted where attempts.isNext(index) {
            do { try make(index) } catch { attempts.failed(index, DataError(writing: error, isOwner: true)) }
        }
        return attempts.missing
    }
}

/// An index that could not be made. Its table works without: requests are slower, and those of visitors who see their own rows
/// only may tell by their time that there are others.
public struct MissingIndex: Sendable, Hashable {
    /// The table.
    public let table: String
    /// The column that the index is to begin with.
    public let column: String
    /// What is in the way, for the owner's eyes.
    public let reason: DataError

    /// What the owner can do about it; that it is tried again needs no doing.
    public var nextStep: String {
        switch reason.code {
        case .full: "make room on the disk of the database"
        case .locked, .busy: "end the program that holds the database, if it does not let go by itself"
        default: "look at how the column is defined: another program may have made it in a way that is not known here"
        }
    }
}

/// One round of making indexes. A value without I/O.
struct IndexAttempts {
    private(set) var missing: [MissingIndex] = []
    /// What is in the way of all that are left.
    private var obstacle: DataError?

    /// Whether it is worth trying; else it is missing too.
    mutating func isNext(_ index: WantedIndex) -> Bool {
        guard let obstacle else { return true }
        missing.append(MissingIndex(table: index.table, column: index.column, reason: obstacle))
        return false
    }

    /// It could not be made.
    mutating func failed(_ index: WantedIndex, _ reason: DataError) {
        missing.append(MissingIndex(table: index.table, column: index.column, reason: reason))
        // The next would only wait for the same lock, or fill the rest of the disk once more.
        if [.full, .locked, .busy, .unreachable].contains(reason.code) { obstacle = reason }
    }
}
