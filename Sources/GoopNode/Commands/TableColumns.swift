public import GoopCore

/// The columns of a table as its owner types values for them.
public struct TableColumns: Sendable {
    private let kinds: [(name: String, type: String)]

    /// Asks for them.
    public init(of table: String, _ session: some OwnerTables) async throws {
        let answer = try await session.perform(DataRequest(op: .describe, table: table)).object
        let list = answer?["columns"]?.array ?? answer?["schema"]?.object?["columns"]?.array ?? []
        var kinds = list.compactMap { value -> (name: String, type: String)? in
            guard let name = value.object?["name"]?.string else { return nil }
            return (name, (value.object?["type"]?.string ?? "").uppercased())
        }
        for (name, type) in TableColumns.system where !kinds.contains(where: { $0.name == name }) {
            kinds.append((name, type))
        }
        self.kinds = kinds
    }

    private static let system = [
        ("_id", "INTEGER"), ("_owner", "TEXT"), ("_owner_email", "TEXT"), ("_created_at", "DATETIME"),
        ("_updated_at", "DATETIME"),
    ]

    /// All names, those of the system among them.
    public var names: [String] { kinds.map(\.name) }

    /// The table's spelling of a name; SQLite does not tell the cases of letters apart.
    public func spelling(of name: String) -> String? {
        names.first { $0 == name } ?? names.first { $0.lowercased() == name.lowercased() }
    }

    /// A text as the value that its column is for: digits in a column of numbers are a number.
    public func value(of text: String, in column: String) -> JSONValue {
        let type = kinds.first { $0.name == column }?.type ?? ""
        if TableColumns.isForNumbers(type), TableColumns.isNumber(text) { return .number(text) }
        if type.contains("BLOB"), text.hasPrefix("{\"$blob\":"), let value = try? JSONParser.parse(Array(text.utf8)) {
            return value
        }
        return .string(text)
    }

    /// What of a row is a text where its column is for numbers, a sentence each: SQLite keeps it as it is, and sorts and compares
    /// it as a text.
    public func misfits(in row: [String: JSONValue]) -> [String] {
        row.keys.sorted().compactMap { column in
            guard case .string(let text)? = row[column], let kind = kinds.first(where: { $0.name == column }),
                TableColumns.isForNumbers(kind.type), !TableColumns.becomesNumber(text)
            else { return nil }
            let wanted = kind.type.contains("INT") ? "whole numbers" : "numbers"
            let shown = text.isEmpty ? "an empty text" : TerminalText.safe(text, maximumCharacters: 40)
            return "\(TerminalText.safe(column)) holds \(wanted); \(shown) was kept as text"
        }
    }

    private static func isForNumbers(_ type: String) -> Bool {
        // "ENUM" has "NUM" in it; its choices are texts, those of digits too.
        !type.contains("ENUM") && ["INT", "REAL", "FLOA", "DOUB", "NUM", "DEC"].contains { type.contains($0) }
    }

    /// Whether SQLite makes a number of a text in a column of numbers: of digits, also with blanks around them.
    private static func becomesNumber(_ text: String) -> Bool {
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == 1, let word = words.first else { return false }
        return word.allSatisfy { "0123456789+-.eE".contains($0) } && Double(word) != nil
    }

    /// A field of a CSV file: nothing between the commas is no value.
    func value(ofCell field: CSVReader.Field, in column: String, isExact: Bool) -> JSONValue? {
        guard !field.text.isEmpty || field.isQuoted else { return nil }
        return value(of: isExact ? field.text : FormulaGuard.removed(from: field.text), in: column)
    }

    /// An argument of a condition: what looks like a number is one.
    public static func value(ofArgument text: String) -> JSONValue { isNumber(text) ? .number(text) : .string(text) }

    /// True for the digits of a JSON number.
    private static func isNumber(_ text: String) -> Bool {
        guard let value = try? JSONParser.parse(Array(text.utf8)), case .number(let digits) = value else {
            return false
        }
        return digits == text
    }
}
