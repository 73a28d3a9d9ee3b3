import ArgumentParser
import GoopCore
import GoopNode
import PeerIdentity

/// `goop2 init DIR`.
struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Create a peer's folder without starting it.",
        discussion: """
            EXAMPLES
              goop2 init ./peers/me
              goop2 init ./peers/me --label Ada
              goop2 init ./peers/party --starter guestbook

            STARTERS
            \(StarterName.list)

            Creates settings, identity and a starter site where they are missing, and
            changes nothing else.
            """)

    @OptionGroup var directory: FolderArgument
    @OptionGroup var output: OutputOptions

    @Option(help: "The name that neighbours see; default: the folder's name.")
    var label: String?

    @Option(help: "The site of a new peer, one of the starters.", transform: StarterName.read)
    var starter = StarterSite.plain

    func run() async throws {
        let peer = try PreparedPeer.open(
            directory.folder, options: .init(createsMissing: true, label: label, starterSite: starter))
        defer { peer.release() }
        try await peer.createStarterTables()
        for note in peer.notes { Console.note("goop2: note: \(TerminalText.safe(note, maximumCharacters: 600))") }
        if output.json {
            return try Console.answer(json: [
                "id": .string(peer.identity.peerID.base58), "label": .string(peer.configuration.profile.label),
                "folder": .string(peer.folder.path), "created": .array(peer.created.map { .string($0) }),
            ])
        }
        try Console.answer(
            StartAnnouncer.creation(of: peer, isLocal: false) ?? "Nothing to create: \(peer.folder.path) is complete.")
        try Console.answer("Start it: goop2 peer \(peer.folder.word)")
    }
}
