import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// When a file that arrives may take its place.
public enum UploadCondition: Sendable, Hashable {
    /// Nothing is there.
    case free
    /// A file that is there is replaced, and goes to the trash.
    case replacing
    /// The file that is there has this stamp, and is replaced.
    case unchanged(stamp: String)
}

/// A file on its way into a site: written under a name of its own where nobody is served it, and moved to its place when it
/// is whole and on the disk. Dropped before that, or after an error, it leaves nothing behind.
package final class SiteUploadFile: Sendable {
    /// Unfinished files.
    static let folderName = "incoming"

    private struct State {
        var written = 0
        /// In its place, or removed.
        var isGone = false
    }

    private let editor: SiteEditor
    private let path: String
    private let size: Int
    private let condition: UploadCondition
    private let folder: FolderHandleBox
    private let name: String
    private let file: CInt
    private let state = Mutex(State())

    /// Begins a file of an announced size.
    ///
    /// - Throws: `SiteEditError` when the name or the size cannot be taken, or what is there may not be replaced.
    package init(
        _ path: String, size: Int, condition: UploadCondition, in editor: SiteEditor
    ) throws(SiteEditError) {
        guard size <= SiteEditor.maximumFileBytes else {
            throw SiteEditError(
                .tooLarge, path, detail: "it has \(size) bytes; the limit is \(SiteEditor.maximumFileBytes)")
        }
        try SiteUploadFile.check(try editor.entry(at: path), path: path, condition: condition)
        let top = try editor.openRoot()
        if let free = editor.freeBytes(), free < size {
            throw SiteEditError(.full, path, detail: "it has \(size) bytes, and \(free) are free")
        }
        let incoming = try editor.workFolder(SiteUploadFile.folderName, of: top)
        name = "\(String(UInt64.random(in: 0...UInt64.max), radix: 36)).part"
        file = try incoming.makeFile(name)
        folder = FolderHandleBox(incoming)
        self.editor = editor
        self.path = path
        self.size = size
        self.condition = condition
    }

    deinit {
        close(file)
        remove()
    }

    /// Once whoever wrote it has been told that it failed, it is not there any more.
    private func remove() {
        let isThere = state.withLock { state in
            defer { state.isGone = true }
            return !state.isGone
        }
        if isThere { unlinkat(folder.handle.descriptor, name, 0) }
    }

    /// Writes bytes at the end.
    package func append(_ bytes: UnsafeRawBufferPointer) throws(SiteEditError) {
        do throws(SiteEditError) { try add(bytes) } catch {
            remove()
            throw error
        }
    }

    private func add(_ bytes: UnsafeRawBufferPointer) throws(SiteEditError) {
        let before = state.withLock { state in
            defer { state.written += bytes.count }
            return state.written
        }
        guard before + bytes.count <= size else {
            throw SiteEditError(.incomplete, path, detail: "more than the \(size) bytes that were announced")
        }
        var done = 0
        while done < bytes.count {
            let count = write(file, bytes.baseAddress?.advanced(by: done), bytes.count - done)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SiteEditError(system: path) }
            done += count
        }
    }

    /// Makes the content durable and puts the file in its place. What it replaces goes to the trash, but for a text that was
    /// edited (`UploadCondition.unchanged`).
    package func finish(trash: SiteTrash, nowMilliseconds: Int64) throws(SiteEditError) -> SiteEntry {
        do throws(SiteEditError) { return try place(trash: trash, nowMilliseconds: nowMilliseconds) } catch {
            remove()
            throw error
        }
    }

    private func place(trash: SiteTrash, nowMilliseconds: Int64) throws(SiteEditError) -> SiteEntry {
        let written = state.withLock { $0.written }
        guard written == size else {
            throw SiteEditError(.incomplete, path, detail: "\(written) of \(size) bytes")
        }
        guard fsync(file) == 0 else { throw SiteEditError(system: path) }
        let (folders, last) = try editor.parts(of: path)
        let target = try editor.openRoot().folder(at: folders, makesMissing: true)
        let old = try target.status(of: last).map { SiteEntry(path: path, status: $0) }
        try SiteUploadFile.check(old, path: path, condition: condition)
        switch (old, condition) {
        case (nil, _): try folder.handle.move(name, to: target, as: last)
        case (_?, .unchanged): try folder.handle.replace(name, to: target, as: last)
        case (_?, _):
            try trash.replace(
                last, of: target, path: path, by: name, of: folder.handle, nowMilliseconds: nowMilliseconds)
        }
        state.withLock { $0.isGone = true }
        target.flush()
        guard let status = try target.status(of: last) else { throw SiteEditError(.missing, path) }
        return SiteEntry(path: path, status: status)
    }

    private static func check(
        _ entry: SiteEntry?, path: String, condition: UploadCondition
    ) throws(SiteEditError) {
        switch (entry, condition) {
        case (nil, .unchanged): throw SiteEditError(.changed, path)
        case (nil, _): return
        case (let entry?, _) where entry.kind == .folder: throw SiteEditError(.isFolder, path)
        case (_?, .free): throw SiteEditError(.exists, path)
        case (let entry?, .unchanged(let stamp)):
            guard entry.stamp == stamp else { throw SiteEditError(.changed, path) }
        case (_?, .replacing): return
        }
    }
}

/// A handle that is only used, never changed, after it was made.
private struct FolderHandleBox: @unchecked Sendable {
    let handle: FolderHandle

    init(_ handle: FolderHandle) { self.handle = handle }
}
