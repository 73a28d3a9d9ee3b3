import Foundation
import GoopCore
import GoopHTTP
import LibP2P
import Logging
import Testing

@testable import GoopNode
@testable import GoopStore

/// A disk that is full or read-only under a running peer: visitors are told, and nothing that was acknowledged is lost.
@Suite(.timeLimit(.minutes(1)), .serialized, .enabled(if: SmallDisk.isPossible, "needs root, to mount a small disk"))
struct BadDiskTests {
    let temporary = TemporaryFolder()

    private static let createTable = """
        {"op":"create-table","name":"rows","column_defs":[{"name":"mark","type":"TEXT"},{"name":"pad","type":"TEXT"}],
         "policy":"open"}
        """

    private func makeTable(in folder: String) async throws {
        try PreparedPeer.open(PeerFolder(folder), options: .init(createsMissing: true, label: "host")).release()
        let store = try DataStore.open(
            path: folder + "/data.db", configuration: .init(owner: PrivateKey.generate().peerID))
        _ = try await store.perform(try DataRequest.parse(Self.createTable), caller: .owner)
        await store.close()
    }

    private static func insert(_ mark: String, padding: Int = 3000) -> DataRequest {
        var request = DataRequest(op: .insert, table: "rows")
        request.data = ["mark": .string(mark), "pad": .string(String(repeating: "x", count: padding))]
        return request
    }

    private func marks(_ client: DataClient, of peer: PeerID) async throws -> [String] {
        let value = try await client.perform(
            try DataRequest.parse(#"{"op":"pluck","table":"rows","column":"mark","limit":5000,"order":"_id"}"#),
            of: peer)
        return value.array?.compactMap(\.string) ?? []
    }

    @Test func whatIsOnAFullDiskCanBeSavedToAnother() async throws {
        let disk = try SmallDisk(in: temporary, name: "host", kilobytes: 6000)
        try await makeTable(in: disk.path)
        // In use, as by a running peer: its files beside the database have their room.
        let store = try DataStore.open(
            path: disk.path + "/data.db", configuration: .init(owner: PrivateKey.generate().peerID))
        _ = try await store.perform(Self.insert("kept"), caller: .owner)
        disk.fill()
        let report = try PeerBackup(of: PeerFolder(disk.path)).write(to: temporary.path + "/host.tar")
        #expect(report.notes == [] && temporary.names() == ["host", "host.tar"])
        disk.free()
        await store.close()
    }

    @Test func aFullDiskIsToldAndNothingAcknowledgedIsLost() async throws {
        let disk = try SmallDisk(in: temporary, name: "host", kilobytes: 6000)
        try await makeTable(in: disk.path)
        let host = try await TestPeer.start(in: temporary, label: "host")
        let (node, client) = try await host.visitor()
        var acknowledged: [String] = []
        var failure: DataError?
        // Several at a time, so that a shared commit is the one that fails.
        while failure == nil, acknowledged.count < 3000 {
            let outcomes = await withTaskGroup(of: (String, DataError?).self) { group in
                for lane in 0..<8 {
                    let mark = "\(acknowledged.count).\(lane)"
                    group.addTask {
                        do throws(DataError) {
                            _ = try await client.perform(Self.insert(mark), of: host.id)
                            return (mark, nil)
                        } catch { return (mark, error) }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            for (mark, error) in outcomes {
                if let error { failure = error } else { acknowledged.append(mark) }
            }
        }
        #expect(failure?.code == .full && failure?.code.httpStatus == 507, "\(String(describing: failure))")
        #expect(failure?.message == "database or disk is full")
        #expect(failure?.detail == "nothing was stored; the owner has to make room")
        #expect(acknowledged.count > 100)
        // What is there is still read, and the site still served.
        #expect(try await Set(marks(client, of: host.id)) == Set(acknowledged))
        #expect(try await SiteClient.patient(node).open(SiteQuery("/"), of: host.id).head.status == .whole)
        disk.fill()
        let second = await #expect(throws: DataError.self) {
            _ = try await client.perform(Self.insert("no"), of: host.id)
        }
        #expect(second?.code == .full, "\(String(describing: second))")
        try await host.stop()
        await node.stop()
        disk.free()
        let store = try DataStore.open(
            path: disk.path + "/data.db", configuration: .init(owner: PrivateKey.generate().peerID))
        #expect(try await store.integrityProblems() == [])
        let value = try await store.perform(
            try DataRequest.parse(#"{"op":"pluck","table":"rows","column":"mark"}"#), caller: .owner)
        #expect(Set(value.array?.compactMap(\.string) ?? []) == Set(acknowledged))
        await store.close()
    }

    @Test func itWorksAgainOnceThereIsRoom() async throws {
        let disk = try SmallDisk(in: temporary, name: "host", kilobytes: 6000)
        try await makeTable(in: disk.path)
        let host = try await TestPeer.start(in: temporary, label: "host")
        let (node, client) = try await host.visitor()
        _ = try await client.perform(Self.insert("before"), of: host.id)
        disk.fill()
        var failure: DataError?
        // What SQLite had set aside in its log takes some rows yet.
        for count in 0..<2000 where failure == nil {
            do throws(DataError) { _ = try await client.perform(Self.insert("w\(count)"), of: host.id) } catch {
                failure = error
            }
        }
        #expect(failure?.code == .full, "\(String(describing: failure))")
        disk.free()
        _ = try await client.perform(Self.insert("after"), of: host.id)
        let found = try await marks(client, of: host.id)
        #expect(found.first == "before" && found.last == "after")
        await node.stop()
        try await host.stop()
    }

    @Test func aPeerThatStartsOnAFullDiskServesItsSiteAndItsDataOnceThereIsRoom() async throws {
        let disk = try SmallDisk(in: temporary, name: "host", kilobytes: 6000)
        try await makeTable(in: disk.path)
        // A peer that has run before: without its record of who is blocked none starts.
        try await TestPeer.start(in: temporary, label: "host").stop()
        disk.fill()
        let host = try await TestPeer.start(in: temporary, label: "host")
        let (node, client) = try await host.visitor()
        #expect(try await SiteClient.patient(node).open(SiteQuery("/"), of: host.id).head.status == .whole)
        let error = await #expect(throws: DataError.self) {
            _ = try await client.perform(Self.insert("a"), of: host.id)
        }
        #expect(error?.code == .full && error?.message == "database or disk is full")
        #expect(error?.detail == "the site's rows can neither be read nor stored until its owner has looked after that")
        let owners = host.running.tables.fault
        #expect(owners?.message == error?.message, "\(String(describing: owners))")
        #expect(owners?.detail.hasPrefix(disk.path + "/data.db cannot be opened until its disk has room") == true)
        disk.free()
        _ = try await client.perform(Self.insert("b"), of: host.id)
        #expect(try await marks(client, of: host.id) == ["b"])
        await node.stop()
        try await host.stop()
    }

    /// As one of an older version, which needs room for what it lacks.
    @Test func aDatabaseThatLacksTablesWaitsForRoom() async throws {
        let disk = try SmallDisk(in: temporary, name: "host", kilobytes: 6000)
        let path = disk.path + "/data.db"
        // What SQLite needs to open any file is there: 32 KiB for the memory that its connections share, and a page each for
        // its log and the file.
        disk.fill(leaving: 48 << 10)
        let configuration = DataStore.Configuration(owner: PrivateKey.generate().peerID)
        let error = #expect(throws: DataError.self) { try DataStore.open(path: path, configuration: configuration) }
        #expect(error?.code == .full && error?.message == "database or disk is full", "\(String(describing: error))")
        #expect(error?.detail.hasPrefix("\(path) cannot be opened until its disk has room") == true)
        #expect(error?.detail.hasSuffix("Make room; the next request opens it, without a restart") == true)
        disk.free()
        let store = try DataStore.open(path: path, configuration: configuration)
        #expect(try await store.integrityProblems() == [])
        await store.close()
    }

    /// The index is made for speed; the policy is what the owner asked for.
    @Test func aPolicyCountsThoughTheDiskHasNoRoomForItsIndex() async throws {
        let disk = try SmallDisk(in: temporary, name: "host", kilobytes: 16_000)
        var configuration = DataStore.Configuration(owner: PrivateKey.generate().peerID)
        configuration.indexPauses = .milliseconds(1) ... .milliseconds(50)
        let path = disk.path + "/data.db"
        func access(_ read: String) -> String {
            #""access":{"read":"\#(read)","insert":"open","update":"open","delete":"open"}"#
        }
        let store = try DataStore.open(path: path, configuration: configuration)
        let columns = #""column_defs":[{"name":"n","type":"integer"}]"#
        _ = try await store.perform(
            try DataRequest.parse(#"{"op":"create-table","name":"diary",\#(columns),\#(access("open"))}"#),
            caller: .owner)
        // About 1.4 MB of index.
        for _ in 0..<20 {
            let rows = (0..<1000).map { JSONValue.object(["n": .integer(Int64($0))]) }
            #expect(try await store.insert(rows, into: "diary").isEmpty)
        }
        await store.close()
        let log = CapturedLog()
        let tables = SiteTables(path: path, configuration: configuration, logger: log.logger)
        disk.fill(leaving: 300 << 10)
        _ = try await tables.perform(
            try DataRequest.parse(#"{"op":"set-policy","table":"diary",\#(access("owner"))}"#), caller: .owner)
        let stranger = DataCaller.remote(PrivateKey.generate().peerID, email: "")
        let count = try await tables.perform(
            try DataRequest.parse(#"{"op":"count","table":"diary"}"#), caller: stranger)
        #expect(count.object?["count"]?.int64 == 0, "the policy counts")
        var lines = log.lines.makeAsyncIterator()
        let told = try #require(await lines.next())
        #expect(told.hasPrefix("warning: an index could not be made: the table works"), "\(told)")
        #expect(told.contains("column=_owner file=\(path) next=make room on the disk of the database"), "\(told)")
        #expect(told.contains("reason=database or disk is full") && told.hasSuffix("table=diary"), "\(told)")
        disk.free()
        #expect(await lines.next()?.hasPrefix("notice: every index is there now") == true, "and nothing in between")
        await tables.close()
    }

    @Test func aBlockThatFindsNoRoomNamesTheFile() async throws {
        let disk = try SmallDisk(in: temporary, name: "host", kilobytes: 6000)
        let folder = PeerFolder(disk.path)
        try PreparedPeer.open(folder, options: .init(createsMissing: true, label: "host")).release()
        try folder.openPeerStore().close()
        disk.fill()
        let commands = PeerCommands(folder: folder, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let stranger = PrivateKey.generate().peerID
        let told = await failure { try await commands.stand(stranger.base58, .blocked) }
        #expect(told?.kind == .cannotCreate && told?.nextStep.hasPrefix("make room on that disk") == true)
        #expect(told?.cause.hasPrefix("\(folder.peersDatabase) cannot be written: ") == true)
        disk.free()
        _ = try await commands.stand(stranger.base58, .blocked)
        #expect(try await commands.decisions().array?.count == 1)
    }

    @Test func aFolderThatCannotBeWrittenIsTold() async throws {
        let disk = try SmallDisk(in: temporary, name: "host", kilobytes: 6000)
        try await makeTable(in: disk.path)
        try disk.setReadOnly(true)
        let failure = #expect(throws: Failure.self) {
            _ = try PreparedPeer.open(PeerFolder(disk.path), options: .init(createsMissing: true, label: "host"))
        }
        #expect(
            failure?.kind == .permission && failure?.cause.contains("Read-only") == true,
            "\(String(describing: failure))")
        try disk.setReadOnly(false)
    }
}
