import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The folder of a site on this machine, and the guard in front of it.
///
/// A path is checked twice: its text by `SitePath`, and the file it led to by where that file really is. The second
/// check looks at the opened file, not at the path again, so nothing can be exchanged in between: links may lead to
/// other places of the same site and nowhere else.
public struct SiteFolder: Sendable {
    /// The root as the settings name it.
    public let root: String
    private let hidden: [[String]]

    /// Names a folder, which need not exist yet.
    /// - Parameter hidden: folders under it that are not served.
    public init(root: String, hidden: [[String]] = SitePath.alwaysHidden) {
        self.root = root
        self.hidden = hidden
    }

    /// Opens the file a visitor asked for; a folder means its `index.html`.
    ///
    /// Blocks for as long as the file system does: to be called where that is allowed.
    /// - Throws: `SiteError` of kind `.badRequest`, `.forbidden`, `.notFound`, `.disabled` without a root folder, or
    ///   `.busy` if no more files can be opened.
    package func open(_ text: String) throws(SiteError) -> SiteFile {
        let path = try SitePath(text, hidden: hidden)
        guard let realRoot = FolderPath.real(root) else { throw SiteError(kind: .disabled) }
        let names = path.components
        let (descriptor, isFolder) = try openDescriptor(root: realRoot, names: names)
        guard isFolder else {
            guard !path.namesFolder else {
                close(descriptor)
                throw SiteError(kind: .notFound)
            }
            return try file(descriptor, root: realRoot)
        }
        close(descriptor)
        let (index, isStillFolder) = try openDescriptor(root: realRoot, names: names + ["index.html"])
        guard !isStillFolder else {
            close(index)
            throw SiteError(kind: .notFound)
        }
        return try file(index, root: realRoot)
    }

    private func openDescriptor(root: String, names: [String]) throws(SiteError) -> (CInt, isFolder: Bool) {
        // Without O_NONBLOCK a named pipe in the folder would hold the caller for ever.
        let path = root + "/" + names.joined(separator: "/")
        let descriptor = systemOpen(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else {
            switch errno {
            case EMFILE, ENFILE: throw SiteError(kind: .busy, detail: "too many open files")
            case EACCES, EPERM: throw SiteError(kind: .forbidden, detail: "the file cannot be read")
            default: throw SiteError(kind: .notFound)
            }
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, let place = SiteFolder.place(of: descriptor) else {
            close(descriptor)
            throw SiteError(kind: .notFound)
        }
        let prefix = root == "/" ? root : root + "/"
        guard place == root || place.utf8.starts(with: prefix.utf8) else {
            close(descriptor)
            throw SiteError(kind: .forbidden, detail: "a link leads out of the site")
        }
        let inside = SitePath.names(in: String(decoding: place.utf8.dropFirst(prefix.utf8.count), as: UTF8.self))
        if let refusal = SitePath.refusal(ofResolved: inside, hidden: hidden) {
            close(descriptor)
            throw refusal
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return (descriptor, false)
        case S_IFDIR: return (descriptor, true)
        default:
            close(descriptor)
            throw SiteError(kind: .notFound)
        }
    }

    private func file(_ descriptor: CInt, root: String) throws(SiteError) -> SiteFile {
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_size >= 0 else {
            close(descriptor)
            throw SiteError(kind: .notFound)
        }
        let name = SiteFolder.place(of: descriptor).map(FolderPath.lastName) ?? ""
        let head = SiteHead(mediaType: MediaType.ofFile(named: name), size: Int(status.st_size))
        return SiteFile(descriptor: descriptor, head: head)
    }

    /// The real path of an opened file.
    private static func place(of descriptor: CInt) -> String? {
        #if canImport(Glibc)
            var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
            let count = buffer.withUnsafeMutableBytes { bytes in
                bytes.baseAddress.map { readlink("/proc/self/fd/\(descriptor)", $0, bytes.count) } ?? -1
            }
            guard count > 0, count < buffer.count else { return nil }
            return String(validating: buffer.prefix(count), as: UTF8.self)
        #else
            var buffer = [UInt8](repeating: 0, count: Int(MAXPATHLEN))
            guard buffer.withUnsafeMutableBytes({ fcntl(descriptor, F_GETPATH, $0.baseAddress) }) == 0 else {
                return nil
            }
            return String(validating: buffer.prefix { $0 != 0 }, as: UTF8.self)
        #endif
    }
}

private func systemOpen(_ path: String, _ flags: CInt) -> CInt { open(path, flags) }

/// One opened file of a site.
///
/// The size is that of the moment of opening: a file that grows meanwhile is sent up to it.
package final class SiteFile: Sendable {
    package let head: SiteHead
    private let descriptor: CInt

    init(descriptor: CInt, head: SiteHead) {
        self.descriptor = descriptor
        self.head = head
    }

    deinit { close(descriptor) }

    /// Reads into a buffer from an offset; 0 at the end of the file. Blocks for as long as the file system does.
    package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(SiteError) -> Int {
        while true {
            let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
            if count >= 0 { return count }
            guard errno == EINTR else { throw SiteError(kind: .notFound, detail: "the file cannot be read any more") }
        }
    }
}
