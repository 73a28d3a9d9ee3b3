/// Cuts a list of JSON objects, or objects one after the other (one a line, say), into the objects, piece by piece.
package struct JSONRowReader: Sendable {
    /// The longest object in bytes.
    package static let maximumRowBytes = 2 << 20

    package enum Fault: Error, Sendable, Hashable {
        /// Something else than an object, in that line.
        case notARow(line: Int)
        case tooLong(line: Int)
        case unterminated(line: Int)
        /// The list that began in that line is not closed: the end of the file is missing.
        case unclosedList(line: Int)
    }

    package struct Row: Sendable, Hashable {
        /// The number of the line that it begins in, from 1.
        package var line: Int
        package var bytes: [UInt8]
    }

    private var row: [UInt8] = []
    private var depth = 0
    private var isInText = false
    private var isEscaped = false
    private var line = 1
    private var firstLine = 1
    /// Where the list around the objects began; nil outside of one.
    private var listLine: Int?

    package init() {}

    /// Takes bytes, and appends the objects that end in them, those before a fault too.
    package mutating func received(_ bytes: [UInt8], into rows: inout [Row]) throws(Fault) {
        for byte in bytes {
            if byte == 0x0A { line += 1 }
            guard depth > 0 else {
                switch byte {
                case UInt8(ascii: "{"):
                    firstLine = line
                    row = [byte]
                    depth = 1
                case UInt8(ascii: "[") where listLine == nil: listLine = line
                case UInt8(ascii: "]") where listLine != nil: listLine = nil
                // What stands between them.
                case UInt8(ascii: ","), 0x20, 0x09, 0x0A, 0x0D, 0xEF, 0xBB, 0xBF: break
                default: throw .notARow(line: line)
                }
                continue
            }
            row.append(byte)
            guard row.count <= JSONRowReader.maximumRowBytes else { throw .tooLong(line: firstLine) }
            if isInText {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInText = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isInText = true
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth == 0 {
                    rows.append(Row(line: firstLine, bytes: row))
                    row = []
                }
            default: break
            }
        }
    }

    /// To be called at the end of the input.
    package func finish() throws(Fault) {
        if depth > 0 { throw .unterminated(line: firstLine) }
        if let listLine { throw .unclosedList(line: listLine) }
    }
}
