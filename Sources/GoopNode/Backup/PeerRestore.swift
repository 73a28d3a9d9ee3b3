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

/// Makes a peer's folder out of a backup, whole or not at all.
///
/// The archive is read twice. The first time nothing is written: every header, name, size and checksum has to be what the
/// list at its end says, and the settings and the identity have to be readable. The second time the files are written into a
/// folder beside the one that is wanted, the databases are looked through, and only then does it get its name.
public struct PeerRestore: Sendable {
    private let file: String

    /// A restore from a file.
    public init(from file: String) { self.file = file }

    /// Restores into a folder that does not exist or is empty.
    ///
    /// - Throws: `Failure`; the folder is as it was then.
    public func restore(to folder: PeerFolder) throws -> PeerBackup.Report {
        do {
            try refuseUsed(folder)
            let archive = try BackupArchive(file)
            let manifest = try archive.verify()
            try unpack(archive, of: manifest, to: folder)
            return PeerBackup.Report(
                id: manifest.id, files: manifest.files.count, bytes: manifest.files.reduce(0) { $0 + $1.size },
                notes: [])
        } catch let fault as FileFault {
            throw fault.failure
        }
    }

    private func refuseUsed(_ folder: PeerFolder) throws {
        if FolderLock.isHeld(path: folder.lockFile) {
            throw Failure(
                .temporary, "a peer runs on \(folder.path)", nextStep: "stop it, and restore into another folder")
        }
        if AtomicFile.exists(folder.path) {
            guard AtomicFile.isFolder(folder.path) else {
                throw Failure(.cannotCreate, "\(folder.path) is no folder", nextStep: "choose another name")
            }
            guard try FolderContents.names(in: folder.path).isEmpty else {
                throw Failure(
                    .cannotCreate, "\(folder.path) is not empty",
                    nextStep: "restore into a folder that does not exist yet")
            }
        }
        // The whole folder gets its name at the end, and to these two the system gives no other folder.
        guard ![".", ".."].contains(FolderPath.lastName(of: folder.path)) else {
            let place = FolderPath.real(folder.path).map { ": " + TerminalText.shellWord($0) } ?? ""
            throw Failure(
                .cannotCreate, "\(folder.path) is no name that a folder can be given",
                nextStep: "go out of that folder, and name it as it is called from there" + place)
        }
    }

    private func unpack(_ archive: BackupArchive, of manifest: BackupManifest, to folder: PeerFolder) throws {
        let parent = FolderPath.parent(of: folder.path)
        try AtomicFile.createFolder(parent)
        let temporary =
            parent + "/." + folder.name + ".restore." + String(UInt64.random(in: 0...UInt64.max), radix: 36) + ".tmp"
        try Unfinished.begin(temporary, remove: FolderContents.remove) { () throws(FileFault) in
            try AtomicFile.createFolder(temporary, mode: 0o700)
        }
        defer {
            FolderContents.remove(temporary)
            Unfinished.end(temporary)
        }
        try archive.unpack(into: temporary)
        for file in manifest.files where PeerBackup.databases.contains(file.path) {
            let path = temporary + "/" + file.path
            guard try InputFile(path).isDatabase() else { continue }
            do throws(DatabaseCopy.Fault) { try DatabaseCopy.check(path) } catch {
                throw Failure(
                    .data, "\(file.path) in the backup cannot be used: \(error)", nextStep: "try an older backup")
            }
        }
        // An empty folder of that name gives way; one that has been filled meanwhile does not.
        guard Unfinished.step({ rename(temporary, folder.path) }) == 0 else { throw FileFault("create", folder.path) }
    }
}

/// The archive of a backup.
struct BackupArchive {
    /// Files called `.key` that are looked into at most; further ones are restored all the same, and looked into at the start.
    static let maximumKeys = 1024

    private let path: String
    private let input: InputFile
    private let maximumItems: Int
    private let maximumKeys: Int
    private static let usualKeyFile = GoopConfiguration().identity.keyFile

    /// - Parameters:
    ///   - maximumItems: as `FolderContents.maximumItems`; tests have fewer.
    ///   - maximumKeys: as `BackupArchive.maximumKeys`; tests have fewer.
    init(
        _ path: String, maximumItems: Int = FolderContents.maximumItems, maximumKeys: Int = BackupArchive.maximumKeys
    ) throws(FileFault) {
        self.path = path
        input = try InputFile(path)
        self.maximumItems = maximumItems
        self.maximumKeys = maximumKeys
    }

    /// Reads everything and compares it with the list at the end.
    /// - Throws: `Failure` of kind `.data` for whatever is not as it should be.
    func verify() throws -> BackupManifest {
        var found: [BackupManifest.File] = []
        // By bytes: texts are equal to Swift however an accent is written; to the system they name two files.
        var names: Set<[UInt8]> = []
        var list: [UInt8] = []
        var isLast = false
        var settings: GoopConfiguration?
        var keys: [[UInt8]: [UInt8]] = [:]
        try forEachEntry { entry, content in
            guard !isLast else { throw damaged("something stands behind the list of its files") }
            guard names.insert(Array(entry.path.utf8)).inserted else { throw damaged("\(entry.path) is in it twice") }
            if entry.isFolder { return }
            if entry.path == BackupManifest.path {
                guard entry.size <= BackupManifest.maximumBytes else {
                    throw damaged("the list of its files is too long")
                }
                while let chunk = try content.next() { list += chunk }
                isLast = true
                return
            }
            var hash = SHA256()
            var bytes: [UInt8] = []
            let isSettings = entry.path == GoopConfiguration.fileName
            let most = isSettings ? GoopConfiguration.maximumFileBytes : IdentityFile.maximumBytes
            while let chunk = try content.next() {
                hash.update(data: chunk)
                if entry.size <= most { bytes += chunk }
            }
            if isSettings { settings = try? GoopConfiguration(decoding: bytes) }
            // Which of them is the identity is known once the settings have been read, and a site may have any number. The
            // usual place is always looked into.
            if entry.path.hasSuffix(".key"), keys.count < maximumKeys || entry.path == Self.usualKeyFile {
                keys[Array(entry.path.utf8)] = bytes
            }
            found.append(
                .init(path: entry.path, size: entry.size, sha256: Hex.encode(Array(hash.finalize()))))
        }
        guard let manifest = BackupManifest(decoding: list) else {
            throw damaged("it has no list of its files that can be used; it is no backup of goop2, or it is damaged")
        }
        guard manifest.files.count == found.count else {
            throw damaged("it holds \(found.count) files and lists \(manifest.files.count)")
        }
        let wanted = Dictionary(manifest.files.map { (Array($0.path.utf8), $0) }) { first, _ in first }
        for file in found where wanted[Array(file.path.utf8)] != file {
            throw damaged("\(file.path) is not what it was when the backup was made")
        }
        guard let settings else { throw damaged("its settings (\(GoopConfiguration.fileName)) cannot be read") }
        if let key = keys[Array(settings.identity.keyFile.utf8)] {
            guard (try? IdentityFile.key(in: key))?.peerID.base58 == manifest.id else {
                throw damaged("its identity is not that of \(manifest.id)")
            }
        }
        return manifest
    }

    private func makeFolder(_ path: String) throws(FileFault) {
        try Unfinished.step { () throws(FileFault) in try AtomicFile.createFolder(path, mode: 0o700) }
    }

    /// Writes every file but the list; `verify` has been called.
    func unpack(into folder: String) throws {
        var modes: [(path: String, mode: UInt32)] = []
        try forEachEntry { entry, content in
            guard entry.path != BackupManifest.path else { return }
            let path = folder + "/" + entry.path
            if entry.isFolder {
                try makeFolder(path)
                modes.append((path, entry.mode))
                return
            }
            try makeFolder(FolderPath.parent(of: path))
            let output = try PartialFile(path, mode: mode_t(entry.mode & 0o755 | 0o600))
            while let chunk = try content.next() { try output.append(chunk) }
            try output.finish()
        }
        for (path, mode) in modes.reversed() {
            guard chmod(path, mode_t(mode & 0o755 | 0o700)) == 0 else { throw FileFault("protect", path) }
        }
    }

    /// The content of one entry, piece by piece.
    final class Content {
        private let input: InputFile
        private(set) var rest: Int64

        init(_ input: InputFile, size: Int64) {
            self.input = input
            rest = size
        }

        func next() throws -> [UInt8]? {
            guard rest > 0 else { return nil }
            let chunk = try input.read(Int(min(rest, Int64(InputFile.chunkBytes))))
            guard !chunk.isEmpty else { throw damaged("it breaks off") }
            rest -= Int64(chunk.count)
            return chunk
        }
    }

    private func forEachEntry(_ body: (TarHeader, Content) throws -> Void) throws {
        try refuseCompressed()
        guard input.size >= TarHeader.blockBytes else { throw noBackup }
        try input.rewind()
        var reader = TarHeaderReader()
        var count = 0
        var isAtStart = true
        while true {
            do {
                let step = try reader.read(block: try block())
                isAtStart = false
                switch step {
                case .end: return
                case .record(let size):
                    let record = try take(size + TarHeader.padding(after: Int64(size)))
                    try reader.read(record: Array(record.prefix(size)))
                    continue
                case .entry(let entry):
                    count += 1
                    // The list of its files is one more.
                    guard count <= maximumItems + 1 else { throw damaged("it holds too many files") }
                    let content = Content(input, size: entry.size)
                    try body(entry, content)
                    while try content.next() != nil {}
                    _ = try take(TarHeader.padding(after: entry.size))
                }
            } catch let error as TarError {
                throw isAtStart ? noBackup : refused(error)
            }
        }
    }

    /// Of a file that does not even begin as a backup does.
    private var noBackup: Failure {
        Failure(
            .data, "\(path) is no backup, or its beginning is damaged",
            nextStep: "name a file that goop2 backup wrote; nothing was written")
    }

    /// Of a file that begins as an archive.
    private func refused(_ error: TarError) -> Failure {
        switch error {
        case .truncated: damaged("it breaks off")
        case .wrongChecksum:
            Failure(
                .data, "\(path) is damaged behind its beginning, or no backup",
                nextStep: "name another file that goop2 backup wrote; nothing was written")
        case .malformedNumber: damaged("a number in it cannot be read")
        case .unsupportedKind: damaged("it holds a link or another thing that no backup holds")
        case .unsafePath(let path): damaged("it holds a name that leads elsewhere: \(TerminalText.safe(path))")
        }
    }

    /// A backup that was packed is whole, and its owner must not look for another.
    private func refuseCompressed() throws {
        try input.rewind()
        let head = try input.read(6)
        // gzip, xz, zstd, bzip2
        let packed: [[UInt8]] = [[0x1F, 0x8B], [0xFD, 0x37, 0x7A], [0x28, 0xB5, 0x2F, 0xFD], [0x42, 0x5A, 0x68]]
        guard packed.contains(where: { head.starts(with: $0) }) else { return }
        throw Failure(
            .data, "this backup cannot be used: it is compressed",
            nextStep: "unpack it first, for example with gunzip; nothing was written")
    }

    private func block() throws -> [UInt8] { try take(TarHeader.blockBytes) }

    private func take(_ count: Int) throws -> [UInt8] {
        let bytes = try input.read(count)
        guard bytes.count == count else { throw damaged("it breaks off") }
        return bytes
    }
}

private func damaged(_ what: String) -> Failure {
    Failure(.data, "this backup cannot be used: \(what)", nextStep: "try another backup; nothing was written")
}
