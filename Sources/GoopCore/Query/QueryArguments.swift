/// The values for the placeholders of a request, which all its texts share.
///
/// `?` means the value behind the last one that was used, also by a text that was read before; `?1` is the first value in
/// every text.
public struct QueryArguments: Sendable, Hashable {
    /// In the order of the placeholders.
    public let values: [QueryValue]
    /// The highest placeholder so far.
    public internal(set) var used = 0

    /// - Parameter values: at most `QueryCompiler.Limit.arguments`.
    /// - Throws: `tooManyArguments`; `argumentHoldsNUL`, because SQLite's texts end there.
    public init(_ values: [QueryValue]) throws(QueryError) {
        guard values.count <= QueryCompiler.Limit.arguments else {
            throw .tooManyArguments(count: values.count, limit: QueryCompiler.Limit.arguments)
        }
        for (index, value) in values.enumerated() {
            if case .text(let text) = value, text.utf8.contains(0) { throw .argumentHoldsNUL(number: index + 1) }
        }
        self.values = values
    }

    /// To be asked when all texts are read: a value that nothing uses is a mistake of who wrote them.
    /// - Throws: `unusedArguments`.
    public func finish() throws(QueryError) {
        guard used == values.count else { throw .unusedArguments(given: values.count, used: used) }
    }
}
