import GoopCore

/// Rows as text for people.
enum RowText {
    /// Columns under their names, each at most 40 characters wide.
    static func lines(_ rows: [JSONObject]) -> [String] {
        var names: [String] = []
        for row in rows { for member in row.members where !names.contains(member.name) { names.append(member.name) } }
        let cells = [names] + rows.map { row in names.map { cell(row[$0] ?? .null) } }
        let widths = names.indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
        return cells.map { row in
            var line = ""
            for (text, width) in zip(row, widths) {
                line += text + String(repeating: " ", count: width - text.count + 2)
            }
            while line.hasSuffix(" ") { line.removeLast() }
            return line
        }
    }

    /// Shows rows.
    static func show(_ rows: [JSONObject]) throws { for line in lines(rows) { try Console.answer(line) } }

    private static func cell(_ value: JSONValue) -> String {
        switch value {
        case .null: ""
        case .string(let text): TerminalText.safe(text, maximumCharacters: 40)
        default: TerminalText.safe(String(decoding: JSONWriter.compact(value), as: UTF8.self), maximumCharacters: 40)
        }
    }
}
