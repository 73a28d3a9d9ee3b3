#if canImport(Glibc)
    package import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Reads small files whole, and writes them so that a crash leaves either the old or the new content.
package enum AtomicFile {
    /// Reads a regular file.
    /// - Parameter limit: the most bytes that are read; a larger file is refused.
    package static func read(_ path: String, limit: Int) throws(FileFault) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw FileFault("read", path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileFault("read", path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw FileFault("read", path, reason: "it is no ordinary file")
        }
        guard status.st_size <= limit else {
            throw FileFault("read", path, reason: "it has \(status.st_size) bytes; the limit is \(limit)")
        }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size) + 1)
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes { buffer in
                readBytes(descriptor, buffer.baseAddress?.advanced(by: filled), buffer.count - filled)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileFault("read", path) }
            if count == 0 { break }
            filled += count
        }
        return Array(bytes.prefix(filled))
    }

    /// Replaces a file, or creates it: temporary file, flush, rename, flush of the folder. A symbolic link stays, and
    /// the file it leads to is replaced.
    package static func write(_ bytes: [UInt8], to path: String, mode: mode_t = 0o600) throws(FileFault) {
        let target = resolvedLink(path)
        try write(bytes, beside: target, mode: mode) { rename($0, target) }
    }

    /// Creates a file that does not exist; one that does is left alone, and the fault has the code `EEXIST`.
    package static func create(_ bytes: [UInt8], at path: String, mode: mode_t = 0o600) throws(FileFault) {
        try write(bytes, beside: path, mode: mode) { link($0, path) }
    }

    /// Makes a folder and those above it; one that exists is left as it is.
    package static func createFolder(_ path: String, mode: mode_t = 0o755) throws(FileFault) {
        if mkdir(path, mode) == 0 { return }
        let code = errno
        switch code {
        case EEXIST:
            guard isFolder(path) else { throw FileFault("create the folder", path, reason: "a file has that name") }
        case ENOENT:
            let parent = FolderPath.parent(of: path)
            guard parent != path else { throw FileFault("create the folder", path, code: code) }
            try createFolder(parent, mode: mode)
            guard mkdir(path, mode) == 0 || errno == EEXIST else { throw FileFault("create the folder", path) }
        default: throw FileFault("create the folder", path, code: code)
        }
    }

    /// True if something is there, a dangling link included.
    package static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    /// Why nothing can be told of what is there, for one because nothing is; nil if something is.
    package static func faultOfLooking(at path: String) -> FileFault? {
        var status = stat()
        return lstat(path, &status) == 0 ? nil : FileFault("look at", path)
    }

    /// True if a folder is there, or a link to one.
    package static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Takes the rights of group and others away; true if there were any.
    package static func makePrivate(_ path: String) throws(FileFault) -> Bool {
        var status = stat()
        guard stat(path, &status) == 0 else { throw FileFault("look at", path) }
        guard status.st_mode & 0o077 != 0 else { return false }
        guard chmod(path, status.st_mode & 0o700) == 0 else { throw FileFault("protect", path) }
        return true
    }

    private static func resolvedLink(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private static func write(
        _ bytes: [UInt8], beside path: String, mode: mode_t, finish: (String) -> CInt
    ) throws(FileFault) {
        let file = try PartialFile(path, mode: mode)
        try file.append(bytes)
        try file.finish(finish)
    }
}

/// A file under a temporary name beside its place; removed unless it is finished.
package final class PartialFile: Sendable {
    private let path: String
    /// Where it is until it is finished.
    package let temporary: String
    private let descriptor: CInt

    /// Begins an empty file.
    package init(_ path: String, mode: mode_t = 0o644) throws(FileFault) {
        let suffix = String(UInt64.random(in: 0...UInt64.max), radix: 36)
        self.path = path
        // A name may have 255 bytes already: its beginning is enough.
        let name = FolderPath.lastName(of: path).prefix(utf8Bytes: 200)
        let temporary = FolderPath.parent(of: path) + "/." + name + "." + suffix + ".tmp"
        self.temporary = temporary
        descriptor = try Unfinished.begin(temporary, remove: { unlink($0) }) { () throws(FileFault) in
            let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
            guard descriptor >= 0 else { throw FileFault("write", path) }
            return descriptor
        }
    }

    deinit {
        close(descriptor)
        // After a rename nothing has this name any more.
        unlink(temporary)
        Unfinished.end(temporary)
    }

    /// Another one on the same disk, for its owner only, to be left unfinished.
    package func sibling() throws(FileFault) -> PartialFile { try PartialFile(path, mode: 0o600) }

    /// Writes bytes at the end.
    package func append(_ bytes: [UInt8]) throws(FileFault) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                write(descriptor, buffer.baseAddress?.advanced(by: written), buffer.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileFault("write", path) }
            written += count
        }
    }

    /// Makes the content durable and puts the file in its place.
    package func finish() throws(FileFault) { try finish { rename($0, path) } }

    /// The same with another way to put it there.
    func finish(_ place: (String) -> CInt) throws(FileFault) {
        guard fsync(descriptor) == 0, Unfinished.step({ place(temporary) }) == 0 else {
            throw FileFault("write", path)
        }
        // Makes the name durable. Some file systems cannot flush a folder; the content is safe then all the same.
        let folder = open(FolderPath.parent(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { return }
        fsync(folder)
        close(folder)
    }
}

/// Paths as texts. Slashes are looked for among the bytes, as the system does: to Swift a slash and an accent behind
/// it are one character.
package enum FolderPath {
    /// The folder that a path is in; `.` for a bare name, the root for the root.
    package static func parent(of path: String) -> String {
        var trimmed = path.utf8[...]
        while trimmed.count > 1, trimmed.last == UInt8(ascii: "/") { trimmed.removeLast() }
        guard let slash = trimmed.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == trimmed.startIndex ? "/" : String(decoding: trimmed[..<slash], as: UTF8.self)
    }

    /// The last name of a path.
    package static func lastName(of path: String) -> String {
        path.utf8.split(separator: UInt8(ascii: "/")).last.map { String(decoding: $0, as: UTF8.self) } ?? "/"
    }

    /// A path as a setting gives it: absolute, or from a folder.
    package static func resolve(_ path: String, in folder: String) -> String {
        path.utf8.first == UInt8(ascii: "/") ? path : folder + "/" + path
    }

    /// What leads from a folder to a path in it; nil if the path is not in it. By bytes, as the system reads both: to Swift a
    /// slash and a combining accent behind it are one character.
    package static func rest(of path: String, in folder: String) -> String? {
        let start = folder.utf8.last == UInt8(ascii: "/") ? folder : folder + "/"
        guard path.utf8.starts(with: start.utf8) else { return nil }
        return String(decoding: path.utf8.dropFirst(start.utf8.count), as: UTF8.self)
    }

    /// The path from the root, without links, `.` and `..`, as far as it exists; what does not exist yet is taken as
    /// it is written.
    package static func plain(_ path: String) -> String {
        if let whole = real(path) { return whole }
        let parent = parent(of: path)
        guard parent != path else { return path }
        let (above, name) = (plain(parent), lastName(of: path))
        return above == "/" ? "/" + name : above + "/" + name
    }

    /// The path with all links followed, if it exists.
    package static func real(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}

// The system call, where a method of the same name hides it.
private func readBytes(_ descriptor: CInt, _ buffer: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(descriptor, buffer, count)
}
