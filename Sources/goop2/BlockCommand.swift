import ArgumentParser
import GoopCore
import GoopNode

/// `goop2 block DIR PEER`.
struct BlockCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "block",
        abstract: "Have nothing to do with a peer any more.",
        discussion: """
            EXAMPLES
              goop2 block ./peers/me 12D3Koo...
              goop2 block ./peers/me 12D3Koo... --undo
              goop2 block ./peers/me Bob --mute

            A blocked peer is not listed, dialled, let in or given data: at once, and after every restart. A muted one
            stays, at the end of the list, and is never announced.
            """)

    @OptionGroup var directory: FolderArgument

    @Argument(help: "An id, or a name in the running peer's list.")
    var peer: String

    @Flag(help: "Only mute.")
    var mute = false

    @Flag(help: "Neither block nor mute any longer.")
    var undo = false

    @OptionGroup var output: OutputOptions

    func run() async throws {
        let standing: PeerStanding = undo ? .ordinary : mute ? .muted : .blocked
        let answer = try await PeerCommands(folder: directory.folder, logger: output.logger).stand(peer, standing)
        if output.json { return try Console.answer(json: answer) }
        try Console.answer("\(answer.object?["peer"]?.string ?? "") is \(standing.rawValue) now")
    }
}
