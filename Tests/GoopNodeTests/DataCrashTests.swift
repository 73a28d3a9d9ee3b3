import Foundation
import GoopCore
import GoopStore
import LibP2P
import Synchronization
import Testing

@testable import GoopNode

/// A peer is killed in the middle of many visitors' writes; whatever was acknowledged is so afterwards: rows that were added are
/// there, as they were last changed, and those that were removed are not.
///
/// Ten rounds, or as many as `GOOP2_KILL_ROUNDS` says.
@Suite(.timeLimit(.minutes(20)), .serialized) struct DataCrashTests {
    let temporary = TemporaryFolder()

    private static var rounds: Int {
        ProcessInfo.processInfo.environment["GOOP2_KILL_ROUNDS"].flatMap { Int($0) } ?? 10
    }

    /// The program, beside the test bundle.
    private static var program: URL? {
        let folder = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        let program = folder.appending(path: "goop2")
        return FileManager.default.isExecutableFile(atPath: program.path()) ? program : nil
    }

    private func start(_ program: URL) throws -> (process: Process, address: Multiaddr) {
        let process = Process()
        process.executableURL = program
        process.arguments = [
            "peer", temporary.path + "/host", "--json", "--local", "--no-viewer", "--no-discovery", "--label", "host",
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        var text = ""
        var id: String?
        var address: String?
        while case let bytes = output.fileHandleForReading.availableData, !bytes.isEmpty {
            text += String(decoding: bytes, as: UTF8.self)
            while let end = text.firstIndex(of: "\n") {
                let line = text[..<end]
                text = String(text[text.index(after: end)...])
                guard let object = try? JSONParser.parse(Array(line.utf8)).object else { continue }
                switch object["event"]?.string {
                case "opened": id = object["id"]?.string
                case "listening":
                    address = object["addresses"]?.array?.compactMap(\.string).first { $0.hasPrefix("/ip4/127.0.0.1/") }
                case "ready":
                    return (process, try Multiaddr(text: "\(try #require(address))/p2p/\(try #require(id))"))
                default: break
                }
            }
        }
        process.terminate()
        throw DataError(code: .unreachable, message: "the peer did not start")
    }

    private func openStore() throws -> DataStore {
        try DataStore.open(
            path: temporary.path + "/host/data.db", configuration: .init(owner: PrivateKey.generate().peerID))
    }

    @Test func whatWasAcknowledgedSurvivesKill() async throws {
        let program = try #require(Self.program, "no goop2 beside the test bundle")
        temporary.write("", to: "host/site/empty.txt")
        let table = try openStore()
        _ = try await table.perform(
            try DataRequest(
                json: [
                    "op": "create-table", "name": "rows", "policy": "open",
                    "column_defs": .array([["name": "mark", "type": "TEXT"]]),
                ]), caller: .owner)
        await table.close()

        var nodes: [Node] = []
        for _ in 0..<8 {
            let node = Node(configuration: .init(identity: .generate(), listen: []))
            try await node.start()
            nodes.append(node)
        }
        var total = 0
        for round in 0..<Self.rounds {
            let (process, address) = try start(program)
            // Whatever throws below: no peer outlives its test.
            defer { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }
            let peer = try #require(address.peerID)
            let acknowledged = Acknowledged()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (number, node) in nodes.enumerated() {
                    try await node.connect(to: peer, addresses: [address.withoutPeerID])
                    for lane in 0..<4 {
                        let client = DataClient(node: node)
                        group.addTask { @Sendable in
                            for count in 0..<100_000 {
                                let mark = "\(round).\(number).\(lane).\(count)"
                                var request = DataRequest(op: .insert, table: "rows")
                                request.data = ["mark": .string(mark)]
                                // The first failure is the kill.
                                guard let made = try? await client.perform(request, of: peer),
                                    let id = made.object?["id"]?.int64
                                else { return }
                                acknowledged.note(id, mark)
                                // Of four rows one is changed, and one removed.
                                guard !count.isMultiple(of: 2) else { continue }
                                let after: String? = count % 4 == 1 ? mark + " again" : nil
                                var change = DataRequest(op: after == nil ? .delete : .update, table: "rows")
                                change.id = id
                                if let after { change.data = ["mark": .string(after)] }
                                acknowledged.allow(id, after)
                                guard (try? await client.perform(change, of: peer)) != nil else { return }
                                acknowledged.note(id, after)
                            }
                        }
                    }
                }
                // Behind an acknowledgement drawn by lot: with 32 writers at work, in the middle of the others' writes.
                await acknowledged.reached(Int.random(in: 20..<200))
                kill(process.processIdentifier, SIGKILL)
                process.waitUntilExit()
                try await group.waitForAll()
            }
            let store = try openStore()
            #expect(try await store.integrityProblems() == [], "round \(round)")
            var query = DataRequest(op: .query, table: "rows")
            query.fields = ["_id", "mark"]
            query.where = "mark LIKE ?"
            query.args = [.string("\(round).%")]
            var found: [Int64: String] = [:]
            for row in try await store.perform(query, caller: .owner).array ?? [] {
                found[row.object?["_id"]?.int64 ?? 0] = row.object?["mark"]?.string
            }
            let wrong = acknowledged.rows.filter { !$0.value.contains(found[$0.key]) }
            #expect(wrong.isEmpty, "round \(round): \(wrong.count) of \(found.count) rows are not as acknowledged")
            total += acknowledged.rows.values.filter { !$0.contains(String?.none) }.count
            await store.close()
        }
        for node in nodes { await node.stop() }
        let store = try openStore()
        let count = try await store.perform(DataRequest(op: .count, table: "rows"), caller: .owner)
        #expect((count.object?["count"]?.int64 ?? 0) >= Int64(total))
        print("killed \(Self.rounds) times; \(total) acknowledged rows, none lost")
        await store.close()
    }
}

/// The rows whose insert was answered, and what may stand in them; nil: the row may be gone.
private final class Acknowledged: Sendable {
    private let state = Mutex<[Int64: Set<String?>]>([:])
    private let noted = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingNewest(1))

    var rows: [Int64: Set<String?>] { state.withLock { $0 } }

    /// What was answered holds.
    func note(_ id: Int64, _ mark: String?) {
        let count = state.withLock { rows in
            rows[id] = [mark]
            return rows.count
        }
        noted.continuation.yield(count)
    }

    /// What was asked for may hold or not until it is answered.
    func allow(_ id: Int64, _ mark: String?) { state.withLock { _ = $0[id, default: []].insert(mark) } }

    /// Waits for so many rows.
    func reached(_ wanted: Int) async {
        for await count in noted.stream where count >= wanted { return }
    }
}
