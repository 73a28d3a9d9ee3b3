import GoopCore
import HTTPTypes
import HummingbirdCore
import NIOCore
import PeerIdentity

/// Answers on the origin of one peer's site, or under its secret path. There is nothing but that site, the SDK, the
/// site's tables, and what a site may know of its visitor.
struct SiteResponder: Sendable {
    /// What the frame is sent to when everything the site stored in the browser is to go; only pages of the viewer can send it
    /// there.
    static let forgetPath = "/forget"
    /// Where the SDK leads the frame when a link leads out of the site.
    static let wayOutPath = "/out"
    /// The longest address that is passed on to the shell, in bytes.
    static let maximumWayOut = 4096

    let routeGuard: RouteGuard
    let headers: SecurityHeaders
    let notices: NoticeRenderer
    let files: SiteProxy
    let data: DataProxy
    let changes: SiteEvents
    let frames: FrameWatch
    let capabilities: CapabilityTable
    let backend: any ViewerBackend
    /// How long somebody who was not chosen by this peer's owner stays in the list after they left.
    let offlineGrace: Duration

    /// - Parameters:
    ///   - peer: whose site the place is.
    ///   - place: `.site` or `.capability` of that peer.
    func respond(to request: Request, target: RequestTarget, peer: PeerID, place: RequestPlace) async -> Response {
        let isCapability = place == .capability(peer)
        let origin = routeGuard.origin(of: request, peer: peer, place: place)
        let fields =
            isCapability
            ? headers.capability(prefix: target.prefix, isOpaqueScript: origin.isOpaqueScript) : headers.siteOrigin()
        let admitted: Admitted<SiteRoute>
        switch await routeGuard.admit(request, target: target, from: origin, peer: peer, place: place) {
        case .refused: return refuseForeign(target: target, place: place)
        case .inShell: return toShell(target)
        case .preflight: return preflight(fields)
        case .noOperation: return refuse(.unknownOperation, "there is no such operation", fields: fields)
        case .admitted(let one): admitted = one
        }
        if admitted.route == .forget { return await forget(peer, place: place) }
        if origin.isFrame {
            switch wayOut(target, of: peer) {
            case .out(let way)?:
                frames.asked(peer, to: way)
                return notices.siteNotice(.wayOut, place: place, prefix: target.prefix)
            case .inside(let page)?: return move(to: target.prefix + page, place: place)
            case nil: break
            }
            if target.path.hasPrefix("/p/") { noteStep(target, of: peer) }
        }
        guard isCapability, isStream(admitted) else {
            return await answer(admitted, peer: peer, place: place, fields: fields)
        }
        let token = target.prefix.dropFirst(RequestTarget.capabilityPrefix.count)
        guard let seat = capabilities.streams(of: token)?.take(for: peer) else {
            return DataFailure.response(
                DataError(code: .busy, message: "too many open streams", detail: "close pages of this site"),
                headers: fields)
        }
        var response = await answer(admitted, peer: peer, place: place, fields: fields)
        let body = response.body
        // A refusal is complete, and gives the seat back at once.
        guard body.contentLength == nil else { return response }
        response.body = ResponseBody { writer in
            try await body.write(writer)
            withExtendedLifetime(seat) {}
        }
        return response
    }

    /// Whether the answer may be a stream of events.
    private func isStream(_ admitted: Admitted<SiteRoute>) -> Bool {
        switch admitted.route {
        case .watch: true
        case .tables: DataAddress(path: admitted.target.path)?.suffix == "subscribe"
        case .files, .sdk, .profile, .peers, .template, .forget, .nothing: false
        }
    }

    private func answer(
        _ admitted: Admitted<SiteRoute>, peer: PeerID, place: RequestPlace, fields: HTTPFields
    ) async -> Response {
        let (request, target) = (admitted.request, admitted.target)
        switch admitted.route {
        case .files:
            return await files.respond(to: admitted, of: peer, place: place, fields: fields)
        case .template:
            return await data.respond(
                to: request, address: .template(of: peer), query: target.query, place: place, headers: fields)
        case .tables:
            guard let address = DataAddress(path: target.path) else { break }
            return await data.respond(
                to: request, address: address, query: target.query, place: place, headers: fields)
        case .watch:
            guard let watched = SiteEvents.peer(path: target.path) else { break }
            return await changes.respond(to: admitted, peer: watched, place: place, headers: fields)
        case .sdk:
            let asset = SDKAssets.response(
                path: target.path, request: request, headers: fields, isOfSite: true,
                opensToOpaque: place == .capability(peer))
            if let asset { return asset }
        case .profile:
            var profile = await backend.selfProfile()
            if await !backend.hasConsent(.email, for: peer) { profile.email = "" }
            return json(SelfAnswer(profile), fields: fields)
        case .peers:
            return json(await peersForSites(), fields: fields)
        case .forget, .nothing: break
        }
        return notices.siteNotice(.notFound, place: place, prefix: target.prefix)
    }

    /// Who is near: ids, names, pictures' hashes and presence, and nothing of what the owner of this peer thinks of them.
    ///
    /// Whoever is away for longer than the grace is still in the owner's list only as a favourite, or as somebody remembered from
    /// an earlier run. So a site gets none of those: that they are listed would tell of it.
    private func peersForSites() async -> [PeerAnswer] {
        let oldest = HTTPDate.unixMillisecondsNow() - offlineGrace.components.seconds * 1000
        return await backend.peers().compactMap { (entry: PeerEntry) -> PeerAnswer? in
            var entry = entry
            guard !entry.offline || entry.lastSeenMilliseconds >= oldest else { return nil }
            entry.email = ""
            entry.favorite = false
            // A favourite's entry outlasts its absence, and with it what its next presence may leave out.
            entry.publicKey = nil
            entry.activeTemplate = ""
            entry.videoDisabled = false
            entry.verified = false
            return PeerAnswer(entry: entry)
        }
    }

    private func refuseForeign(target: RequestTarget, place: RequestPlace) -> Response {
        guard !target.path.hasPrefix("/api/") else {
            return refuse(.refused, "not from here", fields: headers.siteOrigin())
        }
        return notices.siteNotice(.init(.foreignPage), place: place, prefix: target.prefix)
    }

    private func noteStep(_ target: RequestTarget, of peer: PeerID) {
        guard let path = target.path.dropping(prefix: "/p/\(peer.base58)"), path.first == "/" else { return }
        frames.moved(peer, to: path + target.querySuffix)
    }

    /// Where a step of a frame leads that asks for no page of its site.
    private enum WayOut {
        /// To a web address, or a path of another site's page that begins with `/p/`.
        case out(String)
        /// To a page of this site under the address that people pass on: its path, which begins with `/p/`.
        case inside(String)
    }

    /// Where a frame is to go that is no page of this site: `/p/<other>/…`, or what the SDK makes of a link to the web,
    /// `/out?to=<address>`. Nil for everything else.
    private func wayOut(_ target: RequestTarget, of peer: PeerID) -> WayOut? {
        if target.path == Self.wayOutPath {
            guard let address = QueryText.value(of: "to", in: target.query ?? ""),
                address.hasPrefix("https://") || address.hasPrefix("http://"),
                address.utf8.count <= Self.maximumWayOut,
                !address.unicodeScalars.contains(where: { $0.value <= 0x20 || $0.value == 0x7f })
            else { return nil }
            return page(at: address, of: peer) ?? .out(address)
        }
        guard target.path.hasPrefix("/p/"), case .file(let other, _) = SiteAddress(target), other != peer,
            target.path.utf8.count + target.querySuffix.utf8.count <= Self.maximumWayOut
        else { return nil }
        return .out(target.path + target.querySuffix)
    }

    /// The page of a site that an address of this viewer names, or one of a viewer at the usual address: links that people
    /// pass on are such, whoever opens them. With its fragment. Nil for every other address.
    private func page(at address: String, of peer: PeerID) -> WayOut? {
        let usual = "http://127.0.0.1:\(ViewerAddress.defaultPort)"
        let origins = [headers.origin, usual].flatMap { [$0, $0.replacing("//127.0.0.1", with: "//localhost")] }
        guard let rest = origins.lazy.compactMap({ address.dropping(prefix: $0 + "/p/") }).first,
            rest.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
        else { return nil }
        let fragment = String(rest.drop { $0 != "#" })
        let path = rest.prefix { $0 != "#" }
        var page = "/p/\(path)"
        if let target = RequestTarget(page), case .redirect(let location) = SiteAddress(target) { page = location }
        guard let target = RequestTarget(page), case .file(let other, _) = SiteAddress(target) else { return nil }
        return other == peer ? .inside(page + fragment) : .out(page + fragment)
    }

    // MARK: Answers

    /// A site has no tab of its own: the shell shows it.
    private func toShell(_ target: RequestTarget) -> Response {
        move(to: headers.origin + target.path + target.querySuffix, place: .viewer)
    }

    private func move(to location: String, place: RequestPlace) -> Response {
        var fields = headers.siteNotice(styleNonce: "none", place: place)
        fields[.location] = location
        return Response(status: .temporaryRedirect, headers: fields)
    }

    /// A kept site is left alone: a tab whose visit ends may not know that another one keeps the site. Whoever has it forgotten
    /// takes that back first.
    ///
    /// The browser's cache is not named: Chromium is said to hold the answer for seconds then, and nothing of this origin is in there.
    /// The page holds one empty frame. The number of frames is what a page of the viewer sees of it, and a page about an error,
    /// the browser's or the viewer's, has none: so `visits.js` knows that this answer has come.
    private func forget(_ peer: PeerID, place: RequestPlace) async -> Response {
        var fields = headers.siteNotice(styleNonce: "none", place: place)
        if await !backend.hasConsent(.keep, for: peer) {
            fields[.clearSiteData] = "\"cookies\", \"storage\""
        }
        fields[.contentType] = "text/html; charset=utf-8"
        let page = "<!doctype html><html lang=\"en\"><title>Forgotten</title><iframe></iframe>"
        return Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(string: page)))
    }

    /// Says that an opaque page may send JSON here.
    private func preflight(_ fields: HTTPFields) -> Response {
        var fields = fields
        fields[.accessControlAllowMethods] = "GET, POST"
        fields[.accessControlAllowHeaders] = "content-type"
        return Response(status: .noContent, headers: fields)
    }

    private func refuse(_ code: DataErrorCode, _ message: String, fields: HTTPFields) -> Response {
        var response = DataFailure.response(
            DataError(code: code, message: message, detail: "this belongs to the site at its own address"),
            headers: fields)
        // The body was not read; what is left of it would be taken for the next request.
        response.headers[.connection] = "close"
        return response
    }

    private func json(_ value: some Encodable, fields: HTTPFields) -> Response {
        var fields = fields
        fields[.contentType] = "application/json"
        return Response(
            status: .ok, headers: fields, body: ResponseBody(byteBuffer: .init(bytes: JSONText.encode(value))))
    }
}
