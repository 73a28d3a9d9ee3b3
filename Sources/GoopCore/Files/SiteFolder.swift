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
        guard let root = FolderPath.real(root) else { throw SiteError(kind: .disabled) }
        guard let opened = try open(path, root: root, isStrict: false) else { throw SiteError(kind: .notFound) }
        let head = SiteHead(mediaType: opened.mediaType, size: opened.stamp.size)
        return SiteFile(descriptor: opened.descriptor, stamp: opened.stamp, head: head)
    }

    /// Opens what answers a query: the file or a part of it, the word that it is a folder, or the site's `404.html`.
    ///
    /// Blocks as `open` does, and for the hash of a file that was not asked for since it changed.
    /// - Throws: `SiteError` as `open` does.
    package func answer(_ query: SiteQuery, tags: ContentTags) throws(SiteError) -> SiteFile {
        let path = try SitePath(query.path, hidden: hidden)
        guard let root = FolderPath.real(root) else { throw SiteError(kind: .disabled) }
        do throws(SiteError) {
            guard let opened = try open(path, root: root, isStrict: true) else {
                return SiteFile(folder: SiteHead(mediaType: MediaType.unknown, size: 0, status: .folder))
            }
            let tag = tags.tag(of: opened.descriptor, stamp: opened.stamp)
            let head = query.answer(mediaType: opened.mediaType, size: opened.stamp.size, tag: tag)
            return SiteFile(descriptor: opened.descriptor, stamp: opened.stamp, head: head)
        } catch {
            guard error.kind == .notFound, let page = missingPage(root: root) else { throw error }
            return page
        }
    }

    /// Begins to watch what visitors may ask for. Blocks for as long as the file system does.
    package func watch(usesKernel: Bool = true) -> FolderWatch {
        FolderWatch(root: root, hidden: hidden, usesKernel: usesKernel)
    }

    /// The page that the site shows for files it does not have, if it has such a page.
    private func missingPage(root: String) -> SiteFile? {
        guard let path = try? SitePath("/404.html", hidden: hidden),
            let opened = try? open(path, root: root, isStrict: true)
        else { return nil }
        let head = SiteHead(mediaType: opened.mediaType, size: opened.stamp.size, status: .missing)
        return SiteFile(descriptor: opened.descriptor, stamp: opened.stamp, head: head)
    }

    /// A file that was found and may be served.
    private struct Opened {
        let descriptor: CInt
        let stamp: FileStamp
        let mediaType: String
    }

    /// - Parameter isStrict: a folder that is named without a slash is not served by its index: pages in it would look for
    ///   their parts one level up.
    /// - Returns: nil for such a folder, if it has an index.
    private func open(_ path: SitePath, root: String, isStrict: Bool) throws(SiteError) -> Opened? {
        let names = path.components
        let (descriptor, isFolder) = try openDescriptor(root: root, names: names)
        guard isFolder else {
            guard !path.namesFolder else {
                close(descriptor)
                throw SiteError(kind: .notFound)
            }
            return try opened(descriptor)
        }
        close(descriptor)
        let (index, isStillFolder) = try openDescriptor(root: root, names: names + ["index.html"])
        guard !isStillFolder, !isStrict || path.namesFolder else {
            close(index)
            guard !isStillFolder else { throw SiteError(kind: .notFound) }
            return nil
        }
        return try opened(index)
    }

    private func openDescriptor(root: String, names: [String]) throws(SiteError) -> (CInt, isFolder: Bool) {
        // Without O_NONBLOCK a named pipe in the folder would hold the caller for ever.
        let path = root + "/" + names.joined(separator: "/")
        let descriptor = systemOpen(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else {
            switch errno {
            case EMFILE, ENFILE: throw SiteError(kind: .busy, detail: "too many open files")
            case EACCES, EPERM:
                var error = SiteError(kind: .forbidden, detail: "the file cannot be read")
                error.isUnreadable = true
                throw error
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

    private func opened(_ descriptor: CInt) throws(SiteError) -> Opened {
        guard let stamp = FileStamp(descriptor: descriptor) else {
            close(descriptor)
            throw SiteError(kind: .notFound)
        }
        let name = SiteFolder.place(of: descriptor).map(FolderPath.lastName) ?? ""
        return Opened(descriptor: descriptor, stamp: stamp, mediaType: MediaType.ofFile(named: name))
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

/// One opened file of a site, or the answer that needs none.
///
/// The size is that of the moment of opening. A file that has changed when its last byte was read was perhaps read half old
/// and half new; `isUnchanged` tells, and the answer must not end as if it were whole.
package final class SiteFile: Sendable {
    package let head: SiteHead
    /// Below 0 once it is closed. The lock is held while the file is read, so that no read meets a number that is closed,
    /// and perhaps another file's by then.
    private let descriptor: Mutex<CInt>
    private let stamp: FileStamp?

    init(descriptor: CInt, stamp: FileStamp, head: SiteHead) {
        self.descriptor = Mutex(descriptor)
        self.stamp = stamp
        self.head = head
    }

    /// An answer without a file.
    init(folder head: SiteHead) {
        descriptor = Mutex(-1)
        stamp = nil
        self.head = head
    }

    deinit { finish() }

    /// Closes the file; nothing can be read any more. Blocks for as long as the file system does, as whoever lets go of the
    /// last reference to a file that was not finished does.
    package func finish() {
        let descriptor = descriptor.withLock { descriptor in
            defer { descriptor = -1 }
            return descriptor
        }
        if descriptor >= 0 { close(descriptor) }
    }

    /// Whether letting go of it blocks.
    package var isOpen: Bool { descriptor.withLock { $0 >= 0 } }

    /// Whether the file is as it was when it was opened.
    package var isUnchanged: Bool {
        descriptor.withLock { descriptor in
            stamp?.isSameContent(as: FileStamp(descriptor: descriptor)) ?? true
        }
    }

    /// Reads into a buffer from an offset; 0 at the end of the file. Blocks for as long as the file system does.
    package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(SiteError) -> Int {
        let count = descriptor.withLock { descriptor in
            while true {
                let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
                guard count < 0, errno == EINTR else { return count }
            }
        }
        guard count >= 0 else { throw SiteError(kind: .notFound, detail: "the file cannot be read any more") }
        return count
    }
}
