import GoopCore
import LibP2P
import Logging
import Synchronization

@testable import GoopNode

/// A whole peer on loopback in a folder of its own, without multicast.
final class TestPeer: Sendable {
    let folder: PeerFolder
    let id: PeerID
    /// Where it listens, with its id.
    let address: Multiaddr
    /// Its parts.
    let running: RunningPeer
    private let events: EventLog
    private let task: Task<Void, any Error>

    /// Starts a peer, and waits until it is up.
    static func start(
        in temporary: TemporaryFolder, label: String, contacts: [Multiaddr] = [], hasViewer: Bool = false,
        configure: ((inout GoopConfiguration) -> Void)? = nil
    ) async throws -> TestPeer {
        let folder = PeerFolder(temporary.path + "/" + label)
        try PreparedPeer.open(folder, options: .init(createsMissing: true, label: label)).release()
        if let configure {
            let bytes = try AtomicFile.read(folder.configurationFile, limit: 1 << 20)
            var configuration = try GoopConfiguration(decoding: bytes)
            configure(&configuration)
            try AtomicFile.write(configuration.encoded(), to: folder.configurationFile)
        }
        let prepared = try PreparedPeer.open(folder, options: .init(createsMissing: false))
        let log = EventLog()
        var options = PeerService.Options()
        options.hasViewer = hasViewer
        options.hasDiscovery = false
        options.listen = [Multiaddr(ip: .v4(0x7f00_0001), tcpPort: 0)]
        options.contacts = contacts
        let (parts, part) = AsyncStream.makeStream(of: RunningPeer.self)
        options.onParts = { part.yield($0) }
        let (found, start) = AsyncThrowingStream.makeStream(of: [Multiaddr].self)
        options.onEvent = { event in
            log.append(event)
            if case .listening(let addresses) = event { start.yield(addresses) }
            if event == .ready { start.finish() }
        }
        let service = PeerService(
            prepared, options: options, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let task = Task {
            do {
                try await service.run()
                start.finish()
            } catch {
                start.finish(throwing: error)
                throw error
            }
        }
        var addresses: [Multiaddr] = []
        for try await listening in found { addresses = listening }
        guard let running = await parts.first(where: { _ in true }) else { throw CancellationError() }
        return TestPeer(
            folder: folder, id: prepared.identity.peerID,
            address: (addresses.first ?? Multiaddr(ip: .v4(0), tcpPort: 0))
                .appending(prepared.identity.peerID), running: running, events: log, task: task)
    }

    private init(
        folder: PeerFolder, id: PeerID, address: Multiaddr, running: RunningPeer, events: EventLog,
        task: Task<Void, any Error>
    ) {
        self.folder = folder
        self.id = id
        self.address = address
        self.running = running
        self.events = events
        self.task = task
    }

    /// The address of its viewer, if it has one.
    func viewer() async -> String {
        await events.first { if case .viewer(let url) = $0 { url } else { nil } }
    }

    /// Waits until the list shows a peer in a state.
    func sees(_ peer: PeerID, _ condition: @escaping @Sendable (PeerEntry) -> Bool) async -> PeerEntry {
        await events.first { event in
            if case .changed(.updated(let entry)) = event, entry.id == peer, condition(entry) { entry } else { nil }
        }
    }

    /// The same, of what is told from the event with a number on.
    func sees(_ peer: PeerID, after count: Int, _ condition: @escaping @Sendable (PeerEntry) -> Bool) async -> PeerEntry
    {
        await events.first(after: count) { event in
            if case .changed(.updated(let entry)) = event, entry.id == peer, condition(entry) { entry } else { nil }
        }
    }

    /// Waits until it tells something.
    func tells<Value: Sendable>(_ pick: @escaping @Sendable (PeerService.Event) -> Value?) async -> Value {
        await events.first(pick)
    }

    /// How many events there were.
    var eventCount: Int { events.count }

    /// Waits until it ends by itself.
    func ended() async throws { try await task.value }

    /// The port of its viewer.
    func viewerPort() async -> Int {
        await events.first { event in
            guard case .viewer(let url) = event else { return nil }
            return url.split(separator: ":").last.flatMap { Int($0.prefix { $0 != "/" }) }
        }
    }

    /// Stops it as Ctrl-C does.
    func stop() async throws {
        task.cancel()
        try await task.value
    }

    /// A node that listens nowhere, connected to it, and what asks it for data.
    func visitor() async throws -> (node: Node, data: DataClient) {
        let node = Node(configuration: .init(identity: .generate(), listen: []))
        try await node.start()
        try await node.connect(to: id, addresses: [address.withoutPeerID])
        return (node, DataClient(node: node))
    }

    /// Its commands, over the control socket.
    var commands: PeerCommands {
        PeerCommands(folder: folder, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }
}

/// Everything that a peer told, for tests that wait for some of it.
final class EventLog: Sendable {
    private struct State {
        var events: [PeerService.Event] = []
        var waiters: [@Sendable (PeerService.Event) -> Bool] = []
    }

    private let state = Mutex(State())

    func append(_ event: PeerService.Event) {
        state.withLock { state in
            state.events.append(event)
            state.waiters.removeAll { $0(event) }
        }
    }

    var count: Int { state.withLock { $0.events.count } }

    /// The first event, past or future, that gives a value.
    func first<Value: Sendable>(after count: Int = 0, _ pick: @escaping @Sendable (PeerService.Event) -> Value?) async
        -> Value
    {
        await withCheckedContinuation { continuation in
            state.withLock { state in
                if let value = state.events.dropFirst(count).lazy.compactMap(pick).first {
                    return continuation.resume(returning: value)
                }
                state.waiters.append { event in
                    guard let value = pick(event) else { return false }
                    continuation.resume(returning: value)
                    return true
                }
            }
        }
    }
}

/// The failure of a command that must fail; nil if it does not.
func failure(_ body: () async throws -> some Any) async -> Failure? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? Failure
    }
}

extension DataRequest {
    /// A request that is written as JSON.
    static func parse(_ text: String) throws -> DataRequest {
        try DataRequest(json: JSONParser.parse(Array(text.utf8)))
    }
}
