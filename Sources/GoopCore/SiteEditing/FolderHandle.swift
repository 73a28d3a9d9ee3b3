#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// An opened folder. Every step from it goes by its descriptor and follows no link, so nothing that is exchanged under way
/// can lead out of the site.
final class FolderHandle {
    let descriptor: CInt
    /// From the site's root, for messages.
    let path: String

    private init(_ descriptor: CInt, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit { close(descriptor) }

    /// Opens the root of a site; it alone may be a link, for it is its owner who names it.
    static func root(_ path: String) throws(SiteEditError) -> FolderHandle {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SiteEditError(system: "") }
        return FolderHandle(descriptor, path: "")
    }

    /// The path of a name in this folder.
    func path(of name: String) -> String { path.isEmpty ? name : path + "/" + name }

    /// Opens a folder in this one; a link is none.
    func folder(_ name: String) throws(SiteEditError) -> FolderHandle {
        let opened = openat(descriptor, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
        guard opened >= 0 else { throw SiteEditError(system: path(of: name)) }
        return FolderHandle(opened, path: path(of: name))
    }

    /// Opens a folder in this one, made first if there is nothing.
    func folderMadeIfMissing(_ name: String, mode: mode_t = 0o755) throws(SiteEditError) -> FolderHandle {
        guard mkdirat(descriptor, name, mode) == 0 || errno == EEXIST else {
            throw SiteEditError(system: path(of: name))
        }
        return try folder(name)
    }

    /// Opens the folder at the names below this one.
    func folder(at names: some Sequence<String>, makesMissing: Bool = false) throws(SiteEditError) -> FolderHandle {
        var folder = self
        for name in names {
            folder = makesMissing ? try folder.folderMadeIfMissing(name) : try folder.folder(name)
        }
        return folder
    }

    /// Makes a file that does not exist, for writing.
    func makeFile(_ name: String) throws(SiteEditError) -> CInt {
        let opened = openat(descriptor, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard opened >= 0 else { throw SiteEditError(system: path(of: name)) }
        return opened
    }

    /// What stands under a name, itself and not what it leads to; nil for nothing.
    func status(of name: String) throws(SiteEditError) -> stat? {
        var status = stat()
        if fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 { return status }
        guard errno == ENOENT else { throw SiteEditError(system: path(of: name)) }
        return nil
    }

    /// The names in the folder that are text, at most so many, in no order; `others` counts those that are no text.
    func names(limit: Int) throws(SiteEditError) -> (names: [String], others: Int, isComplete: Bool) {
        let (found, isComplete) = try systemNames(limit: limit)
        let names = found.compactMap { String(validating: $0.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self) }
        return (names, found.count - names.count, isComplete)
    }

    /// The names as the system has them, each with its zero byte.
    private func systemNames(limit: Int) throws(SiteEditError) -> (names: [[CChar]], isComplete: Bool) {
        // A descriptor of its own, because closing the stream closes it, and the position in the folder is shared.
        let own = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard own >= 0, let stream = fdopendir(own) else {
            let error = SiteEditError(system: path)
            if own >= 0 { close(own) }
            throw error
        }
        defer { closedir(stream) }
        var names: [[CChar]] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
            }
            if name == [0x2e, 0] || name == [0x2e, 0x2e, 0] { continue }
            guard names.count < limit else { return (names, false) }
            names.append(name)
        }
        return (names, true)
    }

    /// Makes the names in the folder durable. Some file systems cannot; the content of the files is safe then all the same.
    func flush() { fsync(descriptor) }

    /// Deeper folders, and more files, are not measured.
    private static let measuredDepth = 32
    private static let measuredFiles = 100_000

    /// About the bytes of a file, or of the files in a folder, links not followed; 0 if it cannot be told.
    func bytes(of name: String) -> Int64 {
        guard let status = try? status(of: name) else { return 0 }
        guard status.st_mode & S_IFMT == S_IFDIR else { return Int64(status.st_size) }
        var bytes: Int64 = 0
        var left = FolderHandle.measuredFiles
        var waiting = [[name]]
        while let path = waiting.popLast() {
            guard let folder = try? folder(at: path), let (names, _, _) = try? folder.names(limit: left) else {
                continue
            }
            left -= names.count
            for name in names {
                guard let status = try? folder.status(of: name) else { continue }
                if status.st_mode & S_IFMT != S_IFDIR {
                    bytes &+= Int64(status.st_size)
                } else if path.count < FolderHandle.measuredDepth {
                    waiting.append(path + [name])
                }
            }
        }
        return max(0, bytes)
    }

    /// Moves a file or a folder to a place where nothing is: what is there is never replaced, but for an empty folder by a
    /// folder.
    func move(_ name: String, to target: FolderHandle, as newName: String) throws(SiteEditError) {
        guard let status = try status(of: name) else { throw SiteEditError(.missing, path(of: name)) }
        guard try target.status(of: newName) == nil else { throw SiteEditError(.exists, target.path(of: newName)) }
        if status.st_mode & S_IFMT == S_IFDIR {
            // The system refuses a full folder, or anything else, that appeared since.
            return try replace(name, to: target, as: newName)
        }
        // A new name of a file fails when something has it, at whatever moment it appeared.
        guard linkat(descriptor, name, target.descriptor, newName, 0) == 0 else {
            let code = errno
            guard code == EPERM || code == EOPNOTSUPP || code == EMLINK else {
                throw SiteEditError(system: target.path(of: newName), code: code)
            }
            // A file system without second names.
            return try replace(name, to: target, as: newName)
        }
        unlinkat(descriptor, name, 0)
    }

    /// Gives a file a second name in another folder, so that it stays in its place until another takes it in one step. Where
    /// the file system has no second names, it is moved there.
    func addName(of name: String, to target: FolderHandle, as newName: String) throws(SiteEditError) {
        guard linkat(descriptor, name, target.descriptor, newName, 0) == 0 else {
            let code = errno
            guard code == EPERM || code == EOPNOTSUPP || code == EMLINK else {
                throw SiteEditError(system: target.path(of: newName), code: code)
            }
            return try replace(name, to: target, as: newName)
        }
    }

    /// Moves a file or a folder; a file that is there is replaced in one step.
    func replace(_ name: String, to target: FolderHandle, as newName: String) throws(SiteEditError) {
        guard renameat(descriptor, name, target.descriptor, newName) == 0 else {
            // A folder into itself.
            if errno == EINVAL {
                throw SiteEditError(.badName, target.path(of: newName), detail: "a folder cannot be put into itself")
            }
            throw SiteEditError(system: target.path(of: newName))
        }
    }

    /// Removes what stands under a name, a folder with everything in it.
    ///
    /// Folders inside are first moved up beside it, so that neither depth nor the length of paths is a limit.
    func remove(_ name: String) {
        var waiting = [name]
        var number = 0
        while let name = waiting.popLast() {
            if unlinkat(descriptor, name, 0) == 0 { continue }
            guard let status = try? status(of: name), status.st_mode & S_IFMT == S_IFDIR else { continue }
            fchmodat(descriptor, name, 0o700, 0)
            guard let inside = try? folder(name), let (names, _) = try? inside.systemNames(limit: .max) else {
                continue
            }
            for entry in names where unlinkat(inside.descriptor, entry, 0) != 0 {
                number += 1
                let moved = ".removing-\(number)-\(String(UInt32.random(in: 0...UInt32.max), radix: 36))"
                if renameat(inside.descriptor, entry, descriptor, moved) == 0 { waiting.append(moved) }
            }
            unlinkat(descriptor, name, AT_REMOVEDIR)
        }
    }
}
