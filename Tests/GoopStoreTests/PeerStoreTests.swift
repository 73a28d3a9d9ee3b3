import Foundation
import GRDB
import GoopCore
import GoopStore
import Multiformats
import PeerIdentity
import Testing

@Suite struct PeerStoreTests {
    let path = FileManager.default.temporaryDirectory.appending(path: "goop2-peers-\(UUID()).db").path()

    private func cleanUp() {
        for end in ["", "-journal", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + end) }
    }

    @Test func everythingSurvivesAndOneRowIsOnePeer() async throws {
        defer { cleanUp() }
        let ids = [PrivateKey.generate().peerID, PrivateKey.generate().peerID].sorted()
        let ada = KnownPeer(
            id: ids[0], label: "Ada'); DROP TABLE peer;--", addresses: [Multiaddr(ip: .v4(0x7f00_0001), tcpPort: 4001)],
            lastSeenMilliseconds: 1_700_000_000_123, petname: "Ann", isFavorite: true, standing: .muted)
        let bob = KnownPeer(id: ids[1], standing: .blocked)
        var store = try PeerStore(path: path)
        try await store.save([ada, bob])
        try await store.save([ada])
        try store.close()
        store = try PeerStore(path: path)
        #expect(try await store.load().sorted { $0.id < $1.id } == [ada, bob])
        try await store.save([], removing: [ids[0]])
        #expect(try await store.load() == [bob])
        try store.close()
    }

    @Test func aRowThatMakesNoSenseIsLeftOutAndTheRestStays() async throws {
        defer { cleanUp() }
        let bob = KnownPeer(id: PrivateKey.generate().peerID, standing: .blocked)
        let store = try PeerStore(path: path)
        try await store.save([bob])
        let queue = try DatabaseQueue(path: path)
        try await queue.write { database in
            try database.execute(sql: "INSERT INTO peer (id, label) VALUES ('nobody', x'ff00')")
            try database.execute(
                sql: "INSERT INTO peer (id, standing) VALUES (?, 'friend')",
                arguments: [PrivateKey.generate().peerID.base58])
        }
        let loaded = try await store.load()
        #expect(loaded.count == 2 && loaded.contains(bob))
        #expect(loaded.allSatisfy { $0 == bob || $0.standing == .ordinary })
    }

    @Test func whatSQLiteSaysHasItsMeaning() async throws {
        defer { cleanUp() }
        let bob = KnownPeer(id: PrivateKey.generate().peerID)
        let store = try PeerStore(path: path)
        try await store.save([bob])
        let page = try await DatabaseQueue(path: path).read { database in
            try Int.fetchOne(database, sql: "SELECT rootpage FROM sqlite_master WHERE name = 'peer'") ?? 0
        }
        try store.close()
        var bytes = try Data(contentsOf: URL(filePath: path))
        try #require(page > 1 && bytes.count >= page * 4096)
        bytes.replaceSubrange((page - 1) * 4096..<page * 4096, with: Data(repeating: 0xA5, count: 4096))
        try bytes.write(to: URL(filePath: path))
        let damaged = try PeerStore(path: path)
        let read = await #expect(throws: DataError.self) { _ = try await damaged.load() }
        let written = await #expect(throws: DataError.self) { try await damaged.save([bob]) }
        for error in [read, written] {
            #expect(error?.code == .corrupt && error?.detail.contains("data/peers.db") == true)
        }
        try damaged.close()
    }
}
