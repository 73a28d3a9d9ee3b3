/// Cuts the text of a query into tokens as SQLite does, without comments, variables by name, and hexadecimal numbers.
struct QueryLexer {
    private let bytes: [UInt8]
    private var index = 0

    private init(_ text: String) { bytes = Array(text.utf8) }

    /// All tokens of the text, `.end` last.
    static func tokens(of text: String) throws(QueryError) -> [QueryToken] {
        var lexer = QueryLexer(text)
        var tokens: [QueryToken] = []
        while true {
            let token = try lexer.next()
            tokens.append(token)
            if token.kind == .end { return tokens }
        }
    }

    private func byte(ahead distance: Int = 0) -> UInt8? {
        index + distance < bytes.count ? bytes[index + distance] : nil
    }

    private mutating func next() throws(QueryError) -> QueryToken {
        while let byte = byte(), isSpace(byte) { index += 1 }
        let start = index
        let kind = try kind()
        return QueryToken(kind: kind, range: start..<index)
    }

    private mutating func kind() throws(QueryError) -> QueryToken.Kind {
        guard let first = byte() else { return .end }
        switch first {
        case UInt8(ascii: "'"): return .text(try quoted(by: first))
        case UInt8(ascii: "\""), UInt8(ascii: "`"): return .quotedName(try quoted(by: first))
        case UInt8(ascii: "["): return .quotedName(try bracketed())
        case UInt8(ascii: "?"): return try placeholder()
        case UInt8(ascii: "x"), UInt8(ascii: "X"):
            if byte(ahead: 1) == UInt8(ascii: "'") { return .blob(try blob()) }
            return word()
        case UInt8(ascii: "."):
            if let second = byte(ahead: 1), isDigit(second) { return try number() }
            return sign(.dot, length: 1)
        case _ where isDigit(first): return try number()
        case _ where isWordStart(first): return word()
        default: return try sign()
        }
    }

    // MARK: - Quotes

    /// Text between two quotes, where a doubled quote stands for itself.
    private mutating func quoted(by quote: UInt8) throws(QueryError) -> String {
        let start = index
        var content: [UInt8] = []
        index += 1
        while let byte = byte() {
            index += 1
            if byte == quote {
                guard self.byte() == quote else { return String(decoding: content, as: UTF8.self) }
                index += 1
            }
            guard byte != 0 else { throw .unexpectedCharacter(position: index - 1, scalar: 0) }
            content.append(byte)
        }
        throw .unterminated(position: start)
    }

    private mutating func bracketed() throws(QueryError) -> String {
        let start = index
        while let byte = byte() {
            index += 1
            guard byte != 0 else { throw .unexpectedCharacter(position: index - 1, scalar: 0) }
            if byte == UInt8(ascii: "]") { return String(decoding: bytes[start + 1..<index - 1], as: UTF8.self) }
        }
        throw .unterminated(position: start)
    }

    private mutating func blob() throws(QueryError) -> [UInt8] {
        let start = index
        var content: [UInt8] = []
        var half: UInt8?
        index += 2
        while let byte = byte() {
            index += 1
            if byte == UInt8(ascii: "'") {
                guard half == nil else { throw .malformedBlob(position: start) }
                return content
            }
            guard let digit = hexadecimal(byte) else { throw .malformedBlob(position: start) }
            if let high = half {
                content.append(high << 4 | digit)
                half = nil
            } else {
                half = digit
            }
        }
        throw .unterminated(position: start)
    }

    // MARK: - Words and numbers

    private mutating func word() -> QueryToken.Kind {
        let start = index
        while let byte = byte(), isWordPart(byte) { index += 1 }
        return .word(String(decoding: bytes[start..<index], as: UTF8.self))
    }

    private mutating func number() throws(QueryError) -> QueryToken.Kind {
        let start = index
        var isReal = false
        skipDigits()
        if byte() == UInt8(ascii: ".") {
            isReal = true
            index += 1
            skipDigits()
        }
        if byte() == UInt8(ascii: "e") || byte() == UInt8(ascii: "E") {
            isReal = true
            index += 1
            if byte() == UInt8(ascii: "+") || byte() == UInt8(ascii: "-") { index += 1 }
            guard let digit = byte(), isDigit(digit) else { throw .malformedNumber(position: start) }
            skipDigits()
        }
        if let byte = byte(), isWordPart(byte) { throw .malformedNumber(position: start) }
        let digits = String(decoding: bytes[start..<index], as: UTF8.self)
        if !isReal, let value = Int64(digits) { return .integer(value) }
        guard let value = Double(digits.hasSuffix(".") ? digits + "0" : digits) ?? realWithBareDot(digits) else {
            throw .malformedNumber(position: start)
        }
        if isReal { return .real(value) }
        return .hugeInteger(value, isMinimum: Int64("-" + digits) == Int64.min)
    }

    /// `.5`, `5.e3`: written so in SQL, not so in Swift.
    private func realWithBareDot(_ digits: String) -> Double? {
        guard let dot = digits.firstIndex(of: ".") else { return nil }
        return Double("0" + digits[..<dot] + ".0" + digits[digits.index(after: dot)...])
    }

    private mutating func skipDigits() {
        while let byte = byte(), isDigit(byte) { index += 1 }
    }

    private mutating func placeholder() throws(QueryError) -> QueryToken.Kind {
        let start = index
        index += 1
        let digits = index
        skipDigits()
        if let byte = byte(), isWordPart(byte) { throw .malformedNumber(position: start) }
        guard index > digits else { return .placeholder(nil) }
        guard index - digits <= 5, let number = Int(String(decoding: bytes[digits..<index], as: UTF8.self)), number > 0
        else { throw .malformedNumber(position: start) }
        return .placeholder(number)
    }

    // MARK: - Signs

    private mutating func sign() throws(QueryError) -> QueryToken.Kind {
        switch (byte(), byte(ahead: 1)) {
        case (UInt8(ascii: "-"), UInt8(ascii: "-")), (UInt8(ascii: "/"), UInt8(ascii: "*")):
            throw .comment(position: index)
        case (UInt8(ascii: "|"), UInt8(ascii: "|")): return sign(.concatenation, length: 2)
        case (UInt8(ascii: "="), UInt8(ascii: "=")): return sign(.equal, length: 2)
        case (UInt8(ascii: "="), _): return sign(.equal, length: 1)
        case (UInt8(ascii: "!"), UInt8(ascii: "=")), (UInt8(ascii: "<"), UInt8(ascii: ">")):
            return sign(.notEqual, length: 2)
        // A shift is not in the grammar; it must not read as two comparisons.
        case (UInt8(ascii: "<"), UInt8(ascii: "<")), (UInt8(ascii: ">"), UInt8(ascii: ">")): break
        case (UInt8(ascii: "<"), UInt8(ascii: "=")): return sign(.lessOrEqual, length: 2)
        case (UInt8(ascii: "<"), _): return sign(.less, length: 1)
        case (UInt8(ascii: ">"), UInt8(ascii: "=")): return sign(.greaterOrEqual, length: 2)
        case (UInt8(ascii: ">"), _): return sign(.greater, length: 1)
        case (let byte?, _):
            if let sign = QueryToken.Sign(rawValue: String(UnicodeScalar(byte))) { return self.sign(sign, length: 1) }
        case (nil, _): return .end
        }
        throw .unexpectedCharacter(position: index, scalar: scalar)
    }

    private mutating func sign(_ sign: QueryToken.Sign, length: Int) -> QueryToken.Kind {
        index += length
        return .sign(sign)
    }

    /// The character here; a sign is ASCII, or it is none.
    private var scalar: UInt32 {
        String(decoding: bytes[index...].prefix(4), as: UTF8.self).unicodeScalars.first.map(\.value) ?? 0
    }

    private func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 0x09 && byte <= 0x0D && byte != 0x0B) }
    private func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
    private func isWordStart(_ byte: UInt8) -> Bool {
        (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || byte == UInt8(ascii: "_") || byte >= 0x80
    }
    private func isWordPart(_ byte: UInt8) -> Bool {
        isWordStart(byte) || isDigit(byte) || byte == UInt8(ascii: "$")
    }
    private func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}
