import GoopCore

/// A table that a starter site uses: its columns, who may do what, and its first row.
struct StarterTable: Sendable, Hashable {
    let name: String
    /// Definitions of upstream's form. Source: peer wire reference, section 6.
    let columns: [JSONValue]
    /// Who may do what. `owner`: whoever added a row may change and delete it; the owner of the site may do everything.
    let access: JSONValue
    /// A row of the owner, so that a new site is not empty; empty for none.
    let firstRow: [String: JSONValue]

    private init(
        _ name: String, columns: [JSONValue], insert: JSONValue, firstRow: [String: JSONValue] = [:]
    ) {
        self.name = name
        self.columns = columns
        access = ["read": "open", "insert": insert, "update": "owner", "delete": "owner"]
        self.firstRow = firstRow
    }

    var columnNames: [String] { columns.compactMap { $0.object?["name"]?.string } }

    /// What makes the table.
    var creation: DataRequest {
        var request = DataRequest(op: .createTable)
        request.name = name
        request.columnDefs = columns
        request.access = access
        return request
    }

    /// What adds the first row; nil if there is none.
    var firstRowInsertion: DataRequest? {
        guard !firstRow.isEmpty else { return nil }
        var row = DataRequest(op: .insert, table: name)
        row.data = firstRow
        return row
    }

    private static func text(_ name: String) -> JSONValue {
        ["name": .string(name), "type": "text", "required": true]
    }

    /// Everybody may add an entry.
    static let guestbook = StarterTable("guestbook", columns: [text("name"), text("message")], insert: "open")

    /// Everybody may vote; the page counts the newest vote of each visitor.
    static let votes = StarterTable("votes", columns: [text("choice")], insert: "open")

    /// Only the owner writes.
    static let posts = StarterTable(
        "posts", columns: [text("slug"), text("title"), text("body")], insert: "owner",
        firstRow: [
            "slug": "hello", "title": "Hello",
            "body": .string(
                """
                This is the first post. It is a row of the table “posts” in the database on this machine; the pages that \
                show it are files in the folder “site”.

                When the owner opens this blog in their own viewer, there is a form to write the next one. Whoever has \
                the page open sees it without reloading.
                """),
        ])
}
