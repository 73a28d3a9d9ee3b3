import GoopCore
import GoopHTTP
import NIOCore

/// The owner's tables for the Data room: the same ways in and out as those of `goop2 data`.
struct NodeDataDesk: DataDesk {
    let tables: SiteTables

    func tables() async throws(DataError) -> [TableOverview] { try await tables.overview() }

    func visitors(most: Int) async throws(DataError) -> VisitorOverview { try await tables.visitors(most: most) }

    func perform(_ request: DataRequest) async throws(DataError) -> JSONValue {
        try await tables.perform(request, caller: .owner)
    }

    func write(
        _ values: [String: String?], row: Int64?, in table: String, seen: [String: SeenValue] = [:]
    ) async throws(DataError) -> Int64 {
        let columns: TableColumns
        do { columns = try await TableColumns(of: table, tables) } catch { throw Self.dataError(error) }
        var data: [String: JSONValue] = [:]
        for (name, text) in values {
            guard !DataName.isSystemColumn(name) else {
                throw DataError(code: .refused, message: "\(name) cannot be set here", detail: "it is kept by the peer")
            }
            data[name] = text.map { columns.value(of: $0, in: columns.spelling(of: name) ?? name) } ?? .null
        }
        if let row {
            try await tables.update(row, of: table, to: data, seen: seen)
            return row
        }
        var request = DataRequest(op: .insert, table: table)
        request.data = data
        return try await tables.perform(request, caller: .owner).object?["id"]?.int64 ?? 0
    }

    func export(_ table: String, as form: RowForm, to write: (ByteBuffer) async throws -> Void) async throws {
        // Read back by an import, what this writes is what it was: see FormulaGuard.
        let export = RowExport(session: tables, table: table, isExact: false)
        _ = try await export.run(form: form == .csv ? .csv : .json) { try await write(ByteBuffer(bytes: $0)) }
    }

    func importRows(
        into table: String, as form: RowForm, keepsSystemColumns: Bool, next: () async throws -> ByteBuffer?
    ) async -> RowImportReport {
        var rows: RowImport
        do {
            rows = try await RowImport(session: tables, table: table, keepsSystemColumns: keepsSystemColumns)
        } catch {
            return RowImportReport(fault: Self.dataError(error))
        }
        var fault: DataError?
        do {
            _ = try await rows.run(form: form == .csv ? .csv : .json) {
                try await next().map { Array($0.readableBytesView) }
            }
        } catch {
            fault = Self.dataError(error)
        }
        let report = rows.finished
        return RowImportReport(
            added: report.added, refused: report.refused,
            lines: report.refusedLines.map { .init(number: $0.line, reason: $0.reason) },
            skippedColumns: report.skippedColumns, fault: fault)
    }

    private static func dataError(_ error: any Error) -> DataError {
        switch error {
        case let error as DataError: error
        case let fault as RowImportFault: fault.dataError
        default:
            DataError(
                code: .badRequest, message: "the file did not arrive whole",
                detail: "what came before is stored; try again with the rest")
        }
    }
}
