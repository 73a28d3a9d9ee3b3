import GRDB

/// Values of files that others made. SQLite stores any kind of value in any column, and the subscripts of a GRDB row that
/// convert end the program when a value is of another kind; these do not.
extension Row {
    /// The text in a column; nil for NULL, and for what is no text.
    func text(_ column: String) -> String? { Row.text(self[column]) }

    /// The text in the column at a place.
    func text(at index: Int) -> String? { Row.text(self[index]) }

    /// The integer in the column at a place; nil for NULL, and for what is none.
    func integer(at index: Int) -> Int64? { Row.integer(self[index]) }

    /// The integer in a column.
    func integer(_ column: String) -> Int64? { Row.integer(self[column]) }

    private static func text(_ value: DatabaseValue) -> String? {
        if case .string(let text) = value.storage { text } else { nil }
    }

    private static func integer(_ value: DatabaseValue) -> Int64? {
        switch value.storage {
        case .int64(let number): number
        case .double(let number): Int64(exactly: number.rounded())
        default: nil
        }
    }
}
