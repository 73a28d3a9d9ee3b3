public import GoopCore
public import Logging
import NIOPosix
import PeerIdentity

/// The owner's access to the tables of a peer: through the peer that runs on the folder, or by opening the database itself while
/// nobody does.
public final class DataSession: Sendable {
    private enum Way: Sendable {
        case running(ControlClient)
        case own(PreparedPeer, SiteTables)
    }

    private let way: Way

    /// Opens the database, or finds the peer that has it open.
    ///
    /// - Throws: `Failure`.
    public init(folder: PeerFolder, logger: Logger) throws {
        let client = ControlClient(folder: folder, group: MultiThreadedEventLoopGroup.singleton)
        if client.isPeerRunning {
            way = .running(client)
            return
        }
        let peer = try PreparedPeer.open(folder, options: .init(createsMissing: false))
        // What is wrong with the database ends the command, and is said by it; a line of the log before would say it twice.
        var quieter = logger
        if quieter.logLevel == .warning { quieter.logLevel = .error }
        let tables = SiteTables(peer, owner: peer.identity.peerID, logger: quieter)
        if let fault = tables.fault {
            peer.release()
            throw fault.failure(of: nil)
        }
        way = .own(peer, tables)
    }

    /// Performs an operation as the owner.
    ///
    /// - Throws: `Failure`.
    public func perform(_ request: DataRequest) async throws -> JSONValue {
        switch way {
        case .running(let client): return try await client.ask(.data(request))
        case .own(_, let tables):
            do throws(DataError) { return try await tables.perform(request, caller: .owner) } catch {
                throw error.failure(of: request)
            }
        }
    }

    /// Adds rows in one transaction; those that the table refuses are left out.
    ///
    /// - Parameter rows: at most 1,000, and not more than a megabyte or two.
    /// - Returns: which rows were refused, and why.
    /// - Throws: `Failure`; then none was added.
    public func insert(_ rows: [JSONValue], into table: String) async throws -> [RefusedRow] {
        switch way {
        case .running(let client):
            let answer = try await client.ask(.insert(table: table, rows: rows))
            return (answer.array ?? []).compactMap(RefusedRow.init(json:))
        case .own(_, let tables):
            do throws(DataError) { return try await tables.insert(rows, into: table) } catch {
                throw error.failure(of: .insert)
            }
        }
    }

    /// Closes what was opened.
    public func close() async {
        guard case .own(let peer, let tables) = way else { return }
        await tables.close()
        peer.release()
    }
}
