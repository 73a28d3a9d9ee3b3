import ArgumentParser
import GoopCore
import GoopNode

/// `goop2 data DIR insert TABLE`.
struct InsertCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "insert", abstract: "Add a row.",
        usage: "goop2 data DIR insert TABLE COLUMN=VALUE ... [--row JSON]",
        discussion: """
            EXAMPLES
              goop2 data ./peers/me insert notes "text=hello there" stars=5
              goop2 data ./peers/me insert notes --row '{"text":"hello","stars":5}'
            """)

    @OptionGroup var options: DataOptions
    @Argument(help: "The table.") var table: String
    @OptionGroup var row: RowArguments

    func run() async throws {
        var misfits: [String] = []
        try await options.ask({ session in
            var request = DataRequest(op: .insert, table: table)
            request.data = try await row.data(for: table, session, &misfits)
            return request
        }) { answer in try Console.answer("Row \(answer.object?["id"]?.int64 ?? 0) was added.") }
        for misfit in misfits { Console.note("goop2: note: \(misfit)") }
    }
}

/// `goop2 data DIR update TABLE ID`.
struct UpdateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "update", abstract: "Change a row.",
        usage: "goop2 data DIR update TABLE ID COLUMN=VALUE ... [--row JSON]",
        discussion: """
            EXAMPLES
              goop2 data ./peers/me update notes 1 stars=4
              goop2 data ./peers/me query notes --columns _id,text

            ID is the _id that query shows.
            """)

    @OptionGroup var options: DataOptions
    @Argument(help: "The table.") var table: String
    @Argument(help: "The _id of the row.") var id: Int64
    @OptionGroup var row: RowArguments

    func run() async throws {
        var misfits: [String] = []
        try await options.ask(
            id: id,
            { session in
                var request = DataRequest(op: .update, table: table)
                request.id = id
                request.data = try await row.data(for: table, session, &misfits)
                return request
            }
        ) { _ in try Console.answer("Row \(id) was changed.") }
        for misfit in misfits { Console.note("goop2: note: \(misfit)") }
    }
}

/// `goop2 data DIR delete TABLE ID`.
struct DeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Remove a row.", usage: "goop2 data DIR delete TABLE ID",
        discussion: """
            EXAMPLES
              goop2 data ./peers/me delete notes 1
            """)

    @OptionGroup var options: DataOptions
    @Argument(help: "The table.") var table: String
    @Argument(help: "The _id of the row.") var id: Int64

    func run() async throws {
        var request = DataRequest(op: .delete, table: table)
        request.id = id
        try await options.change(request, "Row \(id) was removed.")
    }
}
