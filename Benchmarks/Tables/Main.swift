import Glibc
import GoopCore
import GoopNode
import GoopStore
import LibP2P
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// Rows of many visitors into one peer's table, and reads of 100 rows: all in this process, over TCP on loopback.
///
/// Usage: bench-tables [full|normal] [visitors] [seconds]
@main
struct TableBenchmark {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        let durabilities = ["full", "normal"].filter(arguments.contains)
        let numbers = arguments.compactMap { Int($0) }
        for durability in durabilities.isEmpty ? ["full", "normal"] : durabilities {
            let host = try await Host(durability: durability)
            try await measureInserts(host, visitors: numbers.first ?? 64, seconds: numbers.dropFirst().first ?? 5)
            try await measureQueries(host)
            await host.stop()
        }
    }

    /// Each visitor is a node of its own that sends its next row when the last was acknowledged.
    static func measureInserts(_ host: Host, visitors: Int, seconds: Int) async throws {
        var nodes: [Node] = []
        for _ in 0..<visitors { nodes.append(try await host.visitor()) }
        let clock = ContinuousClock()
        let start = clock.now
        let end = start + .seconds(seconds)
        let times = try await withThrowingTaskGroup(of: [Duration].self) { group in
            for node in nodes {
                group.addTask {
                    var times: [Duration] = []
                    while clock.now < end {
                        let begun = clock.now
                        var request = DataRequest(op: .insert, table: "guests")
                        request.data = [
                            "name": "A visitor", "text": "What a fine site; greetings from the other room.",
                        ]
                        _ = try await host.ask(request, from: node)
                        times.append(clock.now - begun)
                    }
                    return times
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        let elapsed = clock.now - start
        report("\(host.durability): inserts of \(visitors) visitors", times, elapsed)
        for node in nodes { await node.stop() }
    }

    static func measureQueries(_ host: Host) async throws {
        let node = try await host.visitor()
        let clock = ContinuousClock()
        var times: [Duration] = []
        let start = clock.now
        for count in 0..<2200 {
            var request = DataRequest(op: .query, table: "guests")
            request.order = "_id DESC"
            request.limit = 100
            let begun = clock.now
            let rows = try await host.ask(request, from: node)
            if count >= 200 { times.append(clock.now - begun) }
            precondition(rows.array?.count == 100)
        }
        report("\(host.durability): query of 100 rows, one visitor", times, clock.now - start)
        await node.stop()
    }

    static func report(_ what: String, _ times: [Duration], _ elapsed: Duration) {
        func milliseconds(_ time: Duration) -> Double { time / .microseconds(1) / 1000 }
        let sorted = times.sorted()
        func at(_ share: Double) -> Double {
            (milliseconds(sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]) * 100).rounded() / 100
        }
        let rate = Int(Double(times.count) / (elapsed / .seconds(1)))
        print("\(what): \(rate)/s, p50 \(at(0.5)) ms, p90 \(at(0.9)) ms, p99 \(at(0.99)) ms")
    }
}

/// A whole peer with a guestbook.
final class Host: Sendable {
    let durability: String
    private let path: String
    private let address: Multiaddr
    private let id: PeerID
    private let task: Task<Void, any Error>

    init(durability: String) async throws {
        self.durability = durability
        path = "bench-tables-\(getpid())-\(durability)"
        let folder = PeerFolder(path)
        try PreparedPeer.open(folder, options: .init(createsMissing: true, label: "host")).release()
        var configuration = try GoopConfiguration(
            decoding: AtomicFile.read(folder.configurationFile, limit: 1 << 20))
        configuration.data.durability = durability
        configuration.data.visitorRows = 10_000_000
        configuration.data.visitorMegabytes = 10_000
        configuration.data.totalMegabytes = 100_000
        try AtomicFile.write(configuration.encoded(), to: folder.configurationFile)
        let prepared = try PreparedPeer.open(folder, options: .init(createsMissing: false))
        id = prepared.identity.peerID
        let store = try DataStore.open(path: path + "/data.db", configuration: .init(owner: id))
        _ = try await store.perform(
            try DataRequest(
                json: [
                    "op": "create-table", "name": "guests", "policy": "open",
                    "column_defs": .array([["name": "name", "type": "TEXT"], ["name": "text", "type": "TEXT"]]),
                ]), caller: .owner)
        await store.close()
        let (addresses, found) = AsyncStream.makeStream(of: [Multiaddr].self)
        var options = PeerService.Options()
        options.hasViewer = false
        options.hasDiscovery = false
        options.listen = [Multiaddr(ip: .v4(0x7f00_0001), tcpPort: 0)]
        options.onEvent = { if case .listening(let addresses) = $0 { found.yield(addresses) } }
        let service = PeerService(
            prepared, options: options, logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
        task = Task { try await service.run() }
        var iterator = addresses.makeAsyncIterator()
        guard let address = await iterator.next()?.first else { throw CancellationError() }
        self.address = address
    }

    /// A node that is connected.
    func visitor() async throws -> Node {
        let node = Node(configuration: .init(identity: .generate(), listen: []))
        try await node.start()
        try await node.connect(to: id, addresses: [address])
        return node
    }

    /// One request on a stream of its own, as a peer sends it.
    func ask(_ request: DataRequest, from node: Node) async throws -> JSONValue {
        try await DataClient(node: node).perform(request, of: id)
    }

    func stop() async {
        task.cancel()
        _ = try? await task.value
    }
}
