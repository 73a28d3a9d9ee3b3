import ArgumentParser
import GoopCore
import GoopNode

/// `goop2 data DIR …`.
struct DataCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data",
        abstract: "Look at and change the tables of your site.",
        usage: "goop2 data DIR COMMAND [...]",
        discussion: """
            EXAMPLES
              goop2 data ./peers/me tables
              goop2 data ./peers/me create notes text:text stars:integer --policy open
              goop2 data ./peers/me insert notes "text=hello there" stars=5
              goop2 data ./peers/me query notes --where "stars >= ?" --arg 3 --order "stars DESC" --limit 10
              goop2 data ./peers/me update notes 1 stars=4
              goop2 data ./peers/me policy notes owner
              goop2 data ./peers/me export notes -o notes.csv
              goop2 data ./peers/me import notes notes.csv

            You act as the owner, whatever the policy. Works while the peer runs, and when it does not. Conditions follow
            docs/query-grammar.md.
            """,
        subcommands: [
            TablesCommand.self, DescribeCommand.self, QueryCommand.self, InsertCommand.self, UpdateCommand.self,
            DeleteCommand.self, CreateCommand.self, DropCommand.self, PolicyCommand.self, ImportCommand.self,
            ExportCommand.self,
        ])

    /// The command line with the folder behind the command, as the parser wants it: `data DIR tables` and
    /// `data tables DIR` are the same, `data DIR` lists the tables.
    static func arranged(_ arguments: [String]) throws(Failure) -> [String] {
        let names = configuration.subcommands.map { $0._commandName }
        guard arguments.count >= 2, arguments[0] == configuration.commandName, !arguments[1].hasPrefix("-"),
            arguments[1] != "help", !names.contains(arguments[1])
        else { return arguments }
        var arranged = arguments
        guard arguments.count > 2, !arguments[2].hasPrefix("-") else {
            arranged.insert("tables", at: 1)
            return arranged
        }
        guard names.contains(arguments[2]) else {
            let suggestion = NameSuggestion.nearest(to: arguments[2], among: names)
            throw Failure(
                .usage, "there is no command data \(TerminalText.safe(arguments[2]))",
                nextStep: suggestion.map { "did you mean goop2 data \(arguments[1]) \($0)?" }
                    ?? "see the commands: goop2 data --help")
        }
        arranged.swapAt(1, 2)
        return arranged
    }
}

/// The folder, and how answers look.
struct DataOptions: ParsableArguments {
    @OptionGroup var directory: FolderArgument
    @OptionGroup var output: OutputOptions

    /// Runs a body with the tables open, and closes them whatever happens.
    func withSession(_ body: (DataSession) async throws -> Void) async throws {
        let session = try DataSession(folder: directory.folder, logger: output.logger)
        do {
            try await body(session)
        } catch {
            await session.close()
            throw error
        }
        await session.close()
    }

    /// Performs one operation and says what came of it.
    func perform(_ request: DataRequest, _ text: @escaping (JSONObject) -> String) async throws {
        try await withSession { session in
            let answer = try await session.perform(request)
            if output.json { return try Console.answer(json: answer) }
            try Console.answer(text(answer.object ?? [:]))
        }
    }
}

/// Values of columns, written `column=value`.
struct RowArguments: ParsableArguments {
    @Argument(help: "Values as column=value; or none, with --row.")
    var values: [String] = []

    @Option(help: "The values as a JSON object.")
    var row: String?

    func data(_ columns: TableColumns) throws -> [String: JSONValue] {
        var data: [String: JSONValue] = [:]
        if let row {
            guard let object = (try? JSONParser.parse(Array(row.utf8)))?.object else {
                throw Failure(.usage, "--row takes a JSON object", nextStep: "for example --row '{\"text\":\"hello\"}'")
            }
            for member in object.members { data[member.name] = member.value }
        }
        for value in values {
            guard let equals = value.firstIndex(of: "=") else {
                throw Failure(
                    .usage, "\(TerminalText.safe(value)) is no column=value", nextStep: "for example text=hello")
            }
            let name = String(value[..<equals])
            guard let column = columns.spelling(of: name) else {
                let near = NameSuggestion.nearest(to: name, among: columns.names)
                throw Failure(
                    .usage, "there is no column \(TerminalText.safe(name))",
                    nextStep: near.map { "did you mean \($0)?" } ?? "there are \(columns.names.joined(separator: ", "))"
                )
            }
            data[column] = columns.value(of: String(value[value.index(after: equals)...]), in: column)
        }
        guard !data.isEmpty else { throw Failure(.usage, "no values were given", nextStep: "for example text=hello") }
        return data
    }
}

/// Rows as text for people.
enum RowText {
    /// Columns under their names, each at most 40 characters wide.
    static func lines(_ rows: [JSONObject]) -> [String] {
        var names: [String] = []
        for row in rows { for member in row.members where !names.contains(member.name) { names.append(member.name) } }
        let cells = [names] + rows.map { row in names.map { cell(row[$0] ?? .null) } }
        let widths = names.indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
        return cells.map { row in
            var line = ""
            for (text, width) in zip(row, widths) {
                line += text + String(repeating: " ", count: width - text.count + 2)
            }
            while line.hasSuffix(" ") { line.removeLast() }
            return line
        }
    }

    private static func cell(_ value: JSONValue) -> String {
        switch value {
        case .null: ""
        case .string(let text): TerminalText.safe(text, maximumCharacters: 40)
        default: TerminalText.safe(String(decoding: JSONWriter.compact(value), as: UTF8.self), maximumCharacters: 40)
        }
    }
}

/// `goop2 data DIR tables`.
struct TablesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tables", abstract: "List the tables and who may write to them.",
        usage: "goop2 data DIR tables [--json]")

    @OptionGroup var options: DataOptions

    func run() async throws {
        try await options.withSession { session in
            let answer = try await session.perform(DataRequest(op: .tables))
            if options.output.json { return try Console.answer(json: answer) }
            let tables = (answer.array ?? []).compactMap(\.object)
            guard !tables.isEmpty else {
                return Console.note(
                    "There is no table yet. Make one: goop2 data \(options.directory.dir) create notes text:text")
            }
            let rows = tables.map { table -> JSONObject in
                [
                    "table": table["name"] ?? .null, "policy": table["insert_policy"] ?? .null,
                    "kind": table["mode"] ?? .null,
                ]
            }
            for line in RowText.lines(rows) { try Console.answer(line) }
        }
    }
}

/// `goop2 data DIR describe TABLE`.
struct DescribeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe", abstract: "Show the columns of a table.",
        usage: "goop2 data DIR describe TABLE [--json]")

    @OptionGroup var options: DataOptions
    @Argument(help: "The table.") var table: String

    func run() async throws {
        try await options.withSession { session in
            let answer = try await session.perform(DataRequest(op: .describe, table: table))
            if options.output.json { return try Console.answer(json: answer) }
            let object = answer.object ?? [:]
            let columns = object["columns"]?.array ?? object["schema"]?.object?["columns"]?.array ?? []
            let rows = columns.compactMap(\.object).map { column -> JSONObject in
                [
                    "column": column["name"] ?? .null, "type": column["type"] ?? .null,
                    "default": column["default"] ?? .null,
                ]
            }
            for line in RowText.lines(rows) { try Console.answer(line) }
        }
    }
}

/// `goop2 data DIR query TABLE`.
struct QueryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "query", abstract: "Show rows of a table.",
        usage: "goop2 data DIR query TABLE [--where CONDITION] [--arg VALUE ...] [--order TERMS] [--limit N] [--json]",
        discussion: """
            EXAMPLES
              goop2 data ./peers/me query notes
              goop2 data ./peers/me query notes --where "text LIKE ?" --arg "%hello%" --order "_id DESC"
              goop2 data ./peers/me query notes --columns text,stars --json
            """)

    @OptionGroup var options: DataOptions
    @Argument(help: "The table.") var table: String
    @Option(name: .customLong("where"), help: "A condition, with ? for each --arg.") var condition: String?
    @Option(name: .customLong("arg"), parsing: .unconditionalSingleValue, help: "A value for the next ?.")
    var arguments: [String] = []
    @Option(help: "What to sort by.") var order: String?
    @Option(help: "At most so many rows.") var limit: Int64 = 100
    @Option(help: "After so many rows.") var offset: Int64 = 0
    @Option(help: "Columns, with commas between them.") var columns: String?

    func run() async throws {
        var request = DataRequest(op: .query, table: table)
        request.where = condition
        request.args = arguments.map(TableColumns.value(ofArgument:))
        request.order = order
        request.limit = limit
        request.offset = offset
        request.columns = columns.map { $0.split(separator: ",").map(String.init) } ?? []
        try await options.withSession { session in
            let answer = try await session.perform(request)
            if options.output.json { return try Console.answer(json: answer) }
            let rows = (answer.array ?? []).compactMap(\.object)
            guard !rows.isEmpty else { return Console.note("No rows.") }
            for line in RowText.lines(rows) { try Console.answer(line) }
            if Int64(rows.count) == limit { Console.note("There may be more: --limit, --offset.") }
        }
    }
}

/// `goop2 data DIR insert TABLE`.
struct InsertCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "insert", abstract: "Add a row.",
        usage: "goop2 data DIR insert TABLE COLUMN=VALUE ... [--row JSON]")

    @OptionGroup var options: DataOptions
    @Argument(help: "The table.") var table: String
    @OptionGroup var row: RowArguments

    func run() async throws {
        try await options.withSession { session in
            var request = DataRequest(op: .insert, table: table)
            request.data = try row.data(try await TableColumns(of: table, session))
            let answer = try await session.perform(request)
            if options.output.json { return try Console.answer(json: answer) }
            try Console.answer("Row \(answer.object?["id"]?.int64 ?? 0) was added.")
        }
    }
}

/// `goop2 data DIR update TABLE ID`.
struct UpdateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "update", abstract: "Change a row.",
        usage: "goop2 data DIR update TABLE ID COLUMN=VALUE ... [--row JSON]")

    @OptionGroup var options: DataOptions
    @Argument(help: "The table.") var table: String
    @Argument(help: "The _id of the row.") var id: Int64
    @OptionGroup var row: RowArguments

    func run() async throws {
        try await options.withSession { session in
            var request = DataRequest(op: .update, table: table)
            request.id = id
            request.data = try row.data(try await TableColumns(of: table, session))
            let answer = try await session.perform(request)
            if options.output.json { return try Console.answer(json: answer) }
            try Console.answer("Row \(id) was changed.")
        }
    }
}

/// `goop2 data DIR delete TABLE ID`.
struct DeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Remove a row.", usage: "goop2 data DIR delete TABLE ID")

    @OptionGroup var options: DataOptions
    @Argument(help: "The table.") var table: String
    @Argument(help: "The _id of the row.") var id: Int64

    func run() async throws {
        var request = DataRequest(op: .delete, table: table)
        request.id = id
        try await options.perform(request) { _ in "Row \(id) was removed." }
    }
}

/// `goop2 data DIR create TABLE`.
struct CreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a table.",
        usage: "goop2 data DIR create TABLE COLUMN:TYPE ... [--policy POLICY]",
        discussion: """
            Types: text, integer, real, blob, datetime. Policies: owner (only you write), open (everybody adds rows, and
            changes their own), group, local.
            """)

    @OptionGroup var options: DataOptions
    @Argument(help: "The new table.") var table: String
    @Argument(help: "Columns as name:type.") var columns: [String]
    @Option(help: "Who may write: owner, open, group or local.") var policy = "owner"

    func run() async throws {
        var request = DataRequest(op: .createTable, table: table)
        request.name = table
        request.policy = policy
        request.columnDefs = columns.map { column in
            let parts = column.split(separator: ":", maxSplits: 1).map(String.init)
            return [
                "name": .string(parts.first ?? ""), "type": .string((parts.count > 1 ? parts[1] : "text").uppercased()),
            ]
        }
        try await options.perform(request) { _ in "Table \(table) was made; policy: \(policy)." }
    }
}

/// `goop2 data DIR drop TABLE`.
struct DropCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop", abstract: "Remove a table with all its rows.", usage: "goop2 data DIR drop TABLE --yes")

    @OptionGroup var options: DataOptions
    @Argument(help: "The table.") var table: String
    @Flag(help: "Really: there is no way back but a backup.") var yes = false

    func run() async throws {
        guard yes else {
            throw Failure(
                .usage, "this removes \(TerminalText.safe(table)) and all its rows",
                nextStep: "make a backup (goop2 backup), then add --yes")
        }
        var request = DataRequest(op: .deleteTable, table: table)
        request.name = table
        try await options.perform(request) { _ in "Table \(table) was removed." }
    }
}

/// `goop2 data DIR policy TABLE POLICY`.
struct PolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Say who may write to a table.",
        usage: "goop2 data DIR policy TABLE owner|open|group|local")

    @OptionGroup var options: DataOptions
    @Argument(help: "The table.") var table: String
    @Argument(help: "owner, open, group or local.") var policy: String

    func run() async throws {
        var request = DataRequest(op: .setPolicy, table: table)
        request.name = table
        request.policy = policy
        try await options.perform(request) { _ in "Policy of \(table): \(policy)." }
    }
}
