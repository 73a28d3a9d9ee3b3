/// Writes comma-separated values: RFC 4180, lines end with CR LF.
///
/// Texts that a spreadsheet would run as a formula get an apostrophe in front (`FormulaGuard`); numbers do not need it.
package struct CSVWriter: Sendable {
    package enum Cell: Sendable, Hashable {
        /// Nothing between the commas.
        case null
        case number(String)
        case text(String)
    }

    /// Whether texts are written as they are, formulas or not.
    private let isExact: Bool
    /// Texts that got an apostrophe.
    package private(set) var guarded = 0

    package init(isExact: Bool) { self.isExact = isExact }

    /// One line with its end.
    package mutating func line(_ cells: [Cell]) -> [UInt8] {
        var bytes: [UInt8] = []
        for (index, cell) in cells.enumerated() {
            if index > 0 { bytes.append(0x2C) }
            switch cell {
            case .null: break
            case .number(let digits): bytes += digits.utf8
            case .text(let text): append(text, to: &bytes)
            }
        }
        return bytes + [0x0D, 0x0A]
    }

    private mutating func append(_ text: String, to bytes: inout [UInt8]) {
        let needsGuard = !isExact && FormulaGuard.isNeeded(text)
        if needsGuard { guarded += 1 }
        let special: Set<UInt8> = [0x22, 0x2C, 0x0A, 0x0D]
        // A text of no characters is quoted, so that it differs from no value.
        guard
            text.isEmpty || text.utf8.contains(where: special.contains) || text.utf8.last == 0x20
                || text.utf8.first == 0x20
        else {
            bytes += (needsGuard ? [0x27] : []) + Array(text.utf8)
            return
        }
        bytes.append(0x22)
        if needsGuard { bytes.append(0x27) }
        for byte in text.utf8 {
            if byte == 0x22 { bytes.append(byte) }
            bytes.append(byte)
        }
        bytes.append(0x22)
    }
}
