import GoopCore

/// Why a file of rows cannot be read at all.
enum RowImportFault: Error, Hashable {
    /// The first line is no line of names.
    case noNames(CSVReader.Fault?)
    /// The first line names a column twice.
    case namedTwice
    /// The first line names a column that the table has not; perhaps another was meant.
    case noColumn(name: String, table: String, near: String?)

    /// As one sentence without full stop.
    var cause: String {
        switch self {
        case .noNames(let fault): "the first line has no names of columns" + (fault.map { ": \($0.rawValue)" } ?? "")
        case .namedTwice: "the first line names a column twice"
        case .noColumn(let name, let table, _): "\(table) has no column \(TerminalText.safe(name))"
        }
    }

    /// For a person at a terminal.
    var failure: Failure {
        let step =
            switch self {
            case .noNames: "see goop2 data export for the form"
            case .namedTwice: "remove one of the two"
            case .noColumn(_, let table, let near):
                near.map { "did you mean \($0)?" } ?? "see them: goop2 data DIR describe \(table)"
            }
        return Failure(.data, cause, nextStep: step)
    }

    /// For a person before a page.
    var dataError: DataError {
        let step =
            switch self {
            case .noNames: "the first line of the file has to name the columns, as an export has it"
            case .namedTwice: "remove one of the two"
            case .noColumn(_, _, let near):
                near.map { "did you mean \($0)?" } ?? "add the column, or remove it from the file"
            }
        return DataError(code: .badRequest, message: cause, detail: step)
    }
}
