import ArgumentParser
import GoopCore
import GoopNode

/// `goop2 peers DIR`.
struct PeersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peers",
        abstract: "List the neighbours that the running peer knows.",
        discussion: """
            EXAMPLES
              goop2 peers ./peers/me
              goop2 peers ./peers/me --json

            State: online, arriving (heard of, being asked), unreachable (heard of, but no
            answer), offline. Path: loopback, lan, internet, relay, none. Then the name,
            yours for the peer if you gave it one, and the id; what it calls itself stands
            behind the id then.

            In JSON, last_seen and offline_since are milliseconds since the beginning of
            1970 in UTC.
            """)

    @OptionGroup var directory: FolderArgument
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let peers = try await PeerCommands(folder: directory.folder, logger: output.logger).peers()
        if output.json { return try Console.answer(json: peers) }
        let rows = (peers.array ?? []).compactMap(\.object)
        guard !rows.isEmpty else { return Console.note("Nobody is around yet.") }
        for row in rows {
            func text(_ key: String) -> String { row[key]?.string ?? "" }
            func padded(_ text: String, _ width: Int) -> String {
                text + String(repeating: " ", count: max(0, width - text.count))
            }
            let named = TerminalText.named(petname: text("petname"), label: text("label"))
            let name = padded(named.name, TerminalText.maximumName + 1)
            try Console.answer(
                "\(padded(text("state"), 12)) \(padded(text("path"), 9)) \(name) \(text("id"))\(named.addition)")
        }
    }
}
