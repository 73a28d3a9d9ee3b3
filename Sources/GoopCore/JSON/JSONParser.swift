/// Why bytes are not acceptable JSON.
public enum JSONError: Error, Sendable, Hashable {
    /// The text ends in the middle of a value.
    case truncated
    /// A byte that cannot stand here; the offset counts bytes from 0.
    case unexpected(offset: Int)
    /// More text after the value.
    case trailing(offset: Int)
    case tooDeep(limit: Int)
    case tooLarge(limit: Int, size: Int)
    /// More array elements and object members in total than the limit.
    case tooManyValues(limit: Int)
}

/// Reads one JSON value with bounded size, depth and count.
///
/// Invalid UTF-8 and lone surrogates become U+FFFD, as in Go's decoder; everything else follows RFC 8259 strictly.
public struct JSONParser {
    /// What a text may cost.
    public struct Limits: Sendable {
        /// The longest text.
        public var bytes: Int
        /// Levels of arrays and objects inside each other.
        public var depth: Int
        /// Values in all, nested ones included.
        public var values: Int

        /// Makes limits; the defaults suit a configuration file.
        public init(bytes: Int = 1 << 20, depth: Int = 32, values: Int = 65_536) {
            self.bytes = bytes
            self.depth = depth
            self.values = values
        }
    }

    private let bytes: [UInt8]
    private let limits: Limits
    private var position = 0
    private var valuesLeft: Int

    private init(_ bytes: [UInt8], limits: Limits) {
        self.bytes = bytes
        self.limits = limits
        self.valuesLeft = limits.values
    }

    /// Reads the only value of a text; a UTF-8 byte order mark in front is skipped.
    /// - Throws: what is wrong, with the byte offset where there is one.
    public static func parse(_ bytes: some Collection<UInt8>, limits: Limits = .init()) throws(JSONError) -> JSONValue {
        guard bytes.count <= limits.bytes else { throw .tooLarge(limit: limits.bytes, size: bytes.count) }
        var parser = JSONParser(Array(bytes), limits: limits)
        if parser.bytes.starts(with: [0xEF, 0xBB, 0xBF]) { parser.position = 3 }
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.position == parser.bytes.count else { throw .trailing(offset: parser.position) }
        return value
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private func failure() -> JSONError { position < bytes.count ? .unexpected(offset: position) : .truncated }

    private mutating func expect(_ byte: UInt8) throws(JSONError) {
        guard current == byte else { throw failure() }
        position += 1
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        guard depth <= limits.depth else { throw .tooDeep(limit: limits.depth) }
        guard valuesLeft > 0 else { throw .tooManyValues(limit: limits.values) }
        valuesLeft -= 1
        skipSpace()
        switch current {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func word(_ text: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        for index in 0..<text.utf8CodeUnitCount { try expect(text.utf8Start[index]) }
        return value
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        position += 1
        var members: [JSONObject.Member] = []
        skipSpace()
        if current == UInt8(ascii: "}") {
            position += 1
            return .object(JSONObject())
        }
        while true {
            skipSpace()
            guard current == UInt8(ascii: "\"") else { throw failure() }
            let name = try string()
            skipSpace()
            try expect(UInt8(ascii: ":"))
            members.append(.init(name: name, value: try value(depth: depth + 1)))
            skipSpace()
            if current == UInt8(ascii: "}") {
                position += 1
                return .object(JSONObject(members: members))
            }
            try expect(UInt8(ascii: ","))
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        position += 1
        var elements: [JSONValue] = []
        skipSpace()
        if current == UInt8(ascii: "]") {
            position += 1
            return .array([])
        }
        while true {
            elements.append(try value(depth: depth + 1))
            skipSpace()
            if current == UInt8(ascii: "]") {
                position += 1
                return .array(elements)
            }
            try expect(UInt8(ascii: ","))
        }
    }

    private mutating func number() throws(JSONError) -> String {
        let start = position
        if current == UInt8(ascii: "-") { position += 1 }
        if current == UInt8(ascii: "0") { position += 1 } else { try digits() }
        if current == UInt8(ascii: ".") {
            position += 1
            try digits()
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            try digits()
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func digits() throws(JSONError) {
        let start = position
        while let byte = current, (0x30...0x39).contains(byte) { position += 1 }
        guard position > start else { throw failure() }
    }

    /// Reads a string whose opening quote is the current byte.
    private mutating func string() throws(JSONError) -> String {
        position += 1
        let start = position
        skipPlainText()
        if current == UInt8(ascii: "\"") {
            position += 1
            return String(decoding: bytes[start..<(position - 1)], as: UTF8.self)
        }
        var text = Array(bytes[start..<position])
        while true {
            guard let byte = current else { throw .truncated }
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                position += 1
                try escape(into: &text)
            case 0..<0x20:
                throw .unexpected(offset: position)
            default:
                let start = position
                skipPlainText()
                text += bytes[start..<position]
            }
        }
    }

    /// To the next quote, backslash or control character, or the end.
    private mutating func skipPlainText() {
        while let byte = current, byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") { position += 1 }
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
        guard let byte = current else { throw .truncated }
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            position += 1
            let scalar = try escapedScalar()
            text.append(contentsOf: Character(scalar).utf8)
            return
        default: throw .unexpected(offset: position)
        }
        position += 1
    }

    /// Reads the four digits after `\u`, and the second half of a surrogate pair if it follows.
    private mutating func escapedScalar() throws(JSONError) -> Unicode.Scalar {
        let replacement: Unicode.Scalar = "\u{FFFD}"
        let first = try fourDigits()
        guard (0xD800..<0xDC00).contains(first) else { return Unicode.Scalar(first) ?? replacement }
        let beforeSecond = position
        guard current == UInt8(ascii: "\\") else { return replacement }
        position += 1
        guard current == UInt8(ascii: "u") else {
            position = beforeSecond
            return replacement
        }
        position += 1
        let second = try fourDigits()
        guard (0xDC00..<0xE000).contains(second) else {
            position = beforeSecond
            return replacement
        }
        return Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)) ?? replacement
    }

    private mutating func fourDigits() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { throw failure() }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}
