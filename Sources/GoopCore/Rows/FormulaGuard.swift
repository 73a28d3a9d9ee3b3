/// Keeps texts in a CSV file from being run as formulas by a spreadsheet, so that reading the file back gives every text as
/// it was.
///
/// Spreadsheets run a cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return, and rows come from strangers.
/// Such a text gets an apostrophe in front. So does a text that has apostrophes before such a character already: then taking
/// one away is right for whatever was written, and nothing is lost on the way out and in again.
package enum FormulaGuard {
    private static let starts = Set("=+-@\t\r".utf8)

    /// True for a text that needs an apostrophe more.
    package static func isNeeded(_ text: String) -> Bool {
        guard let first = text.utf8.first(where: { $0 != 0x27 }) else { return false }
        return starts.contains(first)
    }

    /// The text without the apostrophe that `isNeeded` put in front.
    package static func removed(from text: String) -> String {
        text.utf8.first == 0x27 && isNeeded(text) ? String(text.dropFirst()) : text
    }
}
