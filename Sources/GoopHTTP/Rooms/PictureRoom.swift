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
    /// Begins the address of another peer's picture.
    static let peer = "/api/avatar/peer/"

    let desk: (any PictureDesk)?
    let routes: RoomRoutes

    /// `GET /api/avatar`: the owner's picture, or 404.
    func own(_ admitted: Admitted<ReadRoute>) async -> Response {
        guard let desk else { return routes.closed }
        return answer(admitted.request, await desk.ownPicture())
    }

    /// `GET /api/avatar/peer/<id>`: the picture of a peer, or 404.
    func ofPeer(_ admitted: Admitted<ReadRoute>) async -> Response {
        guard let desk else { return routes.closed }
        guard let peer = admitted.target.path.dropping(prefix: Self.peer).flatMap({ PeerID(String($0)) }) else {
            return routes.refuse(.badRequest, "no such id", "the id of a peer")
        }
        return answer(admitted.request, await desk.picture(of: peer))
    }

    /// `POST /api/avatar/upload` with the bytes → `{"ok":true,"hash"}`.
    func set(_ admitted: Admitted<ChangeRoute>) async -> Response {
        guard let desk else { return routes.closed }
        let bytes = Array(admitted.body.readableBytesView)
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

    /// `POST /api/avatar/delete` → `{"ok":true,"hash":""}`.
    func remove(_ admitted: Admitted<ChangeRoute>) async -> Response {
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
