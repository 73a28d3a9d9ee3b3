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
              goop2 block ./peers/me               who is blocked or muted
              goop2 block ./peers/me 12D3Koo...
              goop2 block ./peers/me 12D3Koo... --undo
              goop2 block ./peers/me Bob --mute

            A blocked peer is not listed, dialled, let in or given data: at once, and
            after every restart. A muted one stays, at the end of the list, and is never
            announced.
            """)

    @OptionGroup var directory: FolderArgument

    @Argument(
        help: """
            An id, the link to their site, or the name of somebody who is known; without it, who is blocked or muted is \
            listed.
            """)
    var peer: String?

    @Flag(help: "Only mute.")
    var mute = false

    @Flag(help: "Neither block nor mute any longer.")
    var undo = false

    @OptionGroup var output: OutputOptions

    func validate() throws {
        if peer == nil, mute || undo { throw ValidationError("--mute and --undo need a PEER") }
    }

    func run() async throws {
        let commands = PeerCommands(folder: directory.folder, logger: output.logger)
        guard let peer else { return try list(try await commands.decisions()) }
        let standing: PeerStanding = undo ? .ordinary : mute ? .muted : .blocked
        let answer = try await commands.stand(peer, standing)
        if output.json { return try Console.answer(json: answer) }
        let words =
            switch standing {
            case .ordinary: "neither blocked nor muted"
            case .muted: "muted"
            case .blocked: "blocked"
            }
        let who = TerminalText.named(answer.object?["name"]?.string ?? "", id: answer.object?["peer"]?.string ?? "")
        try Console.answer("\(who) is \(words) now")
        if standing != .ordinary, answer.object?["unseen"]?.bool == true {
            Console.note(
                "goop2: note: nobody with this id has been seen yet, and an id has no checksum: compare it with what you were "
                    + "given")
        }
    }

    private func list(_ decisions: JSONValue) throws {
        if output.json { return try Console.answer(json: decisions) }
        let rows = (decisions.array ?? []).compactMap(\.object)
        guard !rows.isEmpty else { return Console.note("Nobody is blocked or muted.") }
        for row in rows {
            func text(_ key: String) -> String { row[key]?.string ?? "" }
            let named = TerminalText.named(petname: text("petname"), label: text("label"))
            let gap = String(repeating: " ", count: max(1, TerminalText.maximumName + 2 - named.name.count))
            let standing = text("standing") == "muted" ? "muted  " : "blocked"
            try Console.answer("\(standing) \(named.name)\(gap)\(text("peer"))\(named.addition)")
        }
    }
}
