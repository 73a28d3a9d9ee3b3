import GoopCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What is in a folder, all the way down.
struct FolderContents {
    struct Item {
        /// From the folder, with slashes.
        var path: String
        var size: Int64
        var mode: UInt32
        var modified: Int64
        var isFolder: Bool
        var isFile: Bool
    }

    /// The most files and folders.
    static let maximumItems = 1_000_000
    /// The most folders inside each other.
    static let maximumDepth = 64

    /// Files and folders, sorted, a folder before what is in it.
    private(set) var items: [Item] = []
    /// What is neither: links, sockets, devices.
    private(set) var skipped: [String] = []
    /// What has a name that is not UTF-8, with U+FFFD where it is not: a site cannot show it, and an archive that other tools
    /// read cannot name it.
    private(set) var unnamed: [String] = []

    /// What was not wanted, and why.
    private(set) var unwanted: [(path: String, reason: Unwanted)] = []

    /// Why a file or folder is not wanted.
    enum Unwanted {
        /// It is made anew, and nobody misses it.
        case passing
        /// It may be missed: what it is, in words.
        case told(String)
    }

    private let maximumItems: Int

    /// Lists a folder; `unwanted` is asked for each file and folder, and a folder that is not wanted is not entered.
    /// - Parameter maximumItems: as `FolderContents.maximumItems`; tests have fewer.
    init(
        of root: String, maximumItems: Int = FolderContents.maximumItems, unwanted: (Item) -> Unwanted?
    ) throws(FileFault) {
        self.maximumItems = maximumItems
        try list(root, prefix: "", depth: 0, unwanted)
    }

    private mutating func list(
        _ folder: String, prefix: String, depth: Int, _ unwanted: (Item) -> Unwanted?
    ) throws(FileFault) {
        guard depth < FolderContents.maximumDepth else {
            throw FileFault("read", folder, reason: "folders are nested deeper than \(FolderContents.maximumDepth)")
        }
        let names: [[UInt8]]
        do throws(FileFault) { names = try FolderContents.names(in: folder) } catch {
            // Others work in the folder meanwhile: what has gone since it was listed is not in it.
            guard depth > 0, error.isMissing else { throw error }
            return
        }
        for entry in names {
            guard let name = String(validating: entry, as: UTF8.self) else {
                unnamed.append(prefix + String(decoding: entry, as: UTF8.self))
                continue
            }
            let path = prefix + name
            guard items.count < maximumItems else {
                throw FileFault("read", folder, reason: "there are more than \(maximumItems) files")
            }
            var status = stat()
            guard lstat(folder + "/" + name, &status) == 0 else {
                let fault = FileFault("look at", folder + "/" + name)
                if fault.isMissing { continue }
                throw fault
            }
            let kind = status.st_mode & S_IFMT
            let item = Item(
                path: path, size: kind == S_IFREG ? Int64(status.st_size) : 0, mode: UInt32(status.st_mode) & 0o777,
                modified: Int64(status.st_mtim.tv_sec), isFolder: kind == S_IFDIR, isFile: kind == S_IFREG)
            if let reason = unwanted(item) {
                self.unwanted.append((path, reason))
                continue
            }
            guard item.isFile || item.isFolder else {
                skipped.append(path)
                continue
            }
            items.append(item)
            if item.isFolder { try list(folder + "/" + name, prefix: path + "/", depth: depth + 1, unwanted) }
        }
    }

    /// The names in one folder as the bytes they are, sorted.
    static func names(in folder: String) throws(FileFault) -> [[UInt8]] {
        guard let handle = opendir(folder) else { throw FileFault("read", folder) }
        defer { closedir(handle) }
        var names: [[UInt8]] = []
        while let entry = readdir(handle) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != Array(".".utf8), name != Array("..".utf8) { names.append(name) }
        }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// Removes a folder that this program made, with everything in it.
    static func remove(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            unlink(path)
            return
        }
        // Also a folder whose rights from the archive keep its owner out.
        chmod(path, 0o700)
        // Names that are not text are not of this program's making.
        for name in (try? names(in: path)) ?? [] { remove(path + "/" + String(decoding: name, as: UTF8.self)) }
        rmdir(path)
    }
}
