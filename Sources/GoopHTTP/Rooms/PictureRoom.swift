import GoopCore
import HTTPTypes
import HummingbirdCore
import NIOCore
import PeerIdentity

/// `/api/avatar`: pictures for the viewer's own pages, at the addresses that upstream has.
///
/// A stranger's picture is a stranger's bytes: it has the type that its bytes tell, and is no document even if somebody opens
/// its address.
struct PictureRoom: Sendable {
    static let path = "/api/avatar"
    private static let peer = path + "/peer/"
    private static let upload = path + "/upload"
    private static let delete = path + "/delete"

    let desk: (any PictureDesk)?
    let routes: RoomRoutes

    /// `GET /api/avatar`, `GET /api/avatar/peer/<id>`: the picture, or 404; nil when the path is none of them.
    func get(_ request: Request, target: RequestTarget) async -> Response? {
        if target.path == Self.path {
            guard let desk else { return routes.closed }
            return answer(request, await desk.ownPicture())
        }
        guard let name = target.path.dropping(prefix: Self.peer) else { return nil }
        guard let desk else { return routes.closed }
        guard let peer = PeerID(String(name)) else {
            return routes.refuse(.badRequest, "no such id", "the id of a peer")
        }
        return answer(request, await desk.picture(of: peer))
    }

    /// `POST /api/avatar/upload` with the bytes, `POST /api/avatar/delete` → `{"ok":true,"hash"}`; nil when the path is
    /// none of them.
    func post(_ request: Request, target: RequestTarget) async -> Response? {
        switch target.path {
        case Self.upload:
            switch await routes.control.admit(
                request, place: .viewer, type: "application/octet-stream", maximumBodyBytes: Avatar.maximumOwnBytes)
            {
            case .refused(let response): return response
            case .admitted(let body): return await set(Array(body.readableBytesView))
            }
        case Self.delete:
            switch await routes.control.admit(request, place: .viewer) {
            case .refused(let response): return response
            case .admitted: return await remove()
            }
        default: return nil
        }
    }

    private func set(_ bytes: [UInt8]) async -> Response {
        guard let desk else { return routes.closed }
        let avatar: Avatar
        do throws(AvatarFault) { avatar = try Avatar(bytes, limit: Avatar.maximumOwnBytes) } catch {
            var response = routes.refuse(.badRequest, error.description, "choose another picture")
            response.status = .unsupportedMediaType
            return response
        }
        do throws(PictureDeskError) { try await desk.set(avatar) } catch {
            return routes.refuse(.internalFailure, error.message, "check the disk, and try again")
        }
        return routes.answer(["ok": true, "hash": .string(avatar.hash)])
    }

    private func remove() async -> Response {
        guard let desk else { return routes.closed }
        do throws(PictureDeskError) { try await desk.remove() } catch {
            return routes.refuse(.internalFailure, error.message, "check the disk, and try again")
        }
        return routes.answer(["ok": true, "hash": ""])
    }

    private func answer(_ request: Request, _ avatar: Avatar?) -> Response {
        guard let avatar else { return routes.refuse(.notFound, AvatarFault.none.description, "") }
        var fields = routes.headers.picture()
        fields[.eTag] = "\"\(avatar.hash)\""
        if request.headers[.ifNoneMatch] == fields[.eTag] { return Response(status: .notModified, headers: fields) }
        fields[.contentType] = avatar.kind.rawValue
        return Response(
            status: .ok, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(bytes: avatar.bytes)))
    }
}
