import GoopCore

/// A change of one row, and who owns the row.
struct RowChange: Sendable {
    let change: DataChange
    let owner: String
    /// Told only to those who hear of this owner's rows and no others.
    let isForOwnerOnly: Bool
    /// About the bytes that the change holds on to.
    let cost: Int

    init(_ change: DataChange, owner: String, isForOwnerOnly: Bool = false) {
        self.change = change
        self.owner = owner
        self.isForOwnerOnly = isForOwnerOnly
        cost = change.cost
    }
}

/// What a transaction has changed in one table that is watched.
///
/// Held until COMMIT, and no more of it than a subscriber can be behind: of a form that changes 100,000 rows nobody would
/// hear the rest. Past that nothing is held, and whoever watches the table reads it again.
struct TableChanges: Sendable {
    /// In the order in which they were made.
    private(set) var rows: [RowChange] = []
    /// About the bytes of those; one change alone may have more than `ChangeHub.costLimit`.
    private(set) var cost = 0
    /// Whether there were too many.
    private(set) var areLost = false

    /// Adds one, or lets all go.
    mutating func add(_ row: RowChange) {
        guard !areLost else { return }
        guard rows.count < ChangeHub.capacity, rows.isEmpty || cost + row.cost <= ChangeHub.costLimit else {
            rows = []
            cost = 0
            areLost = true
            return
        }
        rows.append(row)
        cost += row.cost
    }
}
