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
            writeList(open: "[", close: "]", elements, depth: depth) { writer, element in
                writer.write(element, depth: depth + 1)
            }
        case .object(let object):
            writeList(open: "{", close: "}", object.members, depth: depth) { writer, member in
                writer.write(string: member.name)
                writer.append(writer.indent == nil ? ":" : ": ")
                writer.write(member.value, depth: depth + 1)
            }
        }
    }

    private mutating func writeList<Element>(
        open: String, close: String, _ elements: [Element], depth: Int, _ body: (inout JSONWriter, Element) -> Void
    ) {
        append(open)
        for (index, element) in elements.enumerated() {
            if index > 0 { append(",") }
            startLine(depth: depth + 1)
            body(&self, element)
        }
        if !elements.isEmpty { startLine(depth: depth) }
        append(close)
    }

    private mutating func startLine(depth: Int) {
        guard let indent else { return }
        bytes.append(0x0A)
        bytes.append(contentsOf: repeatElement(0x20, count: indent * depth))
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func write(string: String) {
        bytes.append(UInt8(ascii: "\""))
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": append("\\\"")
            case "\\": append("\\\\")
            case "\n": append("\\n")
            case "\r": append("\\r")
            case "\t": append("\\t")
            case "\u{08}": append("\\b")
            case "\u{0C}": append("\\f")
            case "<", ">", "&", "\u{2028}", "\u{2029}", "\u{0}"..."\u{1F}": writeEscape(scalar)
            default: bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func writeEscape(_ scalar: Unicode.Scalar) {
        let digits = String(scalar.value, radix: 16)
        append("\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits)
    }
}
