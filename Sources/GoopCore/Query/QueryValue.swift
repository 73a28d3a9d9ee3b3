/// A value of SQLite: what a literal means, what a placeholder is filled with.
public enum QueryValue: Sendable, Hashable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])
}

/// A piece of SQL that is safe to put into a statement: every identifier in it is quoted and exists, every value of the
/// sender is bound.
///
/// Its placeholders are all written `?`, so the statement around it binds its own values in the order of the text.
public struct CompiledFragment: Sendable, Hashable {
    /// The text. A condition stands in parentheses: whatever is added with `AND` holds for all of it.
    public var sql: String
    /// The values of the placeholders, in order.
    public var bindings: [QueryValue]

    /// Makes a fragment of text and values. Only the compiler, or text of our own, should be in it.
    public init(sql: String, bindings: [QueryValue] = []) {
        self.sql = sql
        self.bindings = bindings
    }
}
