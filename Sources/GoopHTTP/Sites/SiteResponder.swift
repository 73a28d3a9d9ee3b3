import GoopCore
import HTTPTypes
import HummingbirdCore
import NIOCore
import PeerIdentity

/// Answers on the origin of one peer's site. There is nothing but that site, the SDK, the site's tables, and what a site
/// may know of its visitor.
struct SiteResponder: Sendable {
    let origins: SiteOrigin
    let headers: SecurityHeaders
    let notices: NoticeRenderer
    let files: SiteProxy
    let data: DataProxy
    let backend: any ViewerBackend

    func respond(to request: Request, target: RequestTarget, peer: PeerID) async -> Response {
        let own = origins.origin(of: peer)
        let fields = headers.siteOrigin(own)
        let origin = RequestOrigin(request.headers, ownOrigin: own)
        guard admits(request, origin) else { return json(error: "not from here", fields: fields) }
        if let response = SDKAssets.response(path: target.path, request: request, headers: fields) { return response }
        if let address = DataAddress(path: target.path) {
            return await data.respond(
                to: request, address: address, query: target.query, place: .site(peer), headers: fields)
        }
        switch target.path {
        case "/api/self":
            var profile = await backend.selfProfile()
            profile.email = ""
            return json(SelfAnswer(profile), fields: fields)
        case "/api/peers":
            let peers = await backend.peers().map { entry in
                var entry = entry
                entry.email = ""
                return PeerAnswer(entry: entry)
            }
            return json(peers, fields: fields)
        default:
            guard target.isSite else { return notices.siteNotice(.notFound) }
            return await files.respond(to: request, target: target, onOriginOf: peer, fields: fields)
        }
    }

    /// Pages of this site, programs, and navigations that lead here; nothing of another origin.
    private func admits(_ request: Request, _ origin: RequestOrigin) -> Bool {
        guard !origin.isWorker, !origin.isOpaqueScript, !origin.isForeignPage else { return false }
        return origin.site != .foreign || (origin.isNavigation && request.method == .get)
    }

    private func json(error: String, fields: HTTPFields) -> Response {
        DataFailure.response(
            DataError(code: .refused, message: error, detail: "this belongs to the site at its own address"),
            headers: fields)
    }

    private func json(_ value: some Encodable, fields: HTTPFields) -> Response {
        var fields = fields
        fields[.contentType] = "application/json"
        return Response(
            status: .ok, headers: fields, body: ResponseBody(byteBuffer: .init(bytes: JSONText.encode(value))))
    }
}
