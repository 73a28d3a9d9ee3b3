import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import PeerIdentity

/// Finds the answer to a request: what its guards admit, it gives to the handler of the route.
struct ViewerResponder: Sendable {
    let requestGuard: RequestGuard
    let headers: SecurityHeaders
    let assets: WebAssets
    let notices: NoticeRenderer
    let sites: SiteProxy
    let siteOrigins: SiteResponder
    let shell: ShellRoutes
    /// Admits to every route.
    let routeGuard: RouteGuard
    let changes: SiteEvents
    let events: EventStream
    let backend: any ViewerBackend
    let rooms: RoomRoutes
    /// The owner's tables under `/api/data/`, and those of sites on their origins.
    let tables: DataProxy
    let access: AccessEvents
    /// What the outer door shows to whoever has not signed in.
    let loginPage: LoginPage

    /// - Parameters:
    ///   - requestGuard: knows under which name this answers.
    ///   - isEncrypted: the viewer itself speaks TLS.
    ///   - shared: the same for every name of every door.
    init(
        _ requestGuard: RequestGuard, isEncrypted: Bool = false, configuration: ViewerConfiguration,
        backend: any ViewerBackend, rooms: ViewerRooms, shared: ViewerShared, logger: Logger
    ) {
        let frames = FrameWatch(unixMilliseconds: HTTPDate.unixMillisecondsNow())
        self.requestGuard = requestGuard
        headers = SecurityHeaders(origin: requestGuard.origin, isEncrypted: isEncrypted)
        let control = ControlGuard(token: ControlToken(), headers: headers)
        routeGuard = RouteGuard(
            control: control, headers: headers, origins: requestGuard.origins, capabilities: requestGuard.capabilities,
            visited: VisitedSites(), backend: backend)
        assets = WebAssets(
            token: control.token, isInner: requestGuard.isInner, startCommand: configuration.startCommand)
        notices = NoticeRenderer(headers: headers, assets: assets, backend: backend)
        loginPage = LoginPage(headers: headers, style: assets.loginStyle, backend: backend)
        sites = SiteProxy(
            backend: backend, headers: headers, notices: notices,
            shell: ShellRenderer(headers: headers, origins: requestGuard.origins, template: assets.shell),
            failures: shared.failures, answerTimeout: configuration.siteAnswerTimeout,
            stallTimeout: configuration.siteStallTimeout, logger: logger)
        tables = DataProxy(
            backend: backend, failures: shared.failures, places: shared.tableWatches,
            ownPlaces: shared.ownTableWatches, configuration: configuration, logger: logger)
        changes = SiteEvents(
            backend: backend, failures: shared.failures, places: shared.fileWatches, configuration: configuration)
        siteOrigins = SiteResponder(
            routeGuard: routeGuard, headers: headers, notices: notices, files: sites,
            data: tables,
            changes: changes, frames: frames, capabilities: requestGuard.capabilities, backend: backend,
            offlineGrace: configuration.offlineGrace)
        shell = ShellRoutes(
            backend: backend, capabilities: requestGuard.capabilities, frames: frames,
            book: rooms.book,
            headers: headers)
        events = EventStream(feed: shared.feed, backend: backend)
        self.backend = backend
        access = AccessEvents(
            access: rooms.access, backend: backend, places: shared.visitorWatches, heartbeat: configuration.heartbeat)
        self.rooms = RoomRoutes(rooms: rooms, headers: headers, transfers: shared.transfers)
    }

    /// The complete answer: HEAD without a body, and the date.
    func respond(to request: Request) async -> Response {
        let response = await route(request, requestGuard.judge(request.head), session: nil)
        return Self.finished(Self.keptOpen(response, for: request), for: request)
    }

    /// A body that is refused as too large is still read to its end if it has no more bytes than this.
    private static let maximumDroppedBytes = 16 << 20

    /// An answer that refuses a body as too large, without the word that closes the connection: a browser that is still sending
    /// would not see it. The rest of the body is read and dropped before the next request, as slowly as it comes; so this is for
    /// the inner door, and for whoever has signed in.
    static func keptOpen(_ response: Response, for request: Request) -> Response {
        guard response.status == .contentTooLarge, request.method == .post, request.headers[.connection] != "close",
            let length = request.headers[.contentLength].flatMap({ Int($0) }), length <= maximumDroppedBytes
        else { return response }
        var response = response
        response.headers[.connection] = nil
        return response
    }

    /// HEAD without a body, and the date.
    static func finished(_ response: Response, for request: Request) -> Response {
        var response = response
        if request.method == .head { response = response.createHeadResponse() }
        response.headers[.date] = HTTPDate.headerValue(unixSeconds: HTTPDate.unixSecondsNow())
        return response
    }

    /// The answer before it is finished.
    /// - Parameters:
    ///   - verdict: what `requestGuard` says of this request.
    ///   - session: who has signed in at the outer door; nil on loopback.
    func route(_ request: Request, _ verdict: RequestGuard.Verdict, session: SessionID?) async -> Response {
        // Files of sites are moved on the event loop of the connection. All the rest may compute, or wait for the disk, which
        // would hold up every connection of the loop.
        guard !RequestTarget.namesSiteFile(request.head) else { return await find(request, verdict, session: session) }
        var response = await withTaskExecutorPreference(globalConcurrentExecutor) {
            await find(request, verdict, session: session)
        }
        response.body = ViewerResponder.madeElsewhere(response.body)
        return response
    }

    /// The body, made off the event loop too. One of a known length is made already: here only sites' files are streamed with
    /// their length, and these are not asked for.
    private static func madeElsewhere(_ body: ResponseBody) -> ResponseBody {
        guard body.contentLength == nil else { return body }
        return ResponseBody { writer in
            try await withTaskExecutorPreference(globalConcurrentExecutor) { try await body.write(writer) }
        }
    }

    private func find(_ request: Request, _ verdict: RequestGuard.Verdict, session: SessionID?) async -> Response {
        switch verdict {
        case .refused(let refusal):
            return refuse(refusal, path: request.head.path ?? "")
        case .redirect(let location):
            return redirect(
                to: location, status: .temporaryRedirect, isSite: RequestTarget.isSite(request.head.path ?? ""))
        case .probe:
            // Only the shell asks, by a request that names its origin; any other page would learn that a viewer is here.
            guard request.headers[values: .origin] == [headers.origin] else {
                return refuse(.foreignPage, path: request.head.path ?? "")
            }
            return Response(status: .noContent, headers: headers.probe())
        case .scrub(let path):
            return scrub(request, path: path)
        case .allowed(let target, .site(let peer)):
            return await siteOrigins.respond(to: request, target: target, peer: peer, place: .site(peer))
        case .allowed(let target, .capability(let peer)):
            return await siteOrigins.respond(to: request, target: target, peer: peer, place: .capability(peer))
        case .allowed(let target, .viewer):
            if request.method == .post {
                switch await routeGuard.change(request, target: target) {
                case .admitted(let admitted): return await answer(admitted, session: session)
                case .refused(let refusal): return refuse(refusal, path: target.path)
                case .answered(let response): return response
                }
            }
            switch routeGuard.read(request, target: target) {
            case .admitted(let admitted): return await answer(admitted)
            case .needsClick(let peer): return await sites.askForClick(to: peer, target: target)
            case .refused(let refusal): return refuse(refusal, path: target.path)
            }
        }
    }

    private func answer(_ admitted: Admitted<ChangeRoute>, session: SessionID?) async -> Response {
        switch admitted.route {
        case .shell(let action): return await shell.post(action, admitted, session: session)
        case .room(let action): return await rooms.post(action, admitted)
        case .site(let change): return await rooms.post(change, admitted)
        case .siteUpload: return await rooms.upload(admitted)
        case .rowImport: return await rooms.importRows(admitted)
        case .pictureUpload: return await rooms.pictures.set(admitted)
        case .pictureDeletion: return await rooms.pictures.remove(admitted)
        case .tables: return await ownTables(admitted)
        }
    }

    private func ownTables(_ admitted: Admitted<some RouteName>) async -> Response {
        guard let address = DataAddress(path: admitted.target.path) else { return notices.viewerNotice(.notFound) }
        return await tables.respond(
            to: admitted.request, address: address, query: admitted.target.query, place: .viewer,
            headers: headers.viewer())
    }

    private func answer(_ admitted: Admitted<ReadRoute>) async -> Response {
        let (request, target) = (admitted.request, admitted.target)
        switch admitted.route {
        case .roomPage:
            guard let room = assets.rooms[target.path] else { break }
            return page(room, isInvisible: await backend.isInvisible(), twin: await backend.twin())
        case .oldPeersPage: return redirect(to: "/", status: .permanentRedirect)
        case .ownSitePage:
            return redirect(to: "/p/\(await backend.selfProfile().id.base58)/", status: .temporaryRedirect)
        case .visitedSite: return await sites.respond(to: admitted)
        case .sdk:
            let file = SDKAssets.response(
                path: target.path, request: request, headers: headers.viewer(),
                opensToOpaque: admitted.origin.mayBeOpaquePage)
            if let file { return file }
        case .asset:
            if let asset = assets.byPath[target.path] { return self.asset(asset, request: request) }
        case .profile: return json(SelfAnswer(await backend.selfProfile()))
        case .peers: return json(await backend.peers().map(PeerAnswer.init))
        case .events: return events.respond(to: admitted, form: .viewer, headers: headers.viewer())
        case .queueEvents: return events.respond(to: admitted, form: .messageQueue, headers: headers.viewer())
        case .siteEvents: return await access.respond(to: admitted, routes: rooms)
        case .shellSite: return await shell.site(admitted)
        case .health: return text("ok\n")
        case .readiness:
            let readiness = await backend.readiness()
            return json(ReadinessAnswer(readiness), status: readiness.isReady ? .ok : .serviceUnavailable)
        case .room(let sheet): return await rooms.get(sheet, admitted)
        case .ownPicture: return await rooms.pictures.own(admitted)
        case .peerPicture: return await rooms.pictures.ofPeer(admitted)
        case .tables: return await ownTables(admitted)
        case .watch:
            guard let peer = SiteEvents.peer(path: target.path) else { break }
            return await changes.respond(to: admitted, peer: peer, place: .viewer, headers: headers.viewer())
        case .nothing: break
        }
        return notices.viewerNotice(.notFound)
    }

    /// The frame of a page of the viewer, which names itself as the page that refers, and that frame's script.
    private func scrub(_ request: Request, path: String) -> Response {
        let origin = RequestOrigin(request.headers, ownOrigin: headers.origin)
        guard let asset = assets.scrubbing[path], origin.site == .sameOrigin || origin.referer == headers.origin + "/"
        else { return refuse(.foreignPage, path: path) }
        var fields = headers.scrub()
        fields[.contentType] = asset.contentType
        return Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: asset.body))
    }

    func refuse(_ refusal: Refusal, path: String) -> Response {
        let notice = NoticePage(refusal)
        var response = RequestTarget.isSite(path) ? notices.siteNotice(notice) : notices.viewerNotice(notice)
        switch refusal {
        case .methodNotAllowed:
            response.headers[.allow] = "GET, HEAD"
            response.headers[.connection] = "close"
        case .bodyNotAccepted, .badTarget, .badHost, .targetTooLong: response.headers[.connection] = "close"
        case .behindProxy, .notAProxy, .notEncrypted, .doorShut: response.headers[.connection] = "close"
        case .wrongHost, .foreignPage, .visitEnded: break
        }
        return response
    }

    private func redirect(to location: String, status: HTTPResponse.Status, isSite: Bool = false) -> Response {
        var fields = isSite ? headers.siteNotice(styleNonce: "none") : headers.viewer()
        fields[.location] = location
        return Response(status: status, headers: fields)
    }

    /// A page of the viewer. It holds the token, so it is never stored.
    private func page(_ html: HTMLText, isInvisible: Bool, twin: String?) -> Response {
        var fields = headers.viewer()
        fields[.contentType] = "text/html; charset=utf-8"
        return Response(
            status: .ok, headers: fields,
            body: ResponseBody(
                byteBuffer: ByteBuffer(
                    string: RoomPage.current(
                        html, isInvisible: isInvisible, twin: twin, preferences: backend.preferences))))
    }

    private func asset(_ asset: WebAssets.Asset, request: Request) -> Response {
        var fields = headers.viewer()
        fields[.cacheControl] = "no-cache"
        fields[.eTag] = asset.tag
        if request.headers[.ifNoneMatch] == asset.tag { return Response(status: .notModified, headers: fields) }
        fields[.contentType] = asset.contentType
        return Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: asset.body))
    }

    private func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) -> Response {
        var fields = headers.viewer()
        fields[.contentType] = "application/json"
        return Response(
            status: status, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(bytes: JSONText.encode(value))))
    }

    private func text(_ text: String) -> Response {
        var fields = headers.viewer()
        fields[.contentType] = "text/plain; charset=utf-8"
        return Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
