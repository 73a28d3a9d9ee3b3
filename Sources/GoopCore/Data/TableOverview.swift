/// What the owner sees of a table before looking into it.
public struct TableOverview: Sendable, Hashable {
    /// A column, as its owner thinks of it.
    public struct Column: Sendable, Hashable {
        /// Its name.
        public var name: String
        /// In lower case: a word of the schema where the table has one, else the type in the file.
        public var type: String
        /// A row needs a value.
        public var isRequired: Bool
        /// No two rows have the same value.
        public var isUnique: Bool
        /// Filled in when a new row has no value.
        public var isAutomatic: Bool
        /// The value of a new row that is given none: of JSON, or a piece of SQL in a table without a schema.
        public var defaultValue: JSONValue?
        /// The values that are allowed; empty if all are.
        public var choices: [String]

        /// Makes a column.
        public init(
            name: String, type: String, isRequired: Bool = false, isUnique: Bool = false, isAutomatic: Bool = false,
            defaultValue: JSONValue? = nil, choices: [String] = []
        ) {
            self.name = name
            self.type = type
            self.isRequired = isRequired
            self.isUnique = isUnique
            self.isAutomatic = isAutomatic
            self.defaultValue = defaultValue
            self.choices = choices
        }

        /// For the owner's pages.
        public var json: JSONValue {
            [
                "name": .string(name), "type": .string(type), "required": .bool(isRequired), "unique": .bool(isUnique),
                "auto": .bool(isAutomatic), "default": defaultValue ?? .null,
                "choices": .array(choices.map { .string($0) }), "system": .bool(DataName.isSystemColumn(name)),
            ]
        }
    }

    /// Of the table.
    public var name: String
    /// Whether it has a schema: then each action has a policy word of its own.
    public var hasSchema: Bool
    /// Who may do what.
    public var access: TableAccess
    /// In their order, system columns first.
    public var columns: [Column]
    /// Nil if counting took too long.
    public var rows: Int64?
    /// Of the values, without what the file needs around them; nil if measuring took too long.
    public var bytes: Int64?

    /// Makes an overview.
    public init(
        name: String, hasSchema: Bool, access: TableAccess, columns: [Column], rows: Int64? = nil, bytes: Int64? = nil
    ) {
        self.name = name
        self.hasSchema = hasSchema
        self.access = access
        self.columns = columns
        self.rows = rows
        self.bytes = bytes
    }

    /// For the owner's pages.
    public var json: JSONValue {
        [
            "name": .string(name), "mode": .string(hasSchema ? "orm" : "classic"), "access": access.json,
            "columns": .array(columns.map(\.json)), "rows": rows.map { .integer($0) } ?? .null,
            "bytes": bytes.map { .integer($0) } ?? .null,
        ]
    }
}

/// What visitors have filled of the owner's tables, and what they may.
public struct VisitorOverview: Sendable, Hashable {
    /// Rows and bytes of somebody, or a limit of them.
    public struct Share: Sendable, Hashable {
        /// Rows in all tables together.
        public var rows: Int64
        /// About the bytes that they take.
        public var bytes: Int64

        /// Makes a share.
        public init(rows: Int64, bytes: Int64) {
            self.rows = rows
            self.bytes = bytes
        }

        /// For the owner's pages.
        public var json: JSONValue { ["rows": .integer(rows), "bytes": .integer(bytes)] }
    }

    /// One visitor.
    public struct Visitor: Sendable, Hashable {
        /// The id as it stands in `_owner`.
        public var id: String
        /// What this visitor's rows fill, whoever made them grow.
        public var share: Share
        /// Bytes of it that others added, which do not count against this visitor.
        public var received: Int64
        /// Bytes that this visitor added to rows of others today (UTC).
        public var added: Int64

        /// Makes a visitor.
        public init(id: String, share: Share, received: Int64 = 0, added: Int64 = 0) {
            self.id = id
            self.share = share
            self.received = received
            self.added = added
        }
    }

    /// The most that one visitor may fill.
    public var limit: Share
    /// The most bytes of all visitors together.
    public var totalLimit: Int64
    /// What all have filled.
    public var total: Share
    /// Those who have filled most, in that order; not more than were asked for. Also who has no rows, and added to those of
    /// others today.
    public var visitors: [Visitor]
    /// How many have rows.
    public var count: Int

    /// Makes an overview.
    public init(limit: Share, totalLimit: Int64, total: Share, visitors: [Visitor], count: Int) {
        self.limit = limit
        self.totalLimit = totalLimit
        self.total = total
        self.visitors = visitors
        self.count = count
    }
}
