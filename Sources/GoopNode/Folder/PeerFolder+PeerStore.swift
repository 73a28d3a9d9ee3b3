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
        } catch let error as DataError where error.code == .corrupt {
            throw Failure(
                .data, "\(path) cannot be opened: \(error.message)",
                nextStep: "put a backup of it there; or move it away, and with it favourites, names and blocks")
        } catch let error as DataError {
            let failure = error.failure
            throw Failure(
                failure.kind, "\(path) cannot be opened: \(error.message)",
                nextStep: error.code == .locked ? "close the program that uses it" : failure.nextStep)
        } catch let fault as FileFault {
            throw fault.failure
        } catch {
            throw Failure(.inputOutput, "\(path) cannot be opened: \(error)", nextStep: "check the disk and the path")
        }
    }
}
