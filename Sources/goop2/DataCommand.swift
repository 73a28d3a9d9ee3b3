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
              goop2 data ./peers/me create notes text:text stars:integer --policy open
              goop2 data ./peers/me insert notes "text=hello there" stars=5
              goop2 data ./peers/me query notes --where "stars >= ?" --arg 3 --limit 10

            Each command has examples of its own: goop2 data create --help. You act as the
            owner, whatever the policy. Works while the peer runs, and when it does not.
            Conditions are a part of SQLite's expressions: goop2 data query --help.
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
                nextStep: suggestion.map { "did you mean goop2 data \(TerminalText.shellWord(arguments[1])) \($0)?" }
                    ?? "see the commands: goop2 data --help")
        }
        arranged.swapAt(1, 2)
        return arranged
    }
}
