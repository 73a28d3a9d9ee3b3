import Foundation
import GoopCore
import GoopHTTP
import GoopStore
import LibP2P
import Logging
import NIOPosix
import Testing

@testable import GoopNode

/// A database that another program holds, or that is damaged: a clear word, nothing overwritten, and everything else runs.
@Suite(.timeLimit(.minutes(1))) struct BadDatabaseTests {
    let temporary = TemporaryFolder()

    private func makeTable() async throws {
        try PreparedPeer.open(PeerFolder(temporary.path + "/host"), options: .init(createsMissing: true, label: "host"))
            .release()
        let store = try DataStore.open(
            path: temporary.path + "/host/data.db", configuration: .init(owner: PrivateKey.generate().peerID))
        for text in [
            #"{"op":"create-table","name":"rows","policy":"open","column_defs":[{"name":"mark","type":"TEXT"}]}"#,
            #"{"op":"insert","table":"rows","data":{"mark":"first"}}"#,
        ] { _ = try await store.perform(try DataRequest.parse(text), caller: .owner) }
        await store.close()
    }

    private let insert = #"{"op":"insert","table":"rows","data":{"mark":"second"}}"#
    private let read = #"{"op":"pluck","table":"rows","column":"mark"}"#

    @Test func whatAnotherProgramHoldsIsToldAndWorksAfterwards() async throws {
        try await makeTable()
        let host = try await TestPeer.start(in: temporary, label: "host")
        let (node, client) = try await host.visitor()
        let holder = try await Holder.start(temporary.path + "/host/data.db", locking: "BEGIN EXCLUSIVE")
        let error = await #expect(throws: DataError.self) {
            _ = try await client.perform(try DataRequest.parse(insert), of: host.id)
        }
        #expect(error?.code == .locked && error?.code.httpStatus == 503, "\(String(describing: error))")
        #expect(error?.detail == "another program holds the owner's database; try again")
        #expect(try await client.perform(try DataRequest.parse(read), of: host.id) == .array(["first"]), "reads go on")
        await holder.letGo()
        _ = try await client.perform(try DataRequest.parse(insert), of: host.id)
        #expect(try await client.perform(try DataRequest.parse(read), of: host.id) == .array(["first", "second"]))
        await node.stop()
        try await host.stop()
    }

    @Test func whatIsHeldAtTheStartIsOpenedLater() async throws {
        try await makeTable()
        let holder = try await Holder.start(
            temporary.path + "/host/data.db", locking: "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE")
        let host = try await TestPeer.start(in: temporary, label: "host")
        let (node, client) = try await host.visitor()
        let error = await #expect(throws: DataError.self) {
            _ = try await client.perform(try DataRequest.parse(read), of: host.id)
        }
        #expect(error?.code == .locked, "\(String(describing: error))")
        #expect(try await SiteClient.patient(node).open(SiteQuery("/"), of: host.id).head.status == .whole)
        await holder.letGo()
        _ = try await client.perform(try DataRequest.parse(insert), of: host.id)
        #expect(try await client.perform(try DataRequest.parse(read), of: host.id) == .array(["first", "second"]))
        await node.stop()
        try await host.stop()
    }

    /// Damage of different kinds; none is ever written over, and whoever mends it need not restart the peer.
    @Test(arguments: [
        ("garbage", DataErrorCode.corrupt), ("half", .corrupt), ("page", .corrupt), ("folder", .internalFailure),
        ("pipe", .full), ("loop", .internalFailure), ("nowhere", .internalFailure),
    ])
    func damageIsToldAndNothingElseStops(kind: String, code: DataErrorCode) async throws {
        try await makeTable()
        let path = temporary.path + "/host/data.db"
        let whole = try Data(contentsOf: URL(filePath: path))
        var damaged: Data?
        switch kind {
        case "garbage": damaged = Data(repeating: 0x42, count: whole.count)
        case "half": damaged = Data(whole.prefix(whole.count / 2 - 100))
        // Every page but the first: SQLite knows the file, and fails later.
        case "page": damaged = whole.prefix(4096) + Data(repeating: 0xA5, count: whole.count - 4096)
        default: try FileManager.default.removeItem(atPath: path)
        }
        switch kind {
        case "folder": mkdir(path, 0o700)
        case "pipe": mkfifo(path, 0o600)
        case "loop": symlink("data.db", path)
        // As when the disk that the link leads to is not mounted: an empty database there would look like a loss.
        case "nowhere": symlink("elsewhere.db", path)
        default: try damaged?.write(to: URL(filePath: path))
        }
        let host = try await TestPeer.start(in: temporary, label: "host")
        let (node, client) = try await host.visitor()
        for text in [read, insert] {
            let error = await #expect(throws: DataError.self, "\(kind)") {
                _ = try await client.perform(try DataRequest.parse(text), of: host.id)
            }
            #expect(error?.code == code, "\(kind): \(String(describing: error))")
            #expect(error?.detail.contains("SQLite") == false && error?.detail.contains("/") == false, "\(kind)")
        }
        #expect(try await SiteClient.patient(node).open(SiteQuery("/"), of: host.id).head.status == .whole)
        let owner = await #expect(throws: Failure.self) {
            let session = try DataSession(folder: host.folder, logger: Logger(label: "test"))
            _ = try await session.perform(try DataRequest.parse(read))
        }
        #expect(
            owner?.nextStep.contains(code == .corrupt ? "goop2 restore" : "see that the database") == true, "\(kind)")
        if let damaged { #expect(try Data(contentsOf: URL(filePath: path)) == damaged, "\(kind) is not written over") }
        #expect(!temporary.names(in: "host").contains("elsewhere.db"))

        let repaired = temporary.path + "/repaired.db"
        try whole.write(to: URL(filePath: repaired))
        if kind == "folder" { rmdir(path) }
        rename(repaired, path)
        #expect(try await client.perform(try DataRequest.parse(read), of: host.id) == .array(["first"]), "\(kind)")
        await node.stop()
        try await host.stop()
    }

    /// Damage behind the first pages shows when the rows are read: to commands and to the start alike.
    @Test func peersThatCannotBeReadStopTheStartAndCommandsWithANextStep() async throws {
        let folder = PeerFolder(temporary.path + "/host")
        try PreparedPeer.open(folder, options: .init(createsMissing: true, label: "host")).release()
        let store = try folder.openPeerStore()
        try await store.save((0..<500).map { _ in KnownPeer(id: PrivateKey.generate().peerID, standing: .blocked) })
        try store.close()
        let file = URL(filePath: folder.peersDatabase)
        let whole = try Data(contentsOf: file)
        // The head of the file, and the first pages of two tables and of their indexes, are whole; the rows are behind them.
        let head = 5 * 4096
        try #require(whole.count > 2 * head)
        let damaged = whole.prefix(head) + Data(repeating: 0xA5, count: whole.count - head)
        try damaged.write(to: file)
        try folder.openPeerStore().close()
        let commands = PeerCommands(folder: folder, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let stranger = PrivateKey.generate().peerID.base58
        for told in [
            await failure { try await commands.decisions() },
            await failure { try await commands.stand(stranger, .blocked) },
            await failure { try await TestPeer.start(in: temporary, label: "host") },
        ] {
            #expect(told?.kind == .data)
            #expect(told?.cause.hasPrefix("\(folder.peersDatabase) cannot be read: ") == true)
            #expect(told?.nextStep.hasPrefix("put a backup of it there; or move it away") == true)
        }
        #expect(try Data(contentsOf: file) == damaged, "it is not written over")
    }
}

/// Another program with a lock on a database, until it is told to let go.
private final class Holder: Sendable {
    private let process: Process
    private let input: Pipe

    private init(_ process: Process, _ input: Pipe) { (self.process, self.input) = (process, input) }

    /// Returns when the lock is held.
    static func start(_ path: String, locking statements: String) async throws -> Holder {
        let (process, input, output) = (Process(), Pipe(), Pipe())
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "python3", "-c",
            """
            import sqlite3, sys
            database = sqlite3.connect(sys.argv[1], isolation_level=None)
            for statement in sys.argv[2].split(";"): database.execute(statement)
            print("held", flush=True)
            sys.stdin.read()
            """, path, statements,
        ]
        process.standardInput = input
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let holder = Holder(process, input)
        // Blocking calls stay off the threads of tasks. A line may come in pieces; an empty piece is the end.
        let answer = try await NIOThreadPool.singleton.runIfActive {
            var answer = ""
            while !answer.hasSuffix("\n") {
                let piece = output.fileHandleForReading.availableData
                if piece.isEmpty { break }
                answer += String(decoding: piece, as: UTF8.self)
            }
            return answer
        }
        try #require(answer == "held\n")
        return holder
    }

    /// Its end comes with the end of its input.
    deinit { try? input.fileHandleForWriting.close() }

    /// Returns when the lock is free.
    func letGo() async {
        try? input.fileHandleForWriting.close()
        try? await NIOThreadPool.singleton.runIfActive { [process] in process.waitUntilExit() }
    }
}
