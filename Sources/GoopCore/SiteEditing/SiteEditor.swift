#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Changes the folder of a site for its owner: lists, makes, moves and replaces what visitors may ask for, and nothing else.
///
/// Names pass the guard of visitors (`SitePath`), and must be written as they are: no `.`, `..`, empty names, nothing that
/// begins with a dot. Folders are walked by descriptors without following links, so a link in the site leads nowhere; it
/// can be moved and deleted itself. What is unfinished or deleted lies in the folder `.goop` of the site, which nobody is
/// served. All calls block for as long as the file system does.
public struct SiteEditor: Sendable {
    /// The most files and folders that are listed.
    package static let maximumEntries = 10_000
    /// The deepest folder that is listed.
    package static let maximumDepth = 32
    /// The largest file that is taken, in bytes.
    package static let maximumFileBytes = 16 << 30
    /// The largest text that is edited in the page, in bytes.
    package static let maximumTextBytes = 512 * 1024
    /// What is unfinished or deleted.
    package static let workFolder = ".goop"

    /// The folder of the site.
    package let root: String
    private let hidden: [[String]]

    /// Names the folder of a site, which need not exist yet.
    package init(root: String, hidden: [[String]] = SitePath.alwaysHidden) {
        self.root = root
        self.hidden = hidden
    }

    // MARK: Looking

    /// Everything that visitors may ask for, folders before what is in them.
    package func list() throws(SiteEditError) -> SiteListing {
        var listing = SiteListing()
        let top: FolderHandle
        do throws(SiteEditError) { top = try FolderHandle.root(root) } catch {
            guard error.kind == .missing else { throw error }
            return listing
        }
        var waiting: [[String]] = [[]]
        while let names = waiting.popLast() {
            // It may have gone since.
            guard let folder = try? top.folder(at: names) else { continue }
            try list(folder, at: names, into: &listing, waiting: &waiting)
        }
        listing.entries.sort { $0.path < $1.path }
        return listing
    }

    private func list(
        _ folder: FolderHandle, at names: [String], into listing: inout SiteListing, waiting: inout [[String]]
    ) throws(SiteEditError) {
        let room = SiteEditor.maximumEntries - listing.entries.count
        let found = try folder.names(limit: room)
        listing.unserved += found.others
        if !found.isComplete { listing.isComplete = false }
        for name in found.names where !(names.isEmpty && name == SiteEditor.workFolder) {
            let path = names + [name]
            guard SitePath.refusal(ofResolved: path, hidden: hidden) == nil else {
                listing.unserved += 1
                continue
            }
            guard let status = try folder.status(of: name) else { continue }
            let entry = SiteEntry(path: path.joined(separator: "/"), status: status)
            listing.entries.append(entry)
            guard entry.kind == .folder else { continue }
            if path.count < SiteEditor.maximumDepth { waiting.append(path) } else { listing.isComplete = false }
        }
    }

    /// Bytes that the disk has left for this program; nil if the system does not tell.
    package func freeBytes() -> Int? {
        var status = statvfs()
        guard statvfs(FolderPath.real(root) ?? FolderPath.parent(of: root), &status) == 0 else { return nil }
        let (bytes, overflows) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return overflows ? Int.max : Int(clamping: bytes)
    }

    /// What stands at a path; nil for nothing.
    package func entry(at path: String) throws(SiteEditError) -> SiteEntry? {
        let (folders, name) = try parts(of: path)
        do throws(SiteEditError) {
            let folder = try FolderHandle.root(root).folder(at: folders)
            return try folder.status(of: name).map { SiteEntry(path: path, status: $0) }
        } catch {
            guard error.kind == .missing else { throw error }
            return nil
        }
    }

    /// A short text in UTF-8.
    package func text(at path: String) throws(SiteEditError) -> (text: String, entry: SiteEntry) {
        let (folders, name) = try parts(of: path)
        let folder = try FolderHandle.root(root).folder(at: folders)
        let file = openat(folder.descriptor, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 else { throw SiteEditError(system: path) }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw SiteEditError(system: path) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw SiteEditError(.isFolder, path) }
        guard status.st_size <= SiteEditor.maximumTextBytes else {
            throw SiteEditError(.notText, path, detail: "more than \(SiteEditor.maximumTextBytes / 1024) KiB")
        }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes { buffer in
                pread(file, buffer.baseAddress?.advanced(by: filled), buffer.count - filled, off_t(filled))
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SiteEditError(system: path) }
            guard count > 0 else { throw SiteEditError(.changed, path) }
            filled += count
        }
        guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else {
            throw SiteEditError(.notText, path)
        }
        return (text, SiteEntry(path: path, status: status))
    }

    // MARK: Changing

    /// Makes a folder, and those above it.
    package func makeFolder(_ path: String) throws(SiteEditError) {
        let (folders, name) = try parts(of: path)
        let folder = try openRoot().folder(at: folders, makesMissing: true)
        guard mkdirat(folder.descriptor, name, 0o755) == 0 else { throw SiteEditError(system: path) }
        folder.flush()
    }

    /// Gives a file or folder another name or place. What is there is replaced only if a trash takes it, and only a file by a
    /// file.
    package func move(
        _ path: String, to newPath: String, replacedInto trash: SiteTrash?, nowMilliseconds: Int64
    ) throws(SiteEditError) {
        let (folders, name) = try parts(of: path)
        let (newFolders, newName) = try parts(of: newPath)
        let top = try FolderHandle.root(root)
        let folder = try top.folder(at: folders)
        guard let status = try folder.status(of: name) else { throw SiteEditError(.missing, path) }
        // By bytes: whoever writes an accent in the other way wants the other name.
        guard !path.utf8.elementsEqual(newPath.utf8) else { return }
        guard !newPath.utf8.starts(with: (path + "/").utf8) else {
            throw SiteEditError(.badName, newPath, detail: "a folder cannot be put into itself")
        }
        let target = try top.folder(at: newFolders, makesMissing: true)
        if let trash, let old = try target.status(of: newName) {
            guard old.st_mode & S_IFMT != S_IFDIR else { throw SiteEditError(.isFolder, newPath) }
            guard status.st_mode & S_IFMT != S_IFDIR else { throw SiteEditError(.exists, newPath) }
            try trash.replace(
                newName, of: target, path: newPath, by: name, of: folder, nowMilliseconds: nowMilliseconds)
        } else {
            try folder.move(name, to: target, as: newName)
        }
        target.flush()
        folder.flush()
    }

    // MARK: Parts

    /// The folders and the last name of a path as it must be written.
    func parts(of path: String) throws(SiteEditError) -> (folders: [String], name: String) {
        let names: [String]
        do throws(SiteError) { names = try SitePath(path, hidden: hidden).components } catch {
            throw SiteEditError(error.kind == .forbidden ? .hidden : .badName, path, detail: error.detail)
        }
        // By bytes: to Swift, texts are equal that the file system tells apart.
        guard path.utf8.elementsEqual(names.joined(separator: "/").utf8), let name = names.last else {
            throw SiteEditError(
                .badName, path, detail: "a path from the site’s folder is needed, such as pictures/cat.png")
        }
        return (names.dropLast(), name)
    }

    /// The root, made if it is not there.
    func openRoot() throws(SiteEditError) -> FolderHandle {
        do throws(FileFault) { try AtomicFile.createFolder(root) } catch {
            guard error.code != 0 else { throw SiteEditError(.notFolder, "", detail: error.reason) }
            throw SiteEditError(system: "", code: error.code)
        }
        return try FolderHandle.root(root)
    }

    /// A folder of the site's own that nobody is served.
    func workFolder(_ name: String, of top: FolderHandle) throws(SiteEditError) -> FolderHandle {
        try top.folderMadeIfMissing(SiteEditor.workFolder, mode: 0o700).folderMadeIfMissing(name, mode: 0o700)
    }
}
