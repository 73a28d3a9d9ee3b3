import ArgumentParser
import GoopCore
import GoopNode

/// `goop2 data DIR tables`.
struct TablesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tables", abstract: "List the tables and who may do what with them.",
        usage: "goop2 data DIR tables [--json]",
        discussion: """
            EXAMPLES
              goop2 data ./peers/me
              goop2 data ./peers/me tables --json

            A table made in the room Data of the viewer has a rule for each of reading,
            adding, changing and deleting; the policy listed here is that for adding.
            """)

    @OptionGroup var options: DataOptions

    func run() async throws {
        try await options.ask({ _ in DataRequest(op: .tables) }) { answer in
            let tables = (answer.array ?? []).compactMap(\.object)
            guard !tables.isEmpty else {
                return Console.note(
                    "There is no table yet. Make one: goop2 data \(options.directory.folder.word) create notes text:text"
                )
            }
            try RowText.show(
                tables.map { table in
                    [
                        "table": table["name"] ?? .null, "policy": table["insert_policy"] ?? .null,
                        "who may do what": .string(
                            PolicyWords.brief(
                                table["insert_policy"]?.string ?? "", hasRules: table["mode"]?.string == "orm")),
                    ]
                })
        }
    }
}

/// `goop2 data DIR describe TABLE`.
struct DescribeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe", abstract: "Show the columns of a table.",
        usage: "goop2 data DIR describe TABLE [--json]",
        discussion: """
            EXAMPLES
              goop2 data ./peers/me describe notes
            """)

    @OptionGroup var options: DataOptions
    @Argument(help: "The table.") var table: String

    func run() async throws {
        try await options.ask({ _ in DataRequest(op: .describe, table: table) }) { answer in
            let object = answer.object ?? [:]
            let columns = object["columns"]?.array ?? object["schema"]?.object?["columns"]?.array ?? []
            try RowText.show(
                columns.compactMap(\.object).map { column in
                    [
                        "column": column["name"] ?? .null, "type": column["type"] ?? .null,
                        "default": column["default"] ?? .null,
                    ]
                })
        }
    }
}

/// `goop2 data DIR query TABLE`.
struct QueryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "query", abstract: "Show rows of a table.",
        usage: """
            goop2 data DIR query TABLE [--where CONDITION] [--arg VALUE] ... [--order TERMS]
                [--columns NAMES] [--limit N] [--offset N] [--json]
            """,
        discussion: """
            EXAMPLES
              goop2 data ./peers/me query notes
              goop2 data ./peers/me query notes --where "stars > ?" --arg 3 --limit 20
              goop2 data ./peers/me query notes --columns text,stars --json

            A condition compares columns and values (= != < <= > >= LIKE IN BETWEEN
            IS NULL), joined by AND, OR and NOT, and may call functions such as
            length(text). What else there is: docs/query-grammar.md in the source of this
            program.
            """)

    @OptionGroup var options: DataOptions
    @Argument(help: "The table.") var table: String
    @Option(name: .customLong("where"), help: "A condition, with ? for each --arg.") var condition: String?
    @Option(name: .customLong("arg"), parsing: .unconditionalSingleValue, help: "A value for the next ?.")
    var arguments: [String] = []
    @Option(help: "What to sort by.") var order: String?
    @Option(help: "Show at most this many rows.") var limit: Int64 = 100
    @Option(help: "Leave out this many rows at the beginning.") var offset: Int64 = 0
    @Option(help: "Columns, with commas or blanks between them.") var columns: String?

    func validate() throws {
        if limit < 1 { throw ValidationError("--limit takes 1 or more, not \(limit)") }
    }

    func run() async throws {
        var request = DataRequest(op: .query, table: table)
        request.where = condition
        request.args = arguments.map(TableColumns.value(ofArgument:))
        request.order = order
        request.limit = limit
        request.offset = offset
        request.columns = columns.map { $0.split(whereSeparator: { $0 == "," || $0 == " " }).map(String.init) } ?? []
        try await options.ask({ [request] _ in request }) { answer in
            let rows = (answer.array ?? []).compactMap(\.object)
            guard !rows.isEmpty else { return Console.note("No rows.") }
            try RowText.show(rows)
            if Int64(rows.count) == limit { Console.note("There may be more: --limit, --offset.") }
        }
    }
}
