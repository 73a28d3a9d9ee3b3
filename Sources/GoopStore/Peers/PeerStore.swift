public import GoopCore
import GRDB
import Multiformats
public import PeerIdentity

/// The file `data/peers.db` of a peer's folder: one row for each peer that is remembered.
///
/// It is a file of its own, so that a backup or a copy of the site's tables says nothing about whom its owner knows.
public struct PeerStore: Sendable {
    private let queue: DatabaseQueue

    /// Opens the file, or makes it.
    ///
    /// - Throws: `corrupt` if it is no SQLite database or a damaged one, `locked`, `full`, or `internalFailure` if it cannot be
    ///   opened.
    public init(path: String) throws(DataError) {
        do { queue = try PeerStore.open(path) } catch { throw PeerStore.meaning(of: error) }
    }

    private static func open(_ path: String) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.label = "peers.db"
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA trusted_schema=OFF")
            try database.execute(sql: "PRAGMA secure_delete=ON")
        }
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 peers") { database in
            try database.create(table: "peer") { table in
                table.primaryKey("id", .text)
                table.column("label", .text).notNull().defaults(to: "")
                table.column("addresses", .text).notNull().defaults(to: "")
                table.column("last_seen", .integer).notNull().defaults(to: 0)
                table.column("petname", .text).notNull().defaults(to: "")
                table.column("favorite", .boolean).notNull().defaults(to: false)
                table.column("standing", .text).notNull().defaults(to: PeerStanding.ordinary.rawValue)
            }
        }
        try migrator.migrate(queue)
        return queue
    }

    /// Every peer; a row that makes no sense is left out.
    ///
    /// - Throws: as `init`; damage behind the first pages of the file shows only here.
    public func load() async throws(DataError) -> [KnownPeer] {
        do {
            return try await queue.read { database in
                try Row.fetchAll(database, sql: "SELECT * FROM peer").compactMap(Self.peer)
            }
        } catch { throw PeerStore.meaning(of: error) }
    }

    /// Stores and removes in one transaction; what returned is on the disk.
    ///
    /// - Throws: as `init`; nothing was stored then.
    public func save(_ peers: [KnownPeer], removing removed: [PeerID] = []) async throws(DataError) {
        guard !peers.isEmpty || !removed.isEmpty else { return }
        do { try await write(peers, removing: removed) } catch { throw PeerStore.meaning(of: error) }
    }

    private func write(_ peers: [KnownPeer], removing removed: [PeerID]) async throws {
        try await queue.write { database in
            for peer in removed {
                try database.execute(sql: "DELETE FROM peer WHERE id = ?", arguments: [peer.base58])
            }
            for peer in peers {
                try database.execute(
                    sql: """
                        INSERT OR REPLACE INTO peer (id, label, addresses, last_seen, petname, favorite, standing)
                        VALUES (?, ?, ?, ?, ?, ?, ?)
                        """,
                    arguments: [
                        peer.id.base58, peer.label, peer.addresses.map(\.description).joined(separator: " "),
                        peer.lastSeenMilliseconds, peer.petname, peer.isFavorite, peer.standing.rawValue,
                    ])
            }
        }
    }

    /// Closes the file.
    public func close() throws { try queue.close() }

    private static func meaning(of error: any Error) -> DataError {
        var error = DataError(writing: error, isOwner: true)
        // The words are those of the file with the site's tables.
        if error.code == .corrupt { error.detail = "the owner has to restore data/peers.db from a backup" }
        return error
    }

    private static func peer(_ row: Row) -> KnownPeer? {
        guard let text = String.fromDatabaseValue(row["id"]), let id = PeerID(text) else { return nil }
        let addresses = (String.fromDatabaseValue(row["addresses"]) ?? "").split(separator: " ")
        return KnownPeer(
            id: id, label: String.fromDatabaseValue(row["label"]) ?? "",
            addresses: addresses.compactMap { Multiaddr(String($0)) },
            lastSeenMilliseconds: Int64.fromDatabaseValue(row["last_seen"]) ?? 0,
            petname: String.fromDatabaseValue(row["petname"]) ?? "",
            isFavorite: Bool.fromDatabaseValue(row["favorite"]) ?? false,
            standing: PeerStanding(rawValue: String.fromDatabaseValue(row["standing"]) ?? "") ?? .ordinary)
    }
}
