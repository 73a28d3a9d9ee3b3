/// Reads comma-separated values piece by piece: RFC 4180, with CR LF or LF, and a byte order mark in front or none.
///
/// A record that is not in order is given all the same, with its fault: the ones around it are not lost.
package struct CSVReader: Sendable {
    /// The longest record in bytes; the rest of a longer one is dropped.
    package static let maximumRecordBytes = 2 << 20
    package static let maximumFields = 2000

    package enum Fault: String, Sendable, Hashable {
        case notUTF8 = "the line is not in UTF-8"
        case textBehindQuote = "text stands behind a closing quote"
        case quoteInside = "a quote stands in a field that does not begin with one"
        case unterminated = "a quote is opened and not closed"
        case tooLong = "the line is longer than 2 MiB, or has more than 2,000 fields"
    }

    package struct Field: Sendable, Hashable {
        package var text: String
        /// `""` is a text of no characters; nothing at all is no value.
        package var isQuoted: Bool
    }

    package struct Record: Sendable, Hashable {
        /// The number of the line that it begins in, from 1.
        package var line: Int
        package var fields: [Field]
        package var fault: Fault?
    }

    private enum State { case fieldStart, bare, quoted, quoteInQuoted, returnBehindQuote }

    private var state = State.fieldStart
    private var field: [UInt8] = []
    private var isQuoted = false
    private var fields: [Field] = []
    private var fault: Fault?
    private var size = 0
    private var line = 1
    private var firstLine = 1
    private var mark: [UInt8] = []
    private var isAtBeginning = true

    package init() {}

    /// Takes bytes, and gives the records that end in them.
    package mutating func received(_ bytes: [UInt8]) -> [Record] {
        var bytes = bytes[...]
        if isAtBeginning {
            mark += bytes
            guard mark.count >= 3 else { return [] }
            bytes = mark.starts(with: [0xEF, 0xBB, 0xBF]) ? mark.dropFirst(3) : mark[...]
            isAtBeginning = false
        }
        var records: [Record] = []
        for byte in bytes { take(byte, &records) }
        return records
    }

    /// Gives the record that the end of the input ends.
    package mutating func finish() -> [Record] {
        var records: [Record] = []
        if isAtBeginning {
            isAtBeginning = false
            for byte in mark { take(byte, &records) }
        }
        if state == .quoted { fault = .unterminated }
        if state != .fieldStart || !fields.isEmpty { endRecord(&records) }
        return records
    }

    private mutating func take(_ byte: UInt8, _ records: inout [Record]) {
        let isEnd = byte == 0x0A
        if isEnd { line += 1 }
        size += 1
        // Quotes count all the same: else the lines of a long text, a stranger's perhaps, would be read as records.
        if size > CSVReader.maximumRecordBytes { fault = .tooLong }
        switch state {
        case .fieldStart where byte == 0x22:
            isQuoted = true
            state = .quoted
        case .quoted:
            if byte == 0x22 { state = .quoteInQuoted } else { keep(byte) }
        case .quoteInQuoted where byte == 0x22:
            keep(byte)
            state = .quoted
        case .quoteInQuoted where byte == 0x0D: state = .returnBehindQuote
        case .fieldStart, .bare, .quoteInQuoted, .returnBehindQuote:
            if isEnd { return endRecord(&records) }
            // A CR is part of the line's end, and before anything else a text like any other.
            if state == .returnBehindQuote {
                fault = fault ?? .textBehindQuote
                state = byte == 0x22 ? .quoted : .quoteInQuoted
                if state == .quoted { return }
            }
            if byte == 0x2C { return endField() }
            if state == .quoteInQuoted {
                fault = fault ?? .textBehindQuote
                return
            }
            if byte == 0x22 { fault = fault ?? .quoteInside }
            state = .bare
            keep(byte)
        }
    }

    private mutating func keep(_ byte: UInt8) {
        if size <= CSVReader.maximumRecordBytes { field.append(byte) }
    }

    private mutating func endField() {
        if fields.count >= CSVReader.maximumFields {
            fault = .tooLong
        } else if let text = String(validating: field, as: UTF8.self) {
            fields.append(Field(text: text, isQuoted: isQuoted))
        } else {
            fields.append(Field(text: "", isQuoted: isQuoted))
            fault = fault ?? .notUTF8
        }
        field.removeAll(keepingCapacity: true)
        isQuoted = false
        state = .fieldStart
    }

    private mutating func endRecord(_ records: inout [Record]) {
        if !isQuoted, field.last == 0x0D { field.removeLast() }
        let isBlank = fields.isEmpty && field.isEmpty && !isQuoted && fault == nil
        if isBlank { state = .fieldStart } else { endField() }
        if !isBlank { records.append(Record(line: firstLine, fields: fields, fault: fault)) }
        fields = []
        field.removeAll(keepingCapacity: true)
        fault = nil
        size = 0
        firstLine = line
        state = .fieldStart
    }
}
