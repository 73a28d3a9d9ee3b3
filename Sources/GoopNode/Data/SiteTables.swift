import GoopCore
import GoopStore
import LibP2P
import Logging

/// The peer's own database, or why there is none: a damaged file stops nothing else.
struct SiteTables: Sendable {
    /// The name of the file in the peer's folder.
    static let fileName = "data.db"

    let store: Result<DataStore, DataError>

    /// Opens the database of a folder; whatever is wrong is logged, and told to whoever asks for data.
    static func open(_ peer: PreparedPeer, owner: PeerID, logger: Logger) -> SiteTables {
        let settings = peer.configuration.data
        var configuration = DataStore.Configuration(owner: owner)
        configuration.durability = settings.durability == "normal" ? .normal : .full
        configuration.ownerEmail = peer.configuration.sharedEmail
        configuration.quota = VisitorQuota(
            rows: Int64(settings.visitorRows), bytes: Int64(settings.visitorMegabytes) << 20,
            totalBytes: Int64(settings.totalMegabytes) << 20)
        let path = peer.folder.path + "/" + SiteTables.fileName
        do throws(DataError) {
            return SiteTables(store: .success(try DataStore.open(path: path, configuration: configuration)))
        } catch {
            logger.warning(
                "the database cannot be used; everything else runs",
                metadata: ["file": "\(path)", "reason": "\(error)"])
            return SiteTables(store: .failure(error))
        }
    }

    /// Why there is no database; nil if there is one.
    var fault: DataError? { if case .failure(let error) = store { error } else { nil } }

    /// Performs an operation.
    func perform(_ request: DataRequest, caller: DataCaller) async throws(DataError) -> JSONValue {
        try await store.get().perform(request, caller: caller)
    }

    /// Adds rows of the owner, those that the table refuses left out.
    func insert(_ rows: [JSONValue], into table: String) async throws(DataError) -> [RefusedRow] {
        try await store.get().insert(rows, into: table)
    }

    /// Every table, with how much is in it.
    func overview() async throws(DataError) -> [TableOverview] { try await store.get().overview() }

    /// What visitors have filled.
    func visitors(most: Int) async throws(DataError) -> VisitorOverview {
        try await store.get().visitors(most: most)
    }

    /// Changes of a table.
    func changes(
        of table: String, caller: DataCaller
    ) async throws(DataError) -> AsyncThrowingStream<DataChange, any Error> {
        try await store.get().changes(of: table, caller: caller)
    }

    /// Writes what waits, and closes the file.
    func close() async {
        if case .success(let store) = store { await store.close() }
    }
}
