import GoopCore
import GoopHTTP
import NIOCore
import NIOPosix

/// The owner's hands in the folder of the own site. Everything that waits for the disk does so on a thread that may.
///
/// The watch of the folder tells open pages of what is changed here, as it does of every other change.
struct NodeSiteDesk: SiteDesk {
    private let editor: SiteEditor
    private let trash: SiteTrash
    private let tables: SiteTables
    private let label: @Sendable () -> String

    /// Also removes what an earlier run left unfinished: the folder is locked for this process.
    /// - Parameter label: taken anew with each starter, for the owner may change it.
    init(
        root: String, hidden: [[String]], tables: SiteTables, label: @autoclosure @escaping @Sendable () -> String
    ) {
        editor = SiteEditor(root: root, hidden: hidden)
        trash = SiteTrash(of: editor)
        self.tables = tables
        self.label = label
        trash.removeUnfinished()
    }

    func sheet() async throws(SiteEditError) -> SiteSheet {
        try await onDisk { [editor, trash] () throws(SiteEditError) in
            let folder = FolderPath.real(editor.root) ?? editor.root
            let listing: SiteListing
            do throws(SiteEditError) { listing = try editor.list() } catch {
                // Where there is no list the page has no other way to say which folder it is.
                throw error.path.isEmpty ? SiteEditError(error.kind, folder, detail: error.detail) : error
            }
            return SiteSheet(
                folder: folder, listing: listing, deleted: trash.items(),
                trashLimits: trash.limits, freeBytes: editor.freeBytes(), maximumFileBytes: SiteEditor.maximumFileBytes,
                starters: StarterSite.allCases.map { .init(name: $0.rawValue, summary: $0.summary) })
        }
    }

    func makeFolder(_ path: String) async throws(SiteEditError) {
        try await onDisk { [editor] () throws(SiteEditError) in try editor.makeFolder(path) }
    }

    func move(_ path: String, to newPath: String, replaces: Bool) async throws(SiteEditError) {
        let now = PeerClock().now().unixMilliseconds
        try await onDisk { [editor, trash] () throws(SiteEditError) in
            let taker: SiteTrash? = replaces ? trash : nil
            try editor.move(path, to: newPath, replacedInto: taker, nowMilliseconds: now)
        }
    }

    func pushedOut(byDeleting path: String) async throws(SiteEditError) -> [DeletedItem] {
        let now = PeerClock().now().unixMilliseconds
        return try await onDisk { [trash] () throws(SiteEditError) in
            try trash.pushedOut(byDeleting: path, nowMilliseconds: now)
        }
    }

    func delete(_ path: String) async throws(SiteEditError) -> DeletedItem {
        let now = PeerClock().now().unixMilliseconds
        return try await onDisk { [trash] () throws(SiteEditError) in
            try trash.delete(path, nowMilliseconds: now)
        }
    }

    func restore(_ ticket: String, replaces: Bool) async throws(SiteEditError) -> String {
        let now = PeerClock().now().unixMilliseconds
        return try await onDisk { [trash] () throws(SiteEditError) in
            try trash.restore(ticket, replaces: replaces, nowMilliseconds: now)
        }
    }

    func emptyTrash() async {
        try? await onDisk { [trash] () throws(SiteEditError) in trash.empty() }
    }

    func text(at path: String) async throws(SiteEditError) -> SiteText {
        try await onDisk { [editor] () throws(SiteEditError) in
            let (text, entry) = try editor.text(at: path)
            return SiteText(path: path, text: text, stamp: entry.stamp)
        }
    }

    func upload(
        _ path: String, size: Int, condition: UploadCondition
    ) async throws(SiteEditError) -> any SiteUpload {
        let file = try await onDisk { [editor] () throws(SiteEditError) in
            try SiteUploadFile(path, size: size, condition: condition, in: editor)
        }
        return NodeSiteUpload(file: file, trash: trash)
    }

    // MARK: Starters

    func starterFiles(_ name: String) async throws(SiteEditError) -> [StarterFile] {
        let files = files(of: try starter(name))
        return try await onDisk { [editor] () throws(SiteEditError) in
            try NodeSiteDesk.effects(of: files, in: editor)
        }
    }

    @discardableResult
    func applyStarter(_ name: String, replacing: Set<String>) async throws(SiteEditError) -> [KeptTable] {
        let starter = try starter(name)
        let files = files(of: starter)
        let now = PeerClock().now().unixMilliseconds
        try await onDisk { [editor, trash] () throws(SiteEditError) in
            let effects = try NodeSiteDesk.effects(of: files, in: editor)
            for file in effects {
                switch file.effect {
                case .blocked: throw SiteEditError(.notFolder, file.path, detail: "something else has that name")
                case .replaces where !replacing.contains(file.path): throw SiteEditError(.exists, file.path)
                default: continue
                }
            }
            for (file, effect) in zip(files, effects) where effect.effect != .same {
                let bytes = Array(file.text.utf8)
                let upload = try SiteUploadFile(
                    file.name, size: bytes.count, condition: effect.effect == .new ? .free : .replacing, in: editor)
                let written = bytes.withUnsafeBytes { buffer -> Result<Void, SiteEditError> in
                    do throws(SiteEditError) { return .success(try upload.append(buffer)) } catch {
                        return .failure(error)
                    }
                }
                try written.get()
                _ = try upload.finish(trash: trash, nowMilliseconds: now)
            }
        }
        var kept: [KeptTable] = []
        for table in starter.tables {
            let isMade = try await make(table)
            if !isMade { kept.append(KeptTable(name: table.name, columns: table.columnNames)) }
        }
        return kept
    }

    private func starter(_ name: String) throws(SiteEditError) -> StarterSite {
        guard let starter = StarterSite(rawValue: name) else {
            throw SiteEditError(.badName, name, detail: "there is no such site to start from")
        }
        return starter
    }

    private func files(of starter: StarterSite) -> [(name: String, text: String)] { starter.files(label: label()) }

    private static func effects(
        of files: [(name: String, text: String)], in editor: SiteEditor
    ) throws(SiteEditError) -> [StarterFile] {
        var effects: [StarterFile] = []
        for file in files {
            let effect: StarterFile.Effect
            do throws(SiteEditError) {
                switch try editor.entry(at: file.name)?.kind {
                case nil: effect = .new
                case .folder: effect = .blocked
                default:
                    let isSame = (try? editor.text(at: file.name))?.text.utf8.elementsEqual(file.text.utf8) ?? false
                    effect = isSame ? .same : .replaces
                }
            } catch {
                guard error.kind == .notFolder else { throw error }
                effect = .blocked
            }
            effects.append(StarterFile(path: file.name, effect: effect))
        }
        return effects
    }

    /// - Returns: whether it was made; a table that is there stays as it is.
    private func make(_ table: StarterTable) async throws(SiteEditError) -> Bool {
        do throws(DataError) {
            do throws(DataError) {
                _ = try await tables.perform(table.creation, caller: .owner)
            } catch {
                guard error.code == .conflict else { throw error }
                return false
            }
            if let row = table.firstRowInsertion { _ = try await tables.perform(row, caller: .owner) }
            return true
        } catch {
            throw SiteEditError(
                error.code == .full ? .full : .failed, "data.db",
                detail: "the files are there, but the table \(table.name) could not be made: \(error)")
        }
    }
}

/// A file on its way into the site, written on a thread that may wait for the disk.
private struct NodeSiteUpload: SiteUpload {
    let file: SiteUploadFile
    let trash: SiteTrash

    func append(_ bytes: ByteBuffer) async throws(SiteEditError) {
        try await onDisk { [file] () throws(SiteEditError) in
            let outcome = bytes.withUnsafeReadableBytes { buffer -> Result<Void, SiteEditError> in
                do throws(SiteEditError) { return .success(try file.append(buffer)) } catch { return .failure(error) }
            }
            try outcome.get()
        }
    }

    func finish() async throws(SiteEditError) -> SiteEntry {
        let now = PeerClock().now().unixMilliseconds
        return try await onDisk { [file, trash] () throws(SiteEditError) in
            try file.finish(trash: trash, nowMilliseconds: now)
        }
    }
}

private func onDisk<Value: Sendable>(
    _ body: @escaping @Sendable () throws(SiteEditError) -> Value
) async throws(SiteEditError) -> Value {
    do {
        return try await NIOThreadPool.singleton.runIfActive { () -> Result<Value, SiteEditError> in
            do throws(SiteEditError) { return .success(try body()) } catch { return .failure(error) }
        }.get()
    } catch let error as SiteEditError {
        throw error
    } catch {
        throw SiteEditError(.failed, "", detail: "the program is shutting down")
    }
}
