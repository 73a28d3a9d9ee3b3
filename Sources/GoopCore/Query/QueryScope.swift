/// The names that a query may use: the columns of its one table, and nothing else.
///
/// Names are compared as SQLite compares them, byte by byte with the letters A to Z folded: letters that only look alike, or
/// are composed differently, are different names.
public struct QueryScope: Sendable {
    /// The columns as the table spells them; names that cannot be in SQL text (empty, or with NUL) are left out.
    public let columns: [String]
    /// Those that hold times, in the same spelling: what they are compared with is brought into their form.
    let times: Set<String>
    private let indexes: [[UInt8]: Int]

    /// Makes a scope of the columns that exist, system columns included.
    ///
    /// - Parameter times: those that hold times (DATETIME).
    public init(columns: [String], times: Set<String> = []) {
        self.columns = columns.filter { !$0.isEmpty && !$0.utf8.contains(0) }
        self.times = times
        indexes = Dictionary(
            self.columns.enumerated().map { (QueryScope.folded($0.element), $0.offset) },
            uniquingKeysWith: { first, _ in first })
    }

    /// The column of that name, in the table's spelling.
    public func column(_ name: String) -> String? {
        indexes[QueryScope.folded(name)].map { columns[$0] }
    }

    /// Whether older files can hold times of the column in another form than today's. SQLite itself writes those of the system
    /// columns, which always had that form; by them most pages sort.
    func mixesTimes(_ column: String) -> Bool { times.contains(column) && !DataName.isSystemColumn(column) }

    /// A column whose name is close to one that does not exist.
    func suggestion(for name: String) -> String? {
        NameSuggestion.nearest(to: String(name.prefix(64)), among: columns.prefix(256))
    }

    /// A name as it is compared: its bytes, with A to Z in lower case.
    package static func folded(_ name: String) -> [UInt8] {
        name.utf8.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }
    }
}
