/// A row of several that a table did not take.
public struct RefusedRow: Sendable, Hashable {
    /// Its place among the rows, from 0.
    public var index: Int
    /// Why, in one line.
    public var reason: String

    /// Makes a record of a refusal.
    public init(index: Int, reason: String) {
        self.index = index
        self.reason = reason
    }

    /// As an object with `index` and `reason`.
    public var json: JSONValue { ["index": .integer(index), "reason": .string(reason)] }

    /// Reads the object; nil if it is none.
    public init?(json: JSONValue) {
        guard let object = json.object, let index = object["index"]?.int64, let reason = object["reason"]?.string,
            let index = Int(exactly: index)
        else { return nil }
        self.init(index: index, reason: reason)
    }
}
