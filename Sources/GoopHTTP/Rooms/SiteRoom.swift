import GoopCore
import HTTPTypes
import HummingbirdCore
import NIOCore

/// Behind the room "My site": what is in the folder, and every change of it.
///
/// Errors have the shape of all rooms and `"kind"`, the class of `SiteEditError`.
struct SiteRoom: Sendable {
    /// What is asked for with JSON.
    enum Change: CaseIterable {
        case makeFolder, move, delete, checkDeletion, restore, emptyTrash, checkStarter, applyStarter
    }
    /// The address below `/api/rooms/` that takes a file.
    static let upload = "site/upload"

    let desk: (any SiteDesk)?
    let routes: RoomRoutes

    /// `{"folder","files":[{"path","kind","size","changed","stamp"}],"complete","unserved","free","limit",
    /// "deleted":[{"ticket","path","kind","deleted","bytes"}],"trash":{"bytes","items"},"starters":[{"name","summary"}]}`.
    func sheet() async -> Response {
        guard let desk else { return routes.closed }
        do throws(SiteEditError) { return routes.answer(json(try await desk.sheet())) } catch { return refuse(error) }
    }

    /// `?path=` → `{"path","text","stamp"}`.
    func text(_ target: RequestTarget) async -> Response {
        guard let desk else { return routes.closed }
        guard let path = QueryText.value(of: "path", in: target.query ?? "") else {
            return routes.refuse(.badRequest, "path is missing", "the path of a file")
        }
        do throws(SiteEditError) {
            let text = try await desk.text(at: path)
            return routes.answer([
                "path": .string(text.path), "text": .string(text.text), "stamp": .string(text.stamp),
            ])
        } catch { return refuse(error) }
    }

    /// `folder {"path"}`, `move {"path","to","replace"}`, `delete {"path"}` → the item,
    /// `delete/check {"path"}` → `{"gone":[items]}`, those that deleting it would make go for good, `restore {"ticket","replace"}` → `{"path"}`,
    /// `empty-trash {}`, `starter/check {"starter"}` → `{"files":[{"path","effect"}]}`,
    /// `starter/apply {"starter","replace":[paths]}` → `{"kept":[{"table","columns":[names]}]}`.
    func change(_ change: Change, _ object: JSONObject) async -> Response {
        guard let desk else { return routes.closed }
        do throws(SiteEditError) {
            switch change {
            case .makeFolder: try await desk.makeFolder(try text("path", of: object))
            case .move:
                try await desk.move(
                    try text("path", of: object), to: try text("to", of: object),
                    replaces: object["replace"]?.bool ?? false)
            case .delete: return routes.answer(json(try await desk.delete(try text("path", of: object))))
            case .checkDeletion:
                let gone = try await desk.pushedOut(byDeleting: try text("path", of: object))
                return routes.answer(["gone": .array(gone.map(json))])
            case .restore:
                let path = try await desk.restore(
                    try text("ticket", of: object), replaces: object["replace"]?.bool ?? false)
                return routes.answer(["path": .string(path)])
            case .checkStarter:
                let files = try await desk.starterFiles(try text("starter", of: object))
                return routes.answer([
                    "files": .array(
                        files.map { ["path": .string($0.path), "effect": .string($0.effect.rawValue)] })
                ])
            case .applyStarter:
                let replacing = Set((object["replace"]?.array ?? []).compactMap(\.string))
                let kept = try await desk.applyStarter(try text("starter", of: object), replacing: replacing)
                return routes.answer([
                    "kept": .array(
                        kept.map { table -> JSONValue in
                            ["table": .string(table.name), "columns": .array(table.columns.map { .string($0) })]
                        })
                ])
            case .emptyTrash: await desk.emptyTrash()
            }
            return routes.answer(["ok": true])
        } catch { return refuse(error) }
    }

    /// `?path=` and `&replace=1` or `&stamp=`, the body is the file → `{"path","kind","size","changed","stamp"}`.
    ///
    /// Whatever is wrong, the body is read to its end before the answer: a browser that is still sending would not see it.
    func upload(_ admitted: Admitted<ChangeRoute>) async -> Response {
        guard let desk else { return routes.closed }
        let (request, target) = (admitted.request, admitted.target)
        let size = request.headers[.contentLength].flatMap { Int($0) } ?? 0
        guard let path = QueryText.value(of: "path", in: target.query ?? "") else {
            var response = routes.refuse(.badRequest, "path is missing", "where the file is to be")
            response.headers[.connection] = "close"
            return response
        }
        var failure: SiteEditError?
        var upload: (any SiteUpload)?
        do throws(SiteEditError) {
            upload = try await desk.upload(path, size: size, condition: Self.condition(target))
        } catch { failure = error }
        var gathered = ByteBuffer()
        do {
            for try await chunk in request.body {
                // What cannot be kept is read and dropped.
                guard let current = upload else { continue }
                gathered.writeImmutableBuffer(chunk)
                guard gathered.readableBytes >= Self.writtenBytes else { continue }
                do throws(SiteEditError) { try await current.append(gathered) } catch {
                    failure = error
                    upload = nil
                }
                gathered.clear()
            }
        } catch {
            var response = routes.refuse(.badRequest, "the file did not arrive whole", "try again")
            response.headers[.connection] = "close"
            return response
        }
        do throws(SiteEditError) {
            if let failure { throw failure }
            guard let upload else { throw SiteEditError(.incomplete, path) }
            if gathered.readableBytes > 0 { try await upload.append(gathered) }
            return routes.answer(json(try await upload.finish()))
        } catch { return refuse(error) }
    }

    /// So many bytes are gathered before they are written, for the parts that arrive are small.
    private static let writtenBytes = 256 * 1024

    private static func condition(_ target: RequestTarget) -> UploadCondition {
        let query = target.query ?? ""
        if let stamp = QueryText.value(of: "stamp", in: query) { return .unchanged(stamp: stamp) }
        return QueryText.value(of: "replace", in: query) == "1" ? .replacing : .free
    }

    private func text(_ name: String, of object: JSONObject) throws(SiteEditError) -> String {
        guard let text = object[name]?.string else { throw SiteEditError(.badName, "", detail: "\(name) is missing") }
        return text
    }

    private func refuse(_ error: SiteEditError) -> Response {
        let code: DataErrorCode =
            switch error.kind {
            case .badName, .incomplete, .notText: .badRequest
            case .hidden, .denied: .refused
            case .missing: .notFound
            case .exists, .notFolder, .isFolder, .changed: .conflict
            case .full: .full
            case .tooLarge: .tooLarge
            case .failed: .internalFailure
            }
        var response = routes.answer([
            "error": .string(error.cause), "code": .string(code.rawValue), "detail": .string(error.nextStep),
            "kind": .string(error.kind.rawValue),
        ])
        response.status = .init(code: code.httpStatus)
        return response
    }

    // MARK: Shapes

    private func json(_ entry: SiteEntry) -> JSONValue {
        [
            "path": .string(entry.path), "kind": .string(entry.kind.rawValue), "size": .integer(Int64(entry.size)),
            "changed": .integer(entry.changedMilliseconds), "stamp": .string(entry.stamp),
        ]
    }

    private func json(_ item: DeletedItem) -> JSONValue {
        [
            "ticket": .string(item.ticket), "path": .string(item.path), "kind": .string(item.kind.rawValue),
            "deleted": .integer(item.deletedMilliseconds), "bytes": .integer(item.bytes),
        ]
    }

    private func json(_ sheet: SiteSheet) -> JSONValue {
        [
            "folder": .string(sheet.folder), "files": .array(sheet.listing.entries.map(json)),
            "complete": .bool(sheet.listing.isComplete), "unserved": .integer(Int64(sheet.listing.unserved)),
            "free": sheet.freeBytes.map { .integer(Int64($0)) } ?? .null,
            "limit": .integer(Int64(sheet.maximumFileBytes)), "deleted": .array(sheet.deleted.map(json)),
            "trash": [
                "bytes": .integer(sheet.trashLimits.bytes), "items": .integer(Int64(sheet.trashLimits.items)),
            ],
            "starters": .array(
                sheet.starters.map { ["name": .string($0.name), "summary": .string($0.summary)] }),
        ]
    }
}
