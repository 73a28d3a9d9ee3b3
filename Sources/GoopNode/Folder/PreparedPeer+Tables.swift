import GoopCore
import GoopStore
import PeerIdentity

extension PreparedPeer {
    /// Makes the tables of the starter site, if that site was created just now; otherwise does nothing.
    ///
    /// Called once after `open`, before anything else opens the database. A table that is there stays as it is.
    /// - Throws: `Failure` when the database cannot be used.
    public func createStarterTables() async throws {
        guard created.contains(PreparedPeer.starterSite), !starterTables.isEmpty else { return }
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
        } catch {
            throw Failure(
                .data, "the tables of the starter site could not be made in \(folder.databaseFile): \(error)",
                nextStep: "move that file away, remove the folder \(siteRoot), and run goop2 init again")
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
