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

/// Results over groups of rows, and what they are called.
public struct CompiledResults: Sendable, Hashable {
    /// What stands behind SELECT.
    public var fragment: CompiledFragment
    /// In their order.
    public var names: [String]
    /// The columns that are results as they are, whatever they are called; in the table's spelling.
    public var columns: Set<String>
}

extension CompiledFragment {
    /// What stands behind WHERE: the rows of one owner, and of those the ones for which a condition holds.
    ///
    /// The condition is never tried on a row of somebody else: it could fail there (`abs` of the smallest integer does), or take
    /// its time, and tell by that what is in rows that are not shown. AND alone does not see to it, because SQLite tries both
    /// sides in the order it likes; CASE is lazy by SQLite's word. `IS`, because of `"_owner" = ?` SQLite concludes that the
    /// column is that value wherever it stands, and the CASE would ask nothing any more.
    /// - Parameters:
    ///   - owner: nil: the rows of everybody.
    ///   - condition: in parentheses, as the compiler makes it.
    /// - Returns: nil: every row.
    public static func rows(of owner: String?, where condition: CompiledFragment?) -> CompiledFragment? {
        guard let owner else { return condition }
        let isOwn = "\"_owner\" IS ?"
        guard let condition else { return CompiledFragment(sql: isOwn, bindings: [.text(owner)]) }
        return CompiledFragment(
            sql: "\(isOwn) AND CASE WHEN \(isOwn) THEN \(condition.sql) END",
            bindings: [.text(owner), .text(owner)] + condition.bindings)
    }
}
