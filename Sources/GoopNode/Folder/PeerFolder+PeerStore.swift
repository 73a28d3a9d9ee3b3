import GoopCore
import GoopStore

extension PeerFolder {
    /// Opens `data/peers.db`, and makes it if it is not there.
    /// - Throws: `Failure` that names the file. Nobody may go on without it: whoever was blocked would be let in.
    func openPeerStore() throws(Failure) -> PeerStore {
        let path = peersDatabase
        do {
            try AtomicFile.createFolder(dataFolder, mode: 0o700)
            let store = try PeerStore(path: path)
            _ = try AtomicFile.makePrivate(path)
            return store
        } catch let error as DataError {
            throw failure(of: error, peersAre: "opened")
        } catch let fault as FileFault {
            throw fault.failure
        } catch {
            throw Failure(.inputOutput, "\(path) cannot be opened: \(error)", nextStep: "check the disk and the path")
        }
    }

    /// Everybody whom `data/peers.db` remembers, for a command that only looks: nobody where there is no such file, and none is
    /// made.
    /// - Throws: `Failure` that names the file.
    func knownPeers() async throws(Failure) -> [KnownPeer] {
        guard AtomicFile.exists(peersDatabase) else { return [] }
        let store = try openPeerStore()
        defer { try? store.close() }
        return try await peers(in: store)
    }

    /// Everybody whom the file remembers.
    /// - Throws: `Failure` that names the file.
    func peers(in store: PeerStore) async throws(Failure) -> [KnownPeer] {
        do throws(DataError) { return try await store.load() } catch { throw failure(of: error, peersAre: "read") }
    }

    /// Stores and removes.
    /// - Throws: `Failure` that names the file.
    func save(_ decided: PeerRecords.Decided, in store: PeerStore) async throws(Failure) {
        do throws(DataError) {
            try await store.save([decided.record], removing: [decided.removed].compactMap(\.self))
        } catch { throw failure(of: error, peersAre: "written") }
    }

    private func failure(of error: DataError, peersAre done: String) -> Failure {
        let (failure, cause) = (error.failure(of: nil), "\(peersDatabase) cannot be \(done): \(error.message)")
        return switch error.code {
        case .locked: Failure(failure.kind, cause, nextStep: "close the program that uses it")
        case .full, .internalFailure: Failure(failure.kind, cause, nextStep: failure.nextStep)
        // Damaged, or a file of another program: its table is not the one that is asked for.
        default:
            Failure(
                .data, cause,
                nextStep: "put a backup of it there; or move it away, and with it favourites, names and blocks")
        }
    }
}
