import GoopCore
import GoopStore
import PeerIdentity

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension PreparedPeer {
    /// Makes the tables of the starter site, if that site was created just now, or by a process that ended before it came to
    /// them; otherwise does nothing.
    ///
    /// Called once after `open`, before anything else opens the database. A table that is there stays as it is.
    /// - Throws: `Failure` when the database cannot be used.
    public func createStarterTables() async throws {
        guard !starterTables.isEmpty else { return }
        do throws(DataError) {
            let store = try DataStore.open(
                path: folder.databaseFile, configuration: .init(owner: identity.peerID))
            do throws(DataError) {
                for table in starterTables { try await PreparedPeer.create(table, in: store) }
            } catch {
                await store.close()
                throw error
            }
            await store.close()
            unlink(folder.starterFile)
        } catch {
            throw Failure(
                .data, "the tables of the starter site could not be made in \(folder.databaseFile): \(error)",
                nextStep: "start again once that is mended; they are made then")
        }
    }

    private static func create(_ table: StarterTable, in store: DataStore) async throws(DataError) {
        do throws(DataError) {
            _ = try await store.perform(table.creation, caller: .owner)
        } catch {
            guard error.code == .conflict else { throw error }
            return
        }
        if let row = table.firstRowInsertion { _ = try await store.perform(row, caller: .owner) }
    }
}
