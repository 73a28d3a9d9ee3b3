import ArgumentParser
import GoopCore
import GoopNode

/// `goop2 data DIR create TABLE`.
struct CreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a table.",
        usage: "goop2 data DIR create TABLE COLUMN:TYPE ... [--policy POLICY]",
        discussion: """
            Types: text, integer, real, blob, datetime. Policies: owner (only you write), open (everybody adds rows, and
            changes their own), group (nobody but you until there are groups), local.
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
        try await options.change(request, "Table \(table) was made; policy: \(policy).")
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
        try await options.change(request, "Table \(table) was removed.")
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
        try await options.change(request, "Policy of \(table): \(policy).")
    }
}
