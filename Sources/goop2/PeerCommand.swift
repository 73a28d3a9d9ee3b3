import ArgumentParser
import GoopCore
import GoopNode
import Logging
import PeerIdentity
import ServiceLifecycle
import UnixSignals

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// `goop2 peer DIR`.
struct PeerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peer",
        abstract: "Start a peer: serve its site, find neighbours, show them in the browser.",
        discussion: """
            EXAMPLES
              goop2 peer ./peers/me
              goop2 peer ./peers/me --no-viewer
              goop2 peer ./peers/me --local        seen on this machine only
              goop2 peer ./peers/me --contact /ip4/192.168.1.20/tcp/4001/p2p/12D3Koo...

            Creates what is missing in the folder. Ends with Ctrl-C, a TERM signal, or
            with its terminal (unless nohup started it), and says goodbye to the
            neighbours.
            """)

    @OptionGroup var directory: FolderArgument
    @OptionGroup var output: OutputOptions

    @Option(help: "The name that neighbours see; only for a new peer.")
    var label: String?

    @Option(help: "The site of a new peer; goop2 init --help lists them.", transform: StarterName.read)
    var starter = StarterSite.plain

    @Flag(inversion: .prefixedNo, help: "Show the pages for the owner's browser.")
    var viewer = true

    @Flag(inversion: .prefixedNo, help: "Look for neighbours on the local network.")
    var discovery = true

    @Flag(help: "Be seen on this machine only: listen on loopback, send nothing to the network.")
    var local = false

    @Option(help: "An address of a peer to connect to, ending in /p2p/ID; may be repeated.")
    var contact: [String] = []

    /// What asks for an orderly end. A terminal that closes does too, unless `nohup` has said that it shall not.
    private static var endings: [UnixSignal] {
        Interruption.isIgnored(SIGHUP) ? [.sigterm, .sigint] : [.sigterm, .sigint, .sighup]
    }

    func run() async throws {
        let contacts = try contact.map { try PeerService.Options.contact($0) }
        let peer = try PreparedPeer.open(
            directory.folder,
            options: .init(createsMissing: true, label: label, starterSite: starter))
        try await peer.createStarterTables()
        let announcer = StartAnnouncer(isJSON: output.json, isLocal: local, id: peer.identity.peerID)
        announcer.opened(peer)
        var options = PeerService.Options()
        options.version = Goop2.version
        options.hasViewer = viewer
        options.hasDiscovery = discovery
        options.isLocal = local
        options.canRestart = true
        options.contacts = contacts
        options.onEvent = { event in
            if case .ready = event { StartUpPages.release() }
            announcer.happened(event)
        }
        let logger = output.logger
        let service = PeerService(peer, options: options, logger: logger)
        var configuration = ServiceGroupConfiguration(
            services: [service], gracefulShutdownSignals: PeerCommand.endings, logger: Console.logger(level: .error))
        configuration.maximumGracefulShutdownDuration = .seconds(5)
        configuration.maximumCancellationDuration = .seconds(5)
        do {
            try await ServiceGroup(configuration: configuration).run()
        } catch is PeerRestart {
            Console.note("Starting again.")
            throw ProcessRestart.again()
        } catch let error as ServiceGroupError {
            // The service ends by itself only with an error of its own, which was thrown as it is.
            throw Failure(.unavailable, "the peer ended: \(error)", nextStep: "start it again")
        }
    }
}
