/// One change of a table, as a subscriber sees it.
public struct DataChange: Sendable, Hashable {
    /// What happened to the row.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case insert, update, delete
    }

    /// The table.
    public var table: String
    /// What happened.
    public var kind: Kind
    /// `_id` of the row.
    public var id: Int64
    /// The row after the change; nil when it was deleted.
    public var row: JSONValue?

    /// About the bytes that the change holds on to: as they lie in memory, which for lists is many times their text.
    package var cost: Int { 64 + (row?.heldBytes ?? 0) }

    /// Makes a change.
    public init(table: String, kind: Kind, id: Int64, row: JSONValue?) {
        self.table = table
        self.kind = kind
        self.id = id
        self.row = row
    }
}
