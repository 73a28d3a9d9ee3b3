import GoopCore

/// An index on `_owner` of the tables in which rows are looked for among those of one visitor.
///
/// Where visitors see their own rows only, what they ask takes no longer because of rows that they are not shown, and so tells
/// nothing of them. Where they change their own rows only, `upsert` looks for its row among few, on the writer, while everybody
/// else's writes wait.
enum OwnerIndex {
    /// Those that the tables should have.
    static func wanted(by catalogue: Catalogue) -> [WantedIndex] {
        catalogue.sorted.filter(\.access.seeksOwnRows).map {
            WantedIndex(table: $0.name, column: "_owner", name: "_owner_\($0.name)")
        }
    }
}
