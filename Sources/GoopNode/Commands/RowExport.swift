import GoopCore

/// Writes all rows of a table, page by page, in the order of `_id`.
public struct RowExport: Sendable {
    /// What was written.
    public struct Report: Sendable, Hashable {
        /// Rows in the file.
        public var rows = 0
        /// Texts that begin like a formula and got an apostrophe.
        public var guarded = 0
    }

    private let session: any OwnerTables
    private let table: String
    private let isExact: Bool

    /// Prepares an export.
    ///
    /// - Parameter isExact: in CSV, whether texts that a spreadsheet would run as a formula are written as they are.
    public init(session: any OwnerTables, table: String, isExact: Bool) {
        self.session = session
        self.table = table
        self.isExact = isExact
    }

    /// Gives the bytes of the file to `write`, piece by piece.
    ///
    /// - Throws: `Failure`.
    public func run(form: RowImport.Form, write: (Array<UInt8>) async throws -> Void) async throws -> Report {
        let names = try await TableColumns(of: table, session).names
        var report = Report()
        var csv = CSVWriter(isExact: isExact)
        switch form {
        case .csv: try await write(csv.line(names.map { .text($0) }))
        case .json: try await write(Array("[".utf8))
        }
        try await forEachPage { rows in
            var bytes: [UInt8] = []
            for row in rows {
                switch form {
                case .csv: bytes += csv.line(names.map { RowExport.cell(row[$0] ?? .null) })
                case .json: bytes += Array((report.rows > 0 ? ",\n" : "\n").utf8) + JSONWriter.compact(.object(row))
                }
                report.rows += 1
            }
            try await write(bytes)
        }
        if form == .json { try await write(Array("\n]\n".utf8)) }
        report.guarded = csv.guarded
        return report
    }

    private static func isTooLarge(_ error: any Error) -> Bool {
        (error as? Failure)?.kind == .usage || (error as? DataError)?.code == .tooLarge
    }

    private static func cell(_ value: JSONValue) -> CSVWriter.Cell {
        switch value {
        case .null: .null
        case .number(let digits): .number(digits)
        case .bool(let flag): .number(flag ? "1" : "0")
        case .string(let text): .text(text)
        case .array, .object: .text(String(decoding: JSONWriter.compact(value), as: UTF8.self))
        }
    }

    private func forEachPage(_ body: ([JSONObject]) async throws -> Void) async throws {
        var last: Int64 = .min
        var limit: Int64 = 1000
        while true {
            var request = DataRequest(op: .query, table: table)
            request.where = "_id > ?"
            request.args = [.integer(last)]
            request.order = "_id"
            request.limit = limit
            let page: [JSONObject]
            do {
                page = (try await session.perform(request).array ?? []).compactMap(\.object)
            } catch  where limit > 1 && RowExport.isTooLarge(error) {
                // The rows are large: fewer at once.
                limit = max(1, limit / 8)
                continue
            }
            guard let highest = page.last?["_id"]?.int64 else { return }
            try await body(page)
            last = highest
        }
    }
}
