import ArgumentParser
import GoopCore
import GoopNode

/// `goop2 ping DIR PEER`.
struct PingCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ping",
        abstract: "Measure a round trip to a peer.",
        discussion: """
            EXAMPLES
              goop2 ping ./peers/me 12D3Koo...
              goop2 ping ./peers/me /ip4/192.168.1.20/tcp/4001/p2p/12D3Koo...

            Asks the peer that runs on DIR, or else looks for the other one itself.
            """)

    @OptionGroup var directory: FolderArgument

    @Argument(
        help: """
            An id, an address that ends in one, the link to their site, or, while your peer runs, a name: your own for \
            somebody, which wins, or the one they gave themselves.
            """)
    var peer: String

    @OptionGroup var search: SearchOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer = try await directory.naming(peer: peer) {
            try await PeerCommands(folder: directory.folder, logger: output.logger)
                .ping(peer, patience: .seconds(search.timeout))
        }
        if output.json { return try Console.answer(json: answer) }
        let object = answer.object ?? JSONObject()
        var time = ""
        if case .number(let digits) = object["milliseconds"] ?? .null { time = digits }
        let (id, address) = (object["peer"]?.string ?? "", object["address"]?.string ?? "")
        let who = TerminalText.named(object["name"]?.string ?? "", id: id)
        try Console.answer("\(who) answered in \(time) ms (\(address))")
    }
}
