public import GoopCore
public import NIOCore

/// What the Data room does with the owner's tables, besides the operations of `/api/data/`.
public protocol DataDesk: Sendable {
    /// Every table, with its columns, policies, number of rows and size.
    func tables() async throws(DataError) -> [TableOverview]
    /// What visitors have filled and what they may; at most so many of them.
    func visitors(most: Int) async throws(DataError) -> VisitorOverview
    /// Performs an operation as the owner.
    func perform(_ request: DataRequest) async throws(DataError) -> JSONValue
    /// Writes a row: a text is read as a value of its column, as a person types it.
    ///
    /// - Parameters:
    ///   - values: by column; nil is no value.
    ///   - row: `_id`; nil makes a new row.
    ///   - seen: values of that row as they were shown, by column: the row is changed only while it still has them.
    /// - Returns: `_id`.
    /// - Throws: `conflict` if the row has other values now, and then nothing was stored.
    func write(
        _ values: [String: String?], row: Int64?, in table: String, seen: [String: SeenValue]
    ) async throws(DataError) -> Int64
    /// Gives all rows as a file, piece by piece; waits for each piece to be taken.
    ///
    /// - Throws: `DataError`, and what `write` throws.
    func export(_ table: String, as form: RowForm, to write: (ByteBuffer) async throws -> Void) async throws
    /// Adds the rows of a file that comes piece by piece; asks for the next piece when the one before is stored.
    ///
    /// - Parameter keepsSystemColumns: whether `_id`, `_owner` and the times are taken from the file too.
    /// - Returns: what has become of the rows, also when the rest could not be read.
    func importRows(
        into table: String, as form: RowForm, keepsSystemColumns: Bool, next: () async throws -> ByteBuffer?
    ) async -> RowImportReport
}

/// How a file of rows is written.
public enum RowForm: String, Sendable, CaseIterable {
    case csv, json

    /// The media type.
    var mediaType: String { self == .csv ? "text/csv" : "application/json" }
}

/// What has become of a file of rows.
public struct RowImportReport: Sendable, Hashable {
    /// A line that was not taken.
    public struct Line: Sendable, Hashable {
        /// Its number in the file, from 1.
        public var number: Int
        /// Why, in one line.
        public var reason: String

        /// Both.
        public init(number: Int, reason: String) {
            self.number = number
            self.reason = reason
        }
    }

    /// Rows that are in the table now.
    public var added: Int
    /// Rows that are not.
    public var refused: Int
    /// The first of them.
    public var lines: [Line]
    /// Columns of the file that were not read.
    public var skippedColumns: [String]
    /// Why the rest of the file was not read; nil if all was.
    public var fault: DataError?

    /// All of it.
    public init(
        added: Int = 0, refused: Int = 0, lines: [Line] = [], skippedColumns: [String] = [], fault: DataError? = nil
    ) {
        self.added = added
        self.refused = refused
        self.lines = lines
        self.skippedColumns = skippedColumns
        self.fault = fault
    }
}
