#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Something that was deleted, or replaced by another file, and can come back.
public struct DeletedItem: Sendable, Hashable {
    /// Names it until it is gone for good.
    public var ticket: String
    /// Where it was.
    public var path: String
    /// What it is.
    public var kind: SiteEntry.Kind
    /// When it was deleted or replaced, in milliseconds of UNIX time.
    public var deletedMilliseconds: Int64
    /// About the bytes of it, with everything in it.
    public var bytes: Int64

    /// All of it.
    public init(ticket: String, path: String, kind: SiteEntry.Kind, deletedMilliseconds: Int64, bytes: Int64) {
        self.ticket = ticket
        self.path = path
        self.kind = kind
        self.deletedMilliseconds = deletedMilliseconds
        self.bytes = bytes
    }
}

/// What was deleted from a site, or replaced there: each item in a folder of its own under `.goop/trash`, with notes of where it
/// was and how large.
///
/// An item stays for `lifetimeMilliseconds`. All together are within `limits`: at a deletion with
/// which there would be more, those go for good that were deleted longest ago, and `pushedOut` tells them before. The item
/// deleted last always stays, however large. What is replaced counts as deleted, but for a text that its owner edits: the
/// owner has seen what it was.
package struct SiteTrash: Sendable {
    /// What all items have at most.
    package struct Limits: Sendable, Hashable {
        /// Bytes of their files.
        package var bytes: Int64
        /// Items; the page lists them all.
        package var items: Int

        /// Both.
        package init(bytes: Int64 = 2 << 30, items: Int = 2000) {
            self.bytes = bytes
            self.items = items
        }
    }

    /// How long an item stays, in milliseconds: a week. It goes for good at the first deletion after that.
    package static let lifetimeMilliseconds: Int64 = 7 * 24 * 3600 * 1000
    static let folderName = "trash"
    private static let item = "item"
    private static let note = "from"
    private static let sizeNote = "bytes"

    /// What all items have at most.
    package let limits: Limits
    private let editor: SiteEditor

    /// The trash of a site.
    package init(of editor: SiteEditor, limits: Limits = .init()) {
        self.editor = editor
        self.limits = limits
    }

    /// Takes a file or folder, with everything in it, out of the site.
    package func delete(_ path: String, nowMilliseconds: Int64) throws(SiteEditError) -> DeletedItem {
        let (folders, name) = try editor.parts(of: path)
        let top = try FolderHandle.root(editor.root)
        let folder = try top.folder(at: folders)
        guard try folder.status(of: name) != nil else { throw SiteEditError(.missing, path) }
        let added = try add(name, of: folder, path: path, leavesItsPlace: true, nowMilliseconds: nowMilliseconds)
        folder.flush()
        // Only now: a deletion that fails costs nothing that can still come back.
        clean(added.trash, nowMilliseconds: nowMilliseconds, keeping: added.item.ticket)
        return added.item
    }

    /// Replaces a file by another in one step; what it held goes to the trash. If that fails, nothing is changed.
    func replace(
        _ name: String, of folder: FolderHandle, path: String, by newName: String, of source: FolderHandle,
        nowMilliseconds: Int64
    ) throws(SiteEditError) {
        let added = try exchange(
            name, of: folder, path: path, by: newName, of: source, nowMilliseconds: nowMilliseconds)
        folder.flush()
        clean(added.trash, nowMilliseconds: nowMilliseconds, keeping: added.item.ticket)
    }

    private func exchange(
        _ name: String, of folder: FolderHandle, path: String, by newName: String, of source: FolderHandle,
        keeping kept: String? = nil, nowMilliseconds: Int64
    ) throws(SiteEditError) -> Added {
        let added = try add(
            name, of: folder, path: path, leavesItsPlace: false, keeping: kept, nowMilliseconds: nowMilliseconds)
        do throws(SiteEditError) { try source.replace(newName, to: folder, as: name) } catch {
            // On a file system without second names it has left its place.
            if (try? folder.status(of: name)) == nil {
                try? added.place.move(SiteTrash.item, to: folder, as: name)
            }
            // If it could not go back, it can be put back.
            if (try? folder.status(of: name)) != nil { added.trash.remove(added.item.ticket) }
            throw error
        }
        return added
    }

    /// An item that has come in.
    private struct Added {
        let trash: FolderHandle
        /// Its own folder.
        let place: FolderHandle
        let item: DeletedItem
    }

    /// - Parameters:
    ///   - leavesItsPlace: false for a file that stands where it is until another takes its place.
    ///   - kept: an item that comes back now, and stays until then though its time may be over.
    private func add(
        _ name: String, of folder: FolderHandle, path: String, leavesItsPlace: Bool, keeping kept: String? = nil,
        nowMilliseconds: Int64
    ) throws(SiteEditError) -> Added {
        guard let status = try folder.status(of: name) else { throw SiteEditError(.missing, path) }
        let bytes = folder.bytes(of: name)
        let trash = try editor.workFolder(SiteTrash.folderName, of: try FolderHandle.root(editor.root))
        // Before anything is written: on a full disk this may be the room for it.
        for item in SiteTrash.tickets(in: trash)
        where item.name != kept && SiteTrash.isOver(item.time, nowMilliseconds) {
            trash.remove(item.name)
        }
        let ticket = "\(nowMilliseconds)-\(String(UInt64.random(in: 0...UInt64.max), radix: 36))"
        do throws(SiteEditError) {
            let place = try trash.folderMadeIfMissing(ticket, mode: 0o700)
            try SiteTrash.write(path, as: SiteTrash.note, in: place)
            try SiteTrash.write(String(bytes), as: SiteTrash.sizeNote, in: place)
            // The way back first: after a power cut nothing may lie here that does not say where it was.
            place.flush()
            trash.flush()
            if leavesItsPlace {
                try folder.replace(name, to: place, as: SiteTrash.item)
            } else {
                try folder.addName(of: name, to: place, as: SiteTrash.item)
            }
            place.flush()
            let item = DeletedItem(
                ticket: ticket, path: path, kind: .init(status), deletedMilliseconds: nowMilliseconds, bytes: bytes)
            return Added(trash: trash, place: place, item: item)
        } catch {
            trash.remove(ticket)
            throw error.kind == .full
                ? SiteEditError(
                    .full, path,
                    detail: "nothing was \(leavesItsPlace ? "deleted" : "replaced"); empty the trash first")
                : error
        }
    }

    /// What would go for good if something were deleted now, before its week is over; newest first.
    package func pushedOut(byDeleting path: String, nowMilliseconds: Int64) throws(SiteEditError) -> [DeletedItem] {
        let (folders, name) = try editor.parts(of: path)
        let folder = try FolderHandle.root(editor.root).folder(at: folders)
        guard try folder.status(of: name) != nil else { throw SiteEditError(.missing, path) }
        var room = Room(limits)
        _ = room.takes(folder.bytes(of: name))
        return items().filter { item in
            !room.takes(item.bytes) && !SiteTrash.isOver(item.deletedMilliseconds, nowMilliseconds)
        }
    }

    /// What can come back, newest first.
    package func items() -> [DeletedItem] {
        guard let trash = existing() else { return [] }
        return SiteTrash.tickets(in: trash).compactMap { ticket in
            guard let place = try? trash.folder(ticket.name), let path = SiteTrash.read(SiteTrash.note, in: place),
                let status = try? place.status(of: SiteTrash.item)
            else { return nil }
            return DeletedItem(
                ticket: ticket.name, path: path, kind: .init(status), deletedMilliseconds: ticket.time,
                bytes: SiteTrash.bytes(in: place))
        }
    }

    /// Puts something back where it was.
    /// - Parameter replaces: a file that is there now goes to the trash; without it, it is never replaced. A folder replaces
    ///   nothing, and is not replaced.
    /// - Returns: where it is again.
    package func restore(
        _ ticket: String, replaces: Bool, nowMilliseconds: Int64
    ) throws(SiteEditError) -> String {
        guard SiteTrash.time(of: ticket) != nil else { throw SiteEditError(.badName, ticket) }
        let top = try FolderHandle.root(editor.root)
        guard let trash = existing(), let place = try? trash.folder(ticket),
            let path = SiteTrash.read(SiteTrash.note, in: place)
        else { throw SiteEditError(.missing, "", detail: "it is not in the trash any more") }
        let (folders, name) = try editor.parts(of: path)
        let target = try top.folder(at: folders, makesMissing: true)
        var replaced: Added?
        if replaces, let old = try target.status(of: name), let item = try place.status(of: SiteTrash.item) {
            guard old.st_mode & S_IFMT != S_IFDIR else { throw SiteEditError(.isFolder, path) }
            guard item.st_mode & S_IFMT != S_IFDIR else { throw SiteEditError(.exists, path) }
            replaced = try exchange(
                name, of: target, path: path, by: SiteTrash.item, of: place, keeping: ticket,
                nowMilliseconds: nowMilliseconds)
        } else {
            try place.move(SiteTrash.item, to: target, as: name)
        }
        target.flush()
        trash.remove(ticket)
        if let replaced {
            clean(replaced.trash, nowMilliseconds: nowMilliseconds, keeping: replaced.item.ticket)
        }
        return path
    }

    /// Makes everything in it go for good, and the room on the disk free.
    package func empty() {
        guard let trash = existing(), let (names, _, _) = try? trash.names(limit: .max) else { return }
        for name in names { trash.remove(name) }
    }

    /// Removes what an earlier run left unfinished.
    package func removeUnfinished() {
        guard let top = try? FolderHandle.root(editor.root), let work = try? top.folder(SiteEditor.workFolder) else {
            return
        }
        work.remove(SiteUploadFile.folderName)
    }

    private func existing() -> FolderHandle? {
        try? FolderHandle.root(editor.root).folder(at: [SiteEditor.workFolder, SiteTrash.folderName])
    }

    /// How much the items have, counted from the newest on.
    private struct Room {
        private let limits: Limits
        private var bytes: Int64 = 0
        private var items = 0

        init(_ limits: Limits) { self.limits = limits }

        /// - Returns: whether the next item fits; after one that does not, none does.
        mutating func takes(_ size: Int64) -> Bool {
            let (sum, overflows) = bytes.addingReportingOverflow(max(0, size))
            bytes = overflows ? .max : sum
            items += 1
            return bytes <= limits.bytes && items <= limits.items
        }
    }

    private static func isOver(_ deletedMilliseconds: Int64, _ nowMilliseconds: Int64) -> Bool {
        nowMilliseconds &- deletedMilliseconds > lifetimeMilliseconds
    }

    private func clean(_ trash: FolderHandle, nowMilliseconds: Int64, keeping kept: String) {
        let tickets = SiteTrash.tickets(in: trash)
        var room = Room(limits)
        // The one that stays counts first, whatever the clock said when others were deleted.
        for ticket in tickets.filter({ $0.name == kept }) + tickets.filter({ $0.name != kept }) {
            let size = (try? trash.folder(ticket.name)).map { SiteTrash.bytes(in: $0) } ?? 0
            let fits = room.takes(size) && !SiteTrash.isOver(ticket.time, nowMilliseconds)
            if !fits, ticket.name != kept { trash.remove(ticket.name) }
        }
        // Left over from a removal that was interrupted.
        guard let (names, _, _) = try? trash.names(limit: .max) else { return }
        for name in names where SiteTrash.time(of: name) == nil { trash.remove(name) }
    }

    /// Newest first.
    private static func tickets(in trash: FolderHandle) -> [(name: String, time: Int64)] {
        guard let (names, _, _) = try? trash.names(limit: 10_000) else { return [] }
        return names.compactMap { name in time(of: name).map { (name, $0) } }.sorted { $0.time > $1.time }
    }

    /// Of an item; those of earlier versions have no note of it.
    private static func bytes(in place: FolderHandle) -> Int64 {
        if let bytes = read(sizeNote, in: place).flatMap({ Int64($0) }), bytes >= 0 { return bytes }
        return place.bytes(of: item)
    }

    private static func time(of ticket: String) -> Int64? {
        let parts = ticket.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let time = Int64(parts[0]), time >= 0, !parts[1].isEmpty,
            parts[1].utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 || $0 >= 0x61 && $0 <= 0x7a })
        else { return nil }
        return time
    }

    private static func write(_ text: String, as name: String, in folder: FolderHandle) throws(SiteEditError) {
        let file = try folder.makeFile(name)
        defer { close(file) }
        let bytes = Array(text.utf8)
        guard systemWrite(file, bytes, bytes.count) == bytes.count, fsync(file) == 0 else {
            throw SiteEditError(system: text)
        }
    }

    private static func read(_ name: String, in folder: FolderHandle) -> String? {
        let file = openat(folder.descriptor, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: SitePath.maximumBytes + 1)
        let count = pread(file, &bytes, bytes.count, 0)
        guard count > 0, count <= SitePath.maximumBytes else { return nil }
        return String(validating: bytes.prefix(count), as: UTF8.self)
    }
}

// The system call, where a method of the same name hides it.
private func systemWrite(_ file: CInt, _ bytes: [UInt8], _ count: Int) -> Int { write(file, bytes, count) }
