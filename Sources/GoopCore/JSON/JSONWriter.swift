/// Writes JSON as Go's `encoding/json` does, so that upstream peers and files look the same from both.
///
/// `<`, `>`, `&`, U+2028 and U+2029 are written as `\u` escapes; other text stays UTF-8.
public struct JSONWriter {
    private var bytes: [UInt8] = []
    private let indent: Int?

    private init(indent: Int?) { self.indent = indent }

    /// Writes a value in one line without spaces.
    public static func compact(_ value: JSONValue) -> [UInt8] {
        var writer = JSONWriter(indent: nil)
        writer.write(value, depth: 0)
        return writer.bytes
    }

    /// How many bytes `compact` would write: up to six times the text of the value, because of escapes.
    package static func compactLength(of value: JSONValue) -> Int {
        switch value {
        case .null: 4
        case .bool(let flag): flag ? 4 : 5
        case .number(let digits): digits.utf8.count
        case .string(let text): length(of: text)
        case .array(let elements):
            elements.reduce(max(2, elements.count + 1)) { $0 + compactLength(of: $1) }
        case .object(let object):
            object.members.reduce(max(2, 2 * object.members.count + 1)) {
                $0 + length(of: $1.name) + compactLength(of: $1.value)
            }
        }
    }

    private static func length(of string: String) -> Int {
        var string = string
        return string.withUTF8 { text in
            var length = 2
            var position = 0
            while position < text.count {
                switch text[position] {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"), 0x08, 0x09, 0x0A, 0x0C, 0x0D: length += 2
                case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"), 0..<0x20: length += 6
                case 0xE2
                where position + 2 < text.count && text[position + 1] == 0x80 && text[position + 2] & 0xFE == 0xA8:
                    length += 6
                    position += 2
                default: length += 1
                }
                position += 1
            }
            return length
        }
    }

    /// Writes a value over several lines, two spaces a level, with a line feed at the end.
    public static func pretty(_ value: JSONValue) -> [UInt8] {
        var writer = JSONWriter(indent: 2)
        writer.write(value, depth: 0)
        return writer.bytes + [0x0A]
    }

    private mutating func write(_ value: JSONValue, depth: Int) {
        switch value {
        case .null: append("null")
        case .bool(let flag): append(flag ? "true" : "false")
        case .number(let digits): append(digits)
        case .string(let text): write(string: text)
        case .array(let elements):
            writeList(open: UInt8(ascii: "["), close: UInt8(ascii: "]"), elements, depth: depth) { writer, element in
                writer.write(element, depth: depth + 1)
            }
        case .object(let object):
            writeList(open: UInt8(ascii: "{"), close: UInt8(ascii: "}"), object.members, depth: depth) {
                writer, member in
                writer.write(string: member.name)
                writer.bytes.append(UInt8(ascii: ":"))
                if writer.indent != nil { writer.bytes.append(0x20) }
                writer.write(member.value, depth: depth + 1)
            }
        }
    }

    private mutating func writeList<Element>(
        open: UInt8, close: UInt8, _ elements: [Element], depth: Int, _ body: (inout JSONWriter, Element) -> Void
    ) {
        bytes.append(open)
        for (index, element) in elements.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            startLine(depth: depth + 1)
            body(&self, element)
        }
        if !elements.isEmpty { startLine(depth: depth) }
        bytes.append(close)
    }

    private mutating func startLine(depth: Int) {
        guard let indent else { return }
        bytes.append(0x0A)
        bytes.append(contentsOf: repeatElement(0x20, count: indent * depth))
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func write(string: String) {
        bytes.append(UInt8(ascii: "\""))
        var string = string
        string.withUTF8 { text in
            // What stands for itself is copied in runs.
            var written = 0
            var position = 0
            while position < text.count {
                guard JSONWriter.canNeedEscape(text[position]),
                    let (escape, length) = JSONWriter.escape(at: position, in: text)
                else {
                    position += 1
                    continue
                }
                bytes.append(contentsOf: text[written..<position])
                append(escape)
                position += length
                written = position
            }
            bytes.append(contentsOf: text[written...])
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// False for a byte that always stands for itself: nearly all do, and are looked at no further.
    private static func canNeedEscape(_ byte: UInt8) -> Bool {
        switch byte {
        case 0..<0x20, UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"),
            0xE2:
            true
        default: false
        }
    }

    /// What is written instead of the bytes at a position, and how many they are; nil if the byte stands for itself.
    private static func escape(at position: Int, in text: UnsafeBufferPointer<UInt8>) -> (String, length: Int)? {
        switch text[position] {
        case UInt8(ascii: "\""): return ("\\\"", 1)
        case UInt8(ascii: "\\"): return ("\\\\", 1)
        case UInt8(ascii: "\n"): return ("\\n", 1)
        case UInt8(ascii: "\r"): return ("\\r", 1)
        case UInt8(ascii: "\t"): return ("\\t", 1)
        case 0x08: return ("\\b", 1)
        case 0x0C: return ("\\f", 1)
        case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"), 0..<0x20:
            return (escape(of: UInt32(text[position])), 1)
        // U+2028 and U+2029 are E2 80 A8 and E2 80 A9.
        case 0xE2 where position + 2 < text.count && text[position + 1] == 0x80 && text[position + 2] & 0xFE == 0xA8:
            return (escape(of: 0x2000 + UInt32(text[position + 2] - 0x80)), 3)
        default: return nil
        }
    }

    private static func escape(of scalar: UInt32) -> String {
        let digits = String(scalar, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
    }
}
