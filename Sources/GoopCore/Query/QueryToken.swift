/// A word, sign or value in the text of a query.
struct QueryToken: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        /// A bare word as written; whether it is a keyword is decided where it stands.
        case word(String)
        /// A name in double quotes, backquotes or brackets.
        case quotedName(String)
        case text(String)
        case integer(Int64)
        /// An integer that only a real can hold.
        case hugeInteger(Double, isMinimum: Bool)
        case real(Double)
        case blob([UInt8])
        /// `?`, or `?N`.
        case placeholder(Int?)
        case sign(Sign)
        case end
    }

    enum Sign: String, Sendable, Hashable {
        case leftParenthesis = "("
        case rightParenthesis = ")"
        case comma = ","
        case dot = "."
        case plus = "+"
        case minus = "-"
        case star = "*"
        case slash = "/"
        case percent = "%"
        case concatenation = "||"
        case equal = "="
        case notEqual = "<>"
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
    }

    let kind: Kind
    /// The bytes it takes in the text.
    let range: Range<Int>

    var position: Int { range.lowerBound }

    /// True for the keyword in any letter case; quoted names are never keywords.
    func isWord(_ keyword: String) -> Bool {
        guard case .word(let word) = kind else { return false }
        return QueryScope.folded(word).elementsEqual(QueryScope.folded(keyword))
    }

    func isSign(_ sign: Sign) -> Bool { kind == .sign(sign) }
}
