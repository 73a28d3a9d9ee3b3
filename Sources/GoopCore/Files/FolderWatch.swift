#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Notices what changes in the folder of a site.
///
/// Looks when it is asked to: `changes()` reads what the kernel has queued since (inotify), and where the kernel has no more
/// watches to give, or the system has no inotify, it compares the folder with how it was. Follows no links into other folders.
/// Only what visitors may ask for is told. Names of a folder are read one after the other, so however many there are, none is
/// passed over; what is watched less closely than the rest, `shortfalls` tells. One task at a time uses it.
package final class FolderWatch {
    /// The most folders that are watched one by one.
    package static let maximumFolders = 2048
    /// The most files that are compared one by one when the kernel does not help. All further ones are compared as a whole:
    /// that some of them changed is told, but not which.
    package static let maximumFiles = 16_384
    /// The deepest folder under the root: a folder is open for each step down. What is deeper is not watched.
    package static let maximumDepth = 32

    /// What is watched less closely than the rest.
    package struct Shortfalls: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// More files than `maximumFiles` are compared.
        package static let unnamedFiles = Shortfalls(rawValue: 1)
        /// There are folders deeper than `maximumDepth`.
        package static let deepFolders = Shortfalls(rawValue: 2)
    }

    /// How the folder was.
    private struct Snapshot {
        /// The first files, by path.
        var files: [ExactText: FileStamp] = [:]
        /// The further ones, whatever their order is: how many, and the sum of their hashes.
        var others = 0
        var hashes = 0
        var shortfalls: Shortfalls = []

        /// - Parameter most: files that are kept by path.
        mutating func add(_ path: String, _ stamp: FileStamp, most: Int) {
            if files.count < most {
                files[ExactText(path)] = stamp
                return
            }
            shortfalls.insert(.unnamedFiles)
            var hasher = Hasher()
            hasher.combine(path)
            hasher.combine(stamp)
            others += 1
            hashes &+= hasher.finalize()
        }
    }

    private let root: String
    private let hidden: [[String]]
    private let maximumFolders: Int
    private let maximumFiles: Int
    /// Watched folders by the kernel's number: the names from the root.
    private var folders: [CInt: [String]] = [:]
    private var kernel: KernelQueue?
    /// Whether the kernel has dropped events since the last call that found nothing.
    private var hasLostEvents = false
    /// While the kernel does not help.
    private var snapshot: Snapshot?

    /// Begins to watch a folder, which need not exist.
    /// - Parameters:
    ///   - hidden: folders under it that are not served.
    ///   - usesKernel: false compares from the start.
    ///   - maximumFolders: as `FolderWatch.maximumFolders`; tests have fewer.
    ///   - maximumFiles: as `FolderWatch.maximumFiles`; tests have fewer.
    package init(
        root: String, hidden: [[String]] = SitePath.alwaysHidden, usesKernel: Bool = true,
        maximumFolders: Int = FolderWatch.maximumFolders, maximumFiles: Int = FolderWatch.maximumFiles
    ) {
        self.root = root
        self.hidden = hidden
        self.maximumFolders = maximumFolders
        self.maximumFiles = maximumFiles
        if usesKernel { watchAnew() }
        if kernel == nil { compareInstead() }
    }

    /// Whether each call compares the whole folder, so that it should not be called often.
    package var isComparing: Bool { kernel == nil }

    /// What the last look at the folder found to be watched less closely. Nothing, while the kernel helps.
    package var shortfalls: Shortfalls { snapshot?.shortfalls ?? [] }

    /// What changed since the last call. Blocks for as long as the file system does.
    package func changes() -> SiteChanges {
        var changes = SiteChanges()
        guard let kernel else {
            compare(into: &changes)
            return changes
        }
        let isComplete = kernel.read { event in note(event, into: &changes) }
        if !isComplete, self.kernel != nil {
            changes.formUnion(.unnamed)
            // Folders may have come in what was dropped, and nobody watches them. Where it is dropped again and again, looking
            // through the folder each time would take all the time there is: comparing rests in between.
            self.kernel = nil
            if !hasLostEvents { watchAnew() }
        }
        hasLostEvents = !isComplete || (hasLostEvents && !changes.isEmpty)
        if self.kernel == nil {
            changes.formUnion(.unnamed)
            compareInstead()
        }
        return changes
    }

    // MARK: With the kernel's help

    /// Watches all folders from now on; `kernel` is nil if that is not possible.
    private func watchAnew() {
        folders = [:]
        kernel = KernelQueue()
        var found = SiteChanges()
        if kernel != nil, !watchFolder([], noting: &found) { kernel = nil }
    }

    private func note(_ event: KernelQueue.Event, into changes: inout SiteChanges) {
        guard let folder = folders[event.watch] else { return }
        if event.isGone || event.hasMovedAway {
            // The root itself went, perhaps for another one of the same name.
            if folder.isEmpty { kernel = nil }
            if event.isGone { folders[event.watch] = nil }
            return
        }
        guard let name = event.name, !name.isEmpty else { return }
        let names = folder + [name]
        guard SitePath.refusal(ofResolved: names, hidden: hidden) == nil else { return }
        if event.isFolder {
            guard event.hasAppeared else {
                forgetFolders(under: names)
                return changes.formUnion(.unnamed)
            }
            // Files in it may be older than the watch on it.
            if !watchFolder(names, noting: &changes) { kernel = nil }
        } else {
            changes.insert("/" + names.joined(separator: "/"))
        }
    }

    /// Watches a folder and those in it; false if the kernel or our bound has no more room.
    private func watchFolder(_ names: [String], noting found: inout SiteChanges) -> Bool {
        guard names.count <= FolderWatch.maximumDepth, folders.count < maximumFolders, let kernel else {
            return false
        }
        let path = ([root] + names).joined(separator: "/")
        switch kernel.watch(path, followsLink: names.isEmpty) {
        case .watched(let number): folders[number] = names
        // Gone already, or not for us to read: nothing of it is served either.
        case .notThere: return !names.isEmpty
        case .exhausted: return false
        }
        var hasRoom = true
        lookInto(names) { inside, isFolder, _ in
            if isFolder {
                hasRoom = watchFolder(inside, noting: &found)
            } else {
                found.insert("/" + inside.joined(separator: "/"))
            }
            return hasRoom
        }
        return hasRoom
    }

    /// What happens in a folder that left the site is not told any more.
    private func forgetFolders(under names: [String]) {
        for (number, folder) in folders where folder.starts(with: names, by: { ExactText($0) == ExactText($1) }) {
            kernel?.forget(number)
            folders[number] = nil
        }
    }

    // MARK: Without it

    private func compareInstead() {
        kernel = nil
        folders = [:]
        snapshot = look()
    }

    private func compare(into changes: inout SiteChanges) {
        let before = snapshot ?? Snapshot()
        let now = look()
        for (path, stamp) in now.files where before.files[path] != stamp { changes.insert(path.text) }
        for path in before.files.keys where now.files[path] == nil { changes.insert(path.text) }
        if (now.others, now.hashes) != (before.others, before.hashes) { changes.formUnion(.unnamed) }
        snapshot = now
    }

    private func look() -> Snapshot {
        var snapshot = Snapshot()
        add([], to: &snapshot)
        return snapshot
    }

    private func add(_ names: [String], to snapshot: inout Snapshot) {
        guard names.count <= FolderWatch.maximumDepth else { return snapshot.shortfalls.formUnion(.deepFolders) }
        lookInto(names) { inside, isFolder, status in
            if isFolder {
                add(inside, to: &snapshot)
            } else {
                snapshot.add("/" + inside.joined(separator: "/"), FileStamp(status), most: maximumFiles)
            }
            return true
        }
    }

    // MARK: Either way

    /// Hands out what is in a folder and may be served, until `body` has enough. Names that are no text are not; links are no
    /// folders.
    private func lookInto(
        _ names: [String], _ body: (_ inside: [String], _ isFolder: Bool, _ status: stat) -> Bool
    ) {
        let path = ([root] + names).joined(separator: "/")
        guard let folder = opendir(path) else { return }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            guard bytes != Array(".".utf8), bytes != Array("..".utf8),
                let name = String(validating: bytes, as: UTF8.self)
            else { continue }
            let inside = names + [name]
            guard SitePath.refusal(ofResolved: inside, hidden: hidden) == nil else { continue }
            var status = stat()
            guard lstat(path + "/" + name, &status) == 0 else { continue }
            guard body(inside, status.st_mode & S_IFMT == S_IFDIR, status) else { return }
        }
    }
}
