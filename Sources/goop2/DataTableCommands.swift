import ArgumentParser
import GoopCore
import GoopNode

/// `goop2 data DIR create TABLE`.
struct CreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a table.",
        usage: "goop2 data DIR create TABLE COLUMN:TYPE ... [--policy POLICY]",
        discussion: """
            EXAMPLES
              goop2 data ./peers/me create notes text:text stars:integer --policy open
              goop2 data ./peers/me create diary text:text at:datetime --policy local

            Types: text, integer, real, blob, datetime.

            \(PolicyWords.help)
            """)

    @OptionGroup var options: DataOptions
    @Argument(help: "The new table.") var table: String
    @Argument(help: "Columns as name:type.") var columns: [String]
    @Option(help: "Who may do what: owner, open, group or local.") var policy = "owner"

    /// The types that a column may be given; upstream takes any word, and SQLite makes of most of them a number.
    private static let types = ["text", "integer", "real", "blob", "datetime"]

    func validate() throws {
        for column in columns {
            let parts = column.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count > 1, !Self.types.contains(parts[1].lowercased()) else { continue }
            throw ValidationError(
                "\(TerminalText.safe(column)): a column has one of the types \(Self.types.joined(separator: ", "))")
        }
    }

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
        try await options.change(request, "Table \(table) was made. Policy \(PolicyWords.explained(policy)).")
    }
}

/// `goop2 data DIR drop TABLE`.
struct DropCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop", abstract: "Remove a table with all its rows.", usage: "goop2 data DIR drop TABLE --yes",
        discussion: """
            EXAMPLES
              goop2 backup ./peers/me ~/me.tar
              goop2 data ./peers/me drop notes --yes
            """)

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
        commandName: "policy", abstract: "Say who may do what with a table.",
        usage: "goop2 data DIR policy TABLE owner|open|group|local",
        discussion: """
            EXAMPLES
              goop2 data ./peers/me policy guestbook open
              goop2 data ./peers/me policy diary local

            \(PolicyWords.help)

            A table made without rules for each act, as create makes it, has this one word.
            One with rules has a word each for reading, adding, changing and deleting: this
            sets all four as it is said here. Each of its own: the room Data of the viewer.
            """)

    @OptionGroup var options: DataOptions
    @Argument(help: "The table.") var table: String
    @Argument(help: "owner, open, group or local.") var policy: String

    func run() async throws {
        var request = DataRequest(op: .setPolicy, table: table)
        request.name = table
        request.policy = policy
        try await options.change(request, "Policy of \(table): \(PolicyWords.explained(policy)).")
    }
}

/// What the words of `--policy` mean, said everywhere alike.
enum PolicyWords {
    static let help = """
        POLICIES
          owner    everybody reads, only you add
          open     everybody reads and adds, and changes and deletes their own rows
          group    everybody reads, nobody but you adds until there are groups
          local    nobody but you reads or adds
        """

    /// The meaning in a column of a list, at most 40 characters; empty for a word without one.
    /// - Parameter hasRules: the table has a rule for each act, of which this is that for adding.
    static func brief(_ word: String, hasRules: Bool) -> String {
        switch (word, hasRules) {
        case ("owner", false): "everybody reads, only you add"
        case ("open", false), ("public", false): "everybody reads and adds"
        case ("group", false): "everybody reads, groups add (none yet)"
        case ("local", false): "only you"
        case ("owner", true), ("local", true): "a rule for each act; only you add"
        case ("open", true), ("public", true): "a rule for each act; everybody adds"
        case ("group", true): "a rule for each act; groups add"
        default: ""
        }
    }

    /// The word, and its meaning if it has one.
    static func explained(_ word: String) -> String {
        switch word {
        case "owner": "owner: everybody reads, only you add"
        case "open", "public": "open: everybody reads and adds, and changes and deletes their own rows"
        case "group": "group: everybody reads, nobody but you adds until there are groups"
        case "local": "local: nobody but you reads or adds"
        default: TerminalText.safe(word)
        }
    }
}
