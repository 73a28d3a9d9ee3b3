import ArgumentParser
import GoopCore
import GoopNode

/// `goop2 site DIR`.
struct SiteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "site",
        abstract: "Say to whom your site is shown.",
        discussion: """
            EXAMPLES
              goop2 site ./peers/me
              goop2 site ./peers/me --only Bob 12D3Koo...
              goop2 site ./peers/me --allow Carol
              goop2 site ./peers/me --revoke Bob
              goop2 site ./peers/me --everyone

            A peer is named by its id, by the link to its site, or by a name that you know
            it by; your own name for somebody wins. Without an option it says to whom the
            site is shown now. A site that is shown to named peers gives nobody else
            anything: no file, no row, no word of a change. Whoever is revoked while
            looking at it sees it go at once. What a visitor has read before cannot be
            taken back.
            """)

    @OptionGroup var directory: FolderArgument

    @Option(parsing: .upToNextOption, help: "Show it to these peers and nobody else.")
    var only: [String] = []

    @Option(parsing: .upToNextOption, help: "Name these peers too.")
    var allow: [String] = []

    @Option(parsing: .upToNextOption, help: "Name these peers no longer.")
    var revoke: [String] = []

    @Flag(help: "Show it to whoever comes.")
    var everyone = false

    @OptionGroup var output: OutputOptions

    func validate() throws {
        let wishes = [!only.isEmpty, !allow.isEmpty, !revoke.isEmpty, everyone].filter(\.self)
        guard wishes.count <= 1 else {
            throw ValidationError("one of --only, --allow, --revoke and --everyone at a time")
        }
    }

    func run() async throws {
        let (action, peers): (String, [String]) =
            if everyone { ("everyone", []) } else if !only.isEmpty { ("only", only) } else if !allow.isEmpty {
                ("allow", allow)
            } else if !revoke.isEmpty { ("revoke", revoke) } else { ("show", []) }
        let answer = try await PeerCommands(folder: directory.folder, logger: output.logger)
            .audience(action, peers: peers)
        if output.json { return try Console.answer(json: answer) }
        let guests = (answer.object?["guests"]?.array ?? []).compactMap(\.object)
        guard answer.object?["audience"]?.string == "named" else {
            try Console.answer("Your site is shown to everyone.")
            if action == "allow" || action == "revoke" {
                Console.note(
                    "  next: to show it to named peers only: goop2 site \(directory.folder.word) --only PEER...")
            }
            return
        }
        try Console.answer(
            guests.isEmpty
                ? "Your site is shown to nobody but you." : "Your site is shown to these, and to nobody else:")
        for guest in guests {
            let name = TerminalText.safe(guest["name"]?.string ?? "", maximumCharacters: 40)
            let isUnseen = guest["unseen"]?.bool == true
            try Console.answer(
                "  \(guest["id"]?.string ?? "")\(name.isEmpty ? "" : "  \(name)")\(isUnseen ? "  not seen yet" : "")")
        }
        if action == "only" || action == "allow", guests.contains(where: { $0["unseen"]?.bool == true }) {
            Console.note(
                "goop2: note: an id has no checksum: compare one that is not seen yet with what you were given")
        }
    }
}
