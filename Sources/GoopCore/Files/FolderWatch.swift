#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Notices what changes in the folder of a site.
///
/// Looks when it is asked to: `changes()` reads what the kernel has queued since (inotify), and where the kernel has no more
/// watches to give, or the system has no inotify, it compares the folder with how it was. Follows no links into other folders.
/// Only what visitors may ask for is told. One task at a time uses it.
package final class FolderWatch {
    /// The most folders that are watched one by one.
    package static let maximumFolders = 2048
    /// The most files that are compared when the kernel does not help, and folders that wait to be looked into then; changes of
    /// further ones go unnoticed.
    package static let maximumFiles = 16_384
    /// The deepest folder under the root.
    package static let maximumDepth = 32

    private let root: String
    private let hidden: [[String]]
    private let maximumFolders: Int
    private let maximumFiles: Int
    /// Watched folders by the kernel's number: the names from the root.
    private var folders: [CInt: [String]] = [:]
    private var kernel: KernelQueue?
    /// How the folder was, while the kernel does not help.
    private var snapshot: [String: FileStamp]?

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
        if usesKernel, let queue = KernelQueue() {
            kernel = queue
            var found = SiteChanges()
            if !watchFolder([], noting: &found) { kernel = nil }
        }
        if kernel == nil { compareInstead() }
    }

    /// Whether each call compares the whole folder, so that it should not be called often.
    package var isComparing: Bool { kernel == nil }

    /// What changed since the last call. Blocks for as long as the file system does.
    package func changes() -> SiteChanges {
        var changes = SiteChanges()
        guard let kernel else {
            compare(into: &changes)
            return changes
        }
        let isComplete = kernel.read { event in note(event, into: &changes) }
        if !isComplete { changes.formUnion(.unnamed) }
        if self.kernel == nil {
            changes.formUnion(.unnamed)
            compareInstead()
        }
        return changes
    }

    // MARK: With the kernel's help

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
        for (name, kind) in FolderWatch.entries(of: path) {
            let inside = names + [name]
            guard SitePath.refusal(ofResolved: inside, hidden: hidden) == nil else { continue }
            if kind == .folder {
                guard watchFolder(inside, noting: &found) else { return false }
            } else {
                found.insert("/" + inside.joined(separator: "/"))
            }
        }
        return true
    }

    /// What happens in a folder that left the site is not told any more.
    private func forgetFolders(under names: [String]) {
        for (number, folder) in folders where folder.starts(with: names) {
            kernel?.forget(number)
            folders[number] = nil
        }
    }

    // MARK: Without it

    private func compareInstead() {
        kernel = nil
        folders = [:]
        snapshot = stamps()
    }

    private func compare(into changes: inout SiteChanges) {
        let before = snapshot ?? [:]
        let now = stamps()
        for (path, stamp) in now where before[path] != stamp { changes.insert(path) }
        for path in before.keys where now[path] == nil { changes.insert(path) }
        snapshot = now
    }

    private func stamps() -> [String: FileStamp] {
        var stamps: [String: FileStamp] = [:]
        var waiting: [[String]] = [[]]
        while let names = waiting.popLast() {
            let path = ([root] + names).joined(separator: "/")
            for (name, kind) in FolderWatch.entries(of: path) {
                let inside = names + [name]
                guard SitePath.refusal(ofResolved: inside, hidden: hidden) == nil else { continue }
                if kind == .folder {
                    if inside.count <= FolderWatch.maximumDepth, waiting.count < maximumFiles {
                        waiting.append(inside)
                    }
                    continue
                }
                var status = stat()
                guard lstat(path + "/" + name, &status) == 0 else { continue }
                stamps["/" + inside.joined(separator: "/")] = FileStamp(status)
                guard stamps.count < maximumFiles else { return stamps }
            }
        }
        return stamps
    }

    private enum EntryKind { case folder, other }

    /// The names in a folder that are text, and whether each is a folder; links are no folders.
    private static func entries(of path: String) -> [(name: String, kind: EntryKind)] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var entries: [(String, EntryKind)] = []
        while let entry = readdir(folder) {
            guard entries.count < maximumFiles else { return entries }
            let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            guard bytes != Array(".".utf8), bytes != Array("..".utf8),
                let name = String(validating: bytes, as: UTF8.self)
            else { continue }
            var status = stat()
            guard lstat(path + "/" + name, &status) == 0 else { continue }
            entries.append((name, status.st_mode & S_IFMT == S_IFDIR ? .folder : .other))
        }
        return entries
    }
}
