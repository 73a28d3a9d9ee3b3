/// Why a text is no query. Positions count bytes of UTF-8 from 0.
public enum QueryError: Error, Sendable, Hashable {
    /// Nothing but white space.
    case empty
    case textTooLong(bytes: Int, limit: Int)
    case tooManyArguments(count: Int, limit: Int)
    /// An argument holds NUL, where SQLite's texts end.
    case argumentHoldsNUL(number: Int)

    /// A character that begins nothing in the grammar; NUL and control characters are among them.
    case unexpectedCharacter(position: Int, scalar: UInt32)
    /// A text, a name or a blob without its end.
    case unterminated(position: Int)
    case malformedNumber(position: Int)
    /// Not `x'…'` with an even number of hexadecimal digits.
    case malformedBlob(position: Int)
    /// `--` or `/*`.
    case comment(position: Int)

    case unexpected(position: Int, found: String, expected: String)
    /// A word of SQL that this grammar leaves out on purpose.
    case notSupported(position: Int, word: String)
    /// Nested deeper than the limit, or deeper than SQLite's own parser can follow.
    case tooDeep(position: Int, limit: Int)
    /// The same, where a column of times is compared, which takes several levels of what SQLite's parser can follow.
    case tooDeepForTimes(position: Int)
    /// More parts (names, values, operators, calls) than the limit.
    case tooManyParts(position: Int, limit: Int)
    /// More `||` than the limit.
    case tooManyConcatenations(position: Int, limit: Int)
    /// More columns, expressions or sort terms than the limit.
    case tooManyTerms(position: Int, limit: Int)

    case unknownColumn(position: Int, name: String, suggestion: String?)
    case unknownFunction(position: Int, name: String)
    case unknownCollation(position: Int, name: String)
    case unknownType(position: Int, name: String)
    /// A function with too few or too many arguments; `allowed` says how many it takes.
    case wrongArgumentCount(position: Int, function: String, count: Int, allowed: String)
    /// COUNT, SUM and the like, where rows are not yet grouped.
    case aggregateNotAllowed(position: Int, name: String)
    case duplicateName(position: Int, name: String)
    /// A sort term that is the same for every row.
    case constantOrder(position: Int)

    /// A placeholder without an argument.
    case missingArgument(position: Int, number: Int, given: Int)
    /// Arguments behind the last one that is used.
    case unusedArguments(given: Int, used: Int)

    /// The pattern (or another argument that decides how much work a function does) is not known before the rows are read.
    case notConstant(position: Int, of: String)
    case patternTooLong(position: Int, bytes: Int, limit: Int)
    case tooManyWildcards(position: Int, count: Int, limit: Int)
    /// More bytes of patterns in the whole text than the limit.
    case tooMuchSearching(position: Int, bytes: Int, limit: Int)
    /// The text behind ESCAPE is not one character.
    case malformedEscape(position: Int)
    /// `localtime` and `utc`: they would tell the time zone of the owner's machine.
    case modifierNotAllowed(position: Int, modifier: String)
}

extension QueryError {
    /// Where in the text, in bytes of UTF-8 from 0; nil if it is about the whole.
    public var position: Int? {
        switch self {
        case .empty, .textTooLong, .tooManyArguments, .argumentHoldsNUL, .unusedArguments: nil
        case .unexpectedCharacter(let position, _), .unterminated(let position), .malformedNumber(let position),
            .malformedBlob(let position), .comment(let position), .unexpected(let position, _, _),
            .notSupported(let position, _), .tooDeep(let position, _), .tooDeepForTimes(let position),
            .tooManyParts(let position, _), .tooManyConcatenations(let position, _), .tooManyTerms(let position, _),
            .unknownColumn(let position, _, _), .unknownFunction(let position, _), .unknownCollation(let position, _),
            .unknownType(let position, _), .wrongArgumentCount(let position, _, _, _),
            .aggregateNotAllowed(let position, _), .duplicateName(let position, _), .constantOrder(let position),
            .missingArgument(let position, _, _), .notConstant(let position, _), .patternTooLong(let position, _, _),
            .tooManyWildcards(let position, _, _), .tooMuchSearching(let position, _, _),
            .malformedEscape(let position),
            .modifierNotAllowed(let position, _):
            position
        }
    }
}

extension QueryError: CustomStringConvertible {
    /// One line: what is wrong, where, and what to write instead. Names of the sender are shortened and made harmless.
    public var description: String {
        position.map { "\(reason), at byte \($0)" } ?? reason
    }

    private var reason: String {
        switch self {
        case .empty: "the query is empty"
        case .textTooLong(let bytes, let limit): "the query has \(bytes) bytes; the limit is \(limit)"
        case .tooManyArguments(let count, let limit): "there are \(count) arguments; the limit is \(limit)"
        case .argumentHoldsNUL(let number): "argument \(number) holds a NUL character"
        case .unexpectedCharacter(_, let scalar):
            // What can be seen is shown; what cannot is named.
            scalar > 0x20 && scalar < 0x7F
                ? "“\(Unicode.Scalar(UInt8(scalar)))” has no meaning here"
                : "the character U+\(String(scalar, radix: 16, uppercase: true)) has no meaning here"
        case .unterminated: "a quote is opened and not closed"
        case .malformedNumber: "this is no number"
        case .malformedBlob: "a blob is written x'…' with pairs of hexadecimal digits"
        case .comment: "comments are not allowed; write a - -b with a space"
        case .unexpected(_, let found, let expected): "found \(TerminalText.safe(found)) where \(expected) should be"
        case .notSupported(_, let word):
            "\(TerminalText.safe(word)) is not part of a query here; a column of that name has to be in double quotes"
        case .tooDeep(_, let limit): "nested too deep; the limit is \(limit)"
        case .tooDeepForTimes: "nested too deep for a comparison of times; compare them outside of the parentheses"
        case .tooManyParts(_, let limit): "the query has too many parts; the limit is \(limit)"
        case .tooManyConcatenations(_, let limit): "too many ||; the limit is \(limit)"
        case .tooManyTerms(_, let limit): "too many terms; the limit is \(limit)"
        case .unknownColumn(_, let name, let suggestion):
            "there is no column \(TerminalText.safe(name))"
                + (suggestion.map { "; did you mean \(TerminalText.safe($0))?" } ?? "; texts are in single quotes")
        case .unknownFunction(_, let name): "there is no function \(TerminalText.safe(name))"
        case .unknownCollation(_, let name):
            "there is no collation \(TerminalText.safe(name)); there are BINARY, NOCASE and RTRIM"
        case .unknownType(_, let name):
            "a value cannot be cast to \(TerminalText.safe(name)); there are TEXT, INTEGER and REAL"
        case .wrongArgumentCount(_, let function, let count, let allowed):
            "\(function) takes \(allowed), not \(count)"
        case .aggregateNotAllowed(_, let name): "\(name) of one argument counts over rows and cannot be used here"
        case .duplicateName(_, let name): "two results are called \(TerminalText.safe(name)); rename one with AS"
        case .constantOrder: "this sorts by a value that is the same for every row; name a column"
        case .missingArgument(_, let number, let given): "placeholder \(number) has no argument; \(given) were given"
        case .unusedArguments(let given, let used): "\(given) arguments were given, the query uses \(used)"
        case .notConstant(_, let what): "\(what) has to be a text, a placeholder, or such joined with ||"
        case .patternTooLong(_, let bytes, let limit): "this text has \(bytes) bytes; the limit is \(limit)"
        case .tooManyWildcards(_, let count, let limit): "the pattern has \(count) wildcards; the limit is \(limit)"
        case .tooMuchSearching(_, let bytes, let limit):
            "the patterns of this query have \(bytes) bytes together, letters to trim taken eight times, and each once "
                + "more for every || in what it is compared with; the limit is \(limit)"
        case .malformedEscape: "ESCAPE takes a text of one character"
        case .modifierNotAllowed(_, let modifier):
            "the modifier \(TerminalText.safe(modifier)) is not allowed; times are UTC"
        }
    }
}
