import ArgumentParser
import GoopCore
import GoopNode
import NIOCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// `goop2 get DIR PEER PATH`.
struct GetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Fetch a file of a peer's site.",
        discussion: """
            EXAMPLES
              goop2 get ./peers/me Ada /index.html
              goop2 get ./peers/me 12D3Koo... /pictures/cat.jpg -o cat.jpg

            Writes to standard output unless -o names a file; to a terminal without control
            codes, which could steer it. Asks the peer that runs on DIR, or else looks for
            the other one itself.
            """)

    @OptionGroup var directory: FolderArgument

    @Argument(
        help: """
            An id, an address that ends in one, the link to their site, or, while your peer runs, a name: your own for \
            somebody, which wins, or the one they gave themselves.
            """)
    var peer: String

    @Argument(help: "The path in the site; a folder gives its index.html.")
    var path = "/"

    @Option(name: [.short, .long], help: "The file to write; replaced if it exists.", completion: .file())
    var output: String?

    @OptionGroup var search: SearchOptions
    @OptionGroup var common: OutputOptions

    func validate() throws {
        if common.json, output == nil { throw ValidationError("--json needs -o FILE, so that the two do not mix") }
    }

    func run() async throws { try await directory.naming(peer: peer, fetch) }

    private func fetch() async throws {
        let commands = PeerCommands(folder: directory.folder, logger: common.logger)
        let patience = Duration.seconds(search.timeout)
        guard let output else {
            // A terminal would do what a stranger's file tells it.
            let isTerminal = isatty(STDOUT_FILENO) != 0
            let terminal = Mutex(TerminalBytes())
            _ = try await commands.get(peer, path: path, patience: patience) { chunk in
                let bytes = Array(chunk.readableBytesView)
                let shown = isTerminal ? terminal.withLock { $0.safe(bytes) } : bytes
                try Console.write(shown, to: STDOUT_FILENO)
            }
            return
        }
        let file = try DownloadFile(path: output)
        let answer = try await commands.get(peer, path: path, patience: patience) { chunk in
            try file.append(Array(chunk.readableBytesView))
        }
        try file.finish()
        if common.json { try Console.answer(json: answer) }
    }
}
