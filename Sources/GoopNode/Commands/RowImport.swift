import GoopCore

/// Reads a file of rows into a table: piece by piece, in steps that are one transaction each.
public struct RowImport: Sendable {
    /// Rows of one step.
    static let stepRows = 500
    /// About the bytes of one step.
    static let stepBytes = 512 << 10
    /// Refused lines that are kept for the report; the others are counted.
    static let reportedLines = 20

    /// The form of a file.
    public enum Form: String, Sendable, CaseIterable {
        /// The first line has the names of the columns.
        case csv
        /// A list of objects, or objects one after the other.
        case json
    }

    /// A line that was not taken.
    public struct RefusedLine: Sendable, Hashable {
        /// Its number in the file, from 1.
        public var line: Int
        /// Why, in one line.
        public var reason: String
    }

    /// What became of the file.
    public struct Report: Sendable, Hashable {
        /// Rows that are in the table now.
        public var added = 0
        /// Lines that are not.
        public var refused = 0
        /// The first of them.
        public var refusedLines: [RefusedLine] = []
        /// Columns of the file that were not read.
        public var skippedColumns: [String] = []

        mutating func refuse(_ line: Int, _ reason: String) {
            refused += 1
            if refusedLines.count < RowImport.reportedLines { refusedLines.append(.init(line: line, reason: reason)) }
        }
    }

    private let session: any OwnerTables
    private let table: String
    private let columns: TableColumns
    private let keepsSystemColumns: Bool
    private let isExact: Bool
    private var report = Report()
    private var waiting: [(line: Int, row: JSONValue)] = []
    private var waitingBytes = 0

    /// Prepares an import.
    ///
    /// - Parameters:
    ///   - keepsSystemColumns: whether `_id`, `_owner` and the like are taken from the file; otherwise rows are new ones of
    ///     the owner.
    ///   - isExact: in CSV, whether the apostrophe before what begins like a formula belongs to the text; otherwise an
    ///     export has put it there.
    public init(
        session: any OwnerTables, table: String, keepsSystemColumns: Bool, isExact: Bool = false
    ) async throws {
        self.session = session
        self.table = table
        self.keepsSystemColumns = keepsSystemColumns
        self.isExact = isExact
        columns = try await TableColumns(of: table, session)
    }

    /// Reads a file to its end.
    ///
    /// - Throws: `Failure`; what earlier steps added stays.
    public mutating func run(_ path: String, form: Form) async throws -> Report {
        do {
            let file = try InputFile(path)
            return try await run(form: form) {
                let chunk = try file.read(InputFile.chunkBytes)
                return chunk.isEmpty ? nil : chunk
            }
        } catch let fault as FileFault {
            throw fault.failure
        } catch let fault as RowImportFault {
            throw fault.failure
        }
    }

    /// Reads rows to their end, piece by piece.
    ///
    /// - Parameter next: gives bytes of any number, nil at the end.
    /// - Throws: `RowImportFault`, and what `next` and the tables throw; what earlier steps added stays.
    mutating func run(form: Form, next: () async throws -> [UInt8]?) async throws -> Report {
        switch form {
        case .csv: try await readCSV(next)
        case .json: try await readJSON(next)
        }
        try await step()
        return finished
    }

    /// What has become of the rows so far, also when the rest could not be read.
    var finished: Report {
        var report = report
        // What a table refuses is heard of later than what cannot be read.
        report.refusedLines.sort { $0.line < $1.line }
        return report
    }

    private mutating func readCSV(_ next: () async throws -> [UInt8]?) async throws {
        var reader = CSVReader()
        var header: [String?]?
        while let chunk = try await next() { try await take(reader.received(chunk), &header) }
        try await take(reader.finish(), &header)
        guard header != nil else { throw RowImportFault.noNames(nil) }
    }

    private mutating func take(_ records: [CSVReader.Record], _ header: inout [String?]?) async throws {
        for record in records {
            guard let names = header else {
                header = try names(record)
                continue
            }
            if let fault = record.fault {
                report.refuse(record.line, fault.rawValue)
            } else if record.fields.count != names.count {
                let fields = record.fields.count == 1 ? "1 field" : "\(record.fields.count) fields"
                report.refuse(record.line, "it has \(fields), the first line \(names.count)")
            } else {
                var row = JSONObject()
                var size = 0
                for (name, field) in zip(names, record.fields) {
                    guard let name, let value = columns.value(ofCell: field, in: name, isExact: isExact) else {
                        continue
                    }
                    row[name] = value
                    size += field.text.utf8.count + name.utf8.count
                }
                try await add(record.line, .object(row), size: size)
            }
        }
    }

    /// The columns that the first line names; nil for those that are not read.
    private mutating func names(_ record: CSVReader.Record) throws -> [String?] {
        if let fault = record.fault { throw RowImportFault.noNames(fault) }
        var names: [String?] = []
        for field in record.fields { names.append(try known(field.text)) }
        let used = names.compactMap { $0 }
        guard Set(used).count == used.count else {
            throw RowImportFault.namedTwice
        }
        return names
    }

    private mutating func known(_ name: String) throws -> String? {
        guard let column = columns.spelling(of: name) else {
            throw RowImportFault.noColumn(
                name: name, table: table, near: NameSuggestion.nearest(to: name, among: columns.names))
        }
        guard keepsSystemColumns || !column.hasPrefix("_") else {
            if !report.skippedColumns.contains(column) { report.skippedColumns.append(column) }
            return nil
        }
        return column
    }

    private mutating func readJSON(_ next: () async throws -> [UInt8]?) async throws {
        var reader = JSONRowReader()
        while let chunk = try await next() {
            var rows: [JSONRowReader.Row] = []
            let fault = RowImport.fault { () throws(JSONRowReader.Fault) in try reader.received(chunk, into: &rows) }
            // What was read before a fault is added.
            for row in rows { try await add(row) }
            if let fault { return report.refuse(fault.line, fault.reason) }
        }
        if let fault = RowImport.fault({ () throws(JSONRowReader.Fault) in try reader.finish() }) {
            report.refuse(fault.line, fault.reason)
        }
    }

    private static func fault(_ body: () throws(JSONRowReader.Fault) -> Void) -> (line: Int, reason: String)? {
        do throws(JSONRowReader.Fault) {
            try body()
            return nil
        } catch {
            return switch error {
            case .notARow(let line): (line, "an object should begin here; the rest of the file is not read")
            case .tooLong(let line): (line, "the object is longer than 2 MiB; the rest of the file is not read")
            case .unterminated(let line): (line, "the object does not end: the file may have been cut off")
            case .unclosedList(let line):
                (line, "the list that begins here does not end: the file may have been cut off")
            }
        }
    }

    private mutating func add(_ row: JSONRowReader.Row) async throws {
        let limits = JSONParser.Limits(bytes: JSONRowReader.maximumRowBytes)
        guard let object = (try? JSONParser.parse(row.bytes, limits: limits))?.object else {
            return report.refuse(row.line, "it is no JSON object")
        }
        let members = object.members.filter { member in
            let isKept = keepsSystemColumns || !member.name.hasPrefix("_")
            if !isKept, !report.skippedColumns.contains(member.name), report.skippedColumns.count < 16 {
                report.skippedColumns.append(member.name)
            }
            return isKept
        }
        try await add(row.line, .object(JSONObject(members: members)), size: row.bytes.count)
    }

    private mutating func add(_ line: Int, _ row: JSONValue, size: Int) async throws {
        // A large row goes by itself: with others it might be too long for one request.
        if waitingBytes + size > RowImport.stepBytes { try await step() }
        waiting.append((line, row))
        waitingBytes += size
        if waiting.count >= RowImport.stepRows || waitingBytes >= RowImport.stepBytes { try await step() }
    }

    /// SQLite tells which column wants each value once only; which value it was, the row tells.
    private static func reason(_ text: String, for row: JSONValue) -> String {
        let prefix = "UNIQUE constraint failed: "
        guard text.hasPrefix(prefix) else { return text }
        let place = text.dropFirst(prefix.count).split(separator: ".", maxSplits: 1)
        guard place.count == 2, !place[1].contains(",") else { return text }
        let column = String(place[1])
        return switch row.object?[column] {
        case .string(let value)?, .number(let value)?: "there is a row with \(column) \(value) already"
        default: "there is a row with that \(column) already"
        }
    }

    private mutating func step() async throws {
        guard !waiting.isEmpty else { return }
        let refused = try await session.insert(waiting.map(\.row), into: table)
        for row in refused where waiting.indices.contains(row.index) {
            let (line, values) = waiting[row.index]
            let reason = RowImport.reason(row.reason, for: values)
            report.refuse(line, TerminalText.safe(reason, maximumCharacters: 200))
        }
        report.added += waiting.count - refused.count
        waiting = []
        waitingBytes = 0
    }
}
