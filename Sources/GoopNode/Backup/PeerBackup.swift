import Crypto
import GoopCore
import GoopStore
import Multiformats
import PeerIdentity

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Everything of a peer in one file: settings, identity, databases, site.
///
/// The file is a tar archive that any tool opens, for its owner's eyes only, because the identity is in it. Databases are
/// copied as they are at one moment, also while the peer runs. What a peer makes anew is left out: locks, sockets,
/// caches, unfinished files, the logs of databases; and the trash of the site. What of the site is left out is told.
public struct PeerBackup: Sendable {
    /// What was written.
    public struct Report: Sendable, Hashable {
        /// The peer's id.
        public var id: String
        /// How many files are in it.
        public var files: Int
        /// Bytes of all contents.
        public var bytes: Int64
        /// What is not in it, in words.
        public var notes: [String]
    }

    /// The databases that the program itself keeps, from the folder's root.
    static let databases: Set = ["data.db", "data/peers.db"]

    private let folder: PeerFolder

    /// Whether a backup without this file would be none.
    private static func isNeeded(_ path: String) -> Bool {
        databases.contains(path) || path == GoopConfiguration.fileName || path.hasSuffix(".key")
    }

    /// A backup of a folder.
    public init(of folder: PeerFolder) { self.folder = folder }

    /// Writes the backup to a file that does not exist, whole or not at all.
    ///
    /// - Throws: `Failure`.
    public func write(to file: String) throws -> Report {
        do {
            return try write(file)
        } catch let fault as FileFault {
            throw fault.failure
        } catch let fault as DatabaseCopy.Fault {
            let cause = "a database of \(folder.path) cannot be copied: \(fault)"
            switch fault {
            case .full: throw Failure(.cannotCreate, cause, nextStep: "make room on the disk of the backup")
            case .busy: throw Failure(.temporary, cause, nextStep: "try again")
            case .sqlite, .damaged:
                throw Failure(
                    .data, cause, nextStep: "copy the folder as it is, and restore data.db from an older backup")
            }
        }
    }

    private func write(_ file: String) throws -> Report {
        let peer = try PreparedPeer.open(folder, options: .init(createsMissing: false, takesLock: false))
        guard !AtomicFile.exists(file) else {
            throw Failure(.cannotCreate, "\(file) exists already", nextStep: "choose another name, or remove it")
        }
        try refuseInside(file, site: peer.siteRoot)
        var notes: [String] = []
        let own = FolderPath.real(folder.path) ?? folder.path
        for (what, path) in [
            ("the identity", folder.resolve(peer.configuration.identity.keyFile)), ("the site", peer.siteRoot),
        ] {
            guard let real = FolderPath.real(path) else { continue }
            if FolderPath.rest(of: real, in: own) == nil {
                notes.append("\(what) is outside of the folder and not in the backup: \(path)")
            }
        }
        let root = (FolderPath.real(peer.siteRoot) ?? peer.siteRoot) + "/"
        let site = FolderPath.rest(of: root, in: own)
        let contents = try FolderContents(of: folder.path) { unwanted($0, site: site) }
        let told = contents.unwanted.compactMap { item in
            if case .told(let reason) = item.reason { "left out, \(reason): \(item.path)" } else { nil }
        }
        notes += told.prefix(20)
        notes += contents.skipped.prefix(20).map { "left out, it is no file: \($0)" }
        notes += contents.unnamed.prefix(20).map { "left out, its name is not UTF-8: \(TerminalText.safe($0))" }
        if max(told.count, contents.skipped.count, contents.unnamed.count) > 20 {
            notes.append("left out in all: \(told.count + contents.skipped.count + contents.unnamed.count)")
        }
        for item in contents.items where item.isFile && item.size > 0 && Self.databases.contains(item.path) {
            guard try !isDatabase(item.path) else { continue }
            notes.append("\(item.path) is no database that can be read; it is in the backup as it is")
        }
        let output = try PartialFile(file, mode: 0o600)
        var manifest = BackupManifest(
            id: peer.identity.peerID.base58, label: peer.configuration.profile.label, created: Int64(time(nil)),
            files: [])
        for item in contents.items {
            if item.isFolder {
                try output.append(
                    TarHeader(path: item.path, size: 0, mode: item.mode, modified: item.modified, isFolder: true)
                        .encoded)
            } else {
                do { manifest.files.append(try add(item, to: output, &notes)) } catch let fault as FileFault
                    where fault.isMissing && !PeerBackup.isNeeded(item.path)
                {
                    // It was opened before anything of it was written.
                    notes.append("left out, it went away meanwhile: \(item.path)")
                }
            }
        }
        let list = manifest.encoded
        try output.append(
            TarHeader(path: BackupManifest.path, size: Int64(list.count), mode: 0o600, modified: manifest.created)
                .encoded)
        try output.append(
            list + [UInt8](repeating: 0, count: TarHeader.padding(after: Int64(list.count)) + 2 * TarHeader.blockBytes))
        try output.finish()
        return Report(
            id: manifest.id, files: manifest.files.count, bytes: manifest.files.reduce(0) { $0 + $1.size }, notes: notes
        )
    }

    /// A backup in the folder would be in the next backup; in the site, wherever that is, all could read the key.
    private func refuseInside(_ file: String, site: String) throws(Failure) {
        guard let target = FolderPath.real(FolderPath.parent(of: file)) else { return }
        for (what, path) in [("the peer's folder", folder.path), ("the site, which visitors see", site)] {
            guard let place = FolderPath.real(path), (target + "/").utf8.starts(with: (place + "/").utf8) else {
                continue
            }
            throw Failure(
                .usage, "\(file) is inside of \(what)", nextStep: "choose a place outside of \(path)")
        }
    }

    /// Why something is left out; nil for what is not.
    /// - Parameter site: begins the paths of the site, if it is in the folder.
    private func unwanted(_ item: FolderContents.Item, site: String?) -> FolderContents.Unwanted? {
        let path = item.path
        let name = FolderPath.lastName(of: path)
        let isOfSite = site.map { path.utf8.starts(with: $0.utf8) } ?? false
        if ["data/peer.lock", "data/control.sock", "cache", BackupManifest.path].contains(path) { return .passing }
        if isOfSite, path == (site ?? "") + SiteEditor.workFolder {
            // What was deleted, and what had not arrived whole; there from the first upload on, and then mostly empty.
            let trash = folder.path + "/" + path + "/trash"
            let isEmpty = (try? FolderContents.names(in: trash))?.isEmpty ?? true
            return isEmpty ? .passing : .told("what was deleted from the site")
        }
        guard item.isFile else { return nil }
        if name.hasPrefix("."), name.hasSuffix(".tmp") { return isOfSite ? .told("an unfinished file") : .passing }
        // What of a log was committed is in the copy of its database.
        for suffix in ["-wal", "-shm", "-journal"] where name.hasSuffix(suffix) {
            if (try? isDatabase(String(path.dropLast(suffix.count)))) == true { return .passing }
        }
        return nil
    }

    /// Whether a file of the folder is copied as a database, not as the bytes it is.
    private func isDatabase(_ path: String) throws(FileFault) -> Bool {
        let file = folder.path + "/" + path
        guard path.hasSuffix(".db"), AtomicFile.exists(file), !AtomicFile.isFolder(file) else { return false }
        return try InputFile(file).isDatabase()
    }

    private func add(
        _ item: FolderContents.Item, to output: PartialFile, _ notes: inout [String]
    ) throws -> BackupManifest.File {
        let path = folder.path + "/" + item.path
        guard try isDatabase(item.path) else { return try add(item, at: path, output) }
        // Beside the backup, where there has to be room for it anyway: the peer's own disk may be full.
        let copy = try output.sibling()
        defer { withExtendedLifetime(copy) {} }
        do throws(DatabaseCopy.Fault) { try DatabaseCopy.write(from: path, to: copy.temporary) } catch {
            // A file to download may be a database of another program, with sort orders that are not known here, or broken.
            guard !Self.databases.contains(item.path) else { throw error }
            notes.append(
                "\(item.path) cannot be copied as a database; it is in the backup as it is, without its log: \(error)")
            return try add(item, at: path, output)
        }
        return try add(item, at: copy.temporary, output)
    }

    private func add(_ item: FolderContents.Item, at path: String, _ output: PartialFile) throws -> BackupManifest.File
    {
        let input = try InputFile(path)
        let size = input.size
        guard size <= TarHeader.maximumBytes else {
            throw Failure(
                .data, "\(path) has \(size) bytes, more than a tar archive holds", nextStep: "move it elsewhere")
        }
        try output.append(TarHeader(path: item.path, size: size, mode: item.mode, modified: item.modified).encoded)
        var hash = SHA256()
        var rest = size
        while rest > 0 {
            let chunk = try input.read(Int(min(rest, Int64(InputFile.chunkBytes))))
            guard !chunk.isEmpty else {
                throw Failure(.temporary, "\(path) became shorter while it was read", nextStep: "try again")
            }
            hash.update(data: chunk)
            try output.append(chunk)
            rest -= Int64(chunk.count)
        }
        try output.append([UInt8](repeating: 0, count: TarHeader.padding(after: size)))
        return BackupManifest.File(path: item.path, size: size, sha256: Hex.encode(Array(hash.finalize())))
    }
}
