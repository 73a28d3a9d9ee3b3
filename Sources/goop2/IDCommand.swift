import ArgumentParser
import GoopCore
import GoopNode

/// `goop2 id DIR`.
struct IDCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "id",
        abstract: "Print the id of a folder's peer.",
        discussion: """
            EXAMPLES
              goop2 id ./peers/me
              goop2 id ./peers/me --json
            """)

    @OptionGroup var directory: FolderArgument
    @OptionGroup var output: OutputOptions

    func run() throws {
        let identity = try PeerCommands(folder: directory.folder, logger: output.logger).identity()
        if output.json { return try Console.answer(json: identity) }
        try Console.answer(identity.object?["id"]?.string ?? "")
    }
}
