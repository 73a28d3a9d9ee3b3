import GoopCore
import HTTPTypes
import HummingbirdCore
import Logging
import Multiformats
import NIOCore

/// Answers whoever comes from another machine: the way they came first, then the name, then whether they have signed in;
/// only then the same viewer as on loopback. docs/decisions/0007.
struct OuterDoor: Sendable {
    static let cookie = "__Host-goop"

    let proxies: ProxyPolicy
    /// By what browsers send as `Host`.
    let viewers: [String: ViewerResponder]
    /// Says to whoever asks for another name where the viewer is.
    let first: ViewerResponder
    let sessions: SessionTable
    let capabilities: CapabilityTable
    let desk: LoginDesk
    let lock: OuterLock
    let logger: Logger

    /// The complete answer to one request. The caller tells `sessions` when it is written.
    func respond(to request: Request, on channel: any Channel) async -> Response {
        let peer = channel.remoteAddress.flatMap(Self.ip)
        // What was connected before may still ask.
        guard !lock.isShut else { return ViewerResponder.finished(refuse(first, .doorShut), for: request) }
        let response: Response
        switch proxies.judge(peer: peer, fields: request.headers) {
        case .notAProxy:
            logger.debug("refused: no trusted proxy", metadata: ["address": "\(peer?.description ?? "unknown")"])
            response = refuse(first, .notAProxy)
        case .notEncrypted:
            response = refuse(first, .notEncrypted)
        case .admitted(let client):
            let viewer = viewers[request.head.authority?.lowercased() ?? ""] ?? first
            let visit = Visit(
                request: request, client: client,
                connection: .init(id: ObjectIdentifier(channel)) { channel.close(promise: nil) }, now: .now)
            response = await answer(visit, viewer)
        }
        return ViewerResponder.finished(response, for: request)
    }

    /// One request on its way through the door.
    private struct Visit {
        let request: Request
        let client: IPAddress?
        let connection: SessionTable.Connection
        let now: ContinuousClock.Instant

        /// The secret that the browser sent; nil if there is none, or more than one.
        var token: Substring? {
            let pairs = request.headers[values: .cookie].joined(separator: ";").split(separator: ";")
            let tokens = pairs.compactMap { pair in
                pair.drop { $0 == " " }.dropping(OuterDoor.cookie + "=")
            }
            return tokens.count == 1 ? tokens.first : nil
        }
    }

    private func answer(_ visit: Visit, _ viewer: ViewerResponder) async -> Response {
        let verdict = viewer.requestGuard.judge(visit.request.head)
        // What the guard refuses, it refuses without a word about the owner.
        guard case .allowed(let target, let place) = verdict else {
            return await viewer.route(visit.request, verdict, session: nil)
        }
        if case .capability = place {
            let token = target.prefix.dropFirst(RequestTarget.capabilityPrefix.count)
            guard let session = capabilities.session(of: token),
                sessions.enter(session, on: visit.connection, now: visit.now)
            else { return refuse(viewer, .visitEnded) }
            let response = await viewer.route(visit.request, verdict, session: session)
            return ViewerResponder.keptOpen(response, for: visit.request)
        }
        if viewer.routeGuard.isOpenAtDoor(visit.request, target: target) {
            return await viewer.route(visit.request, verdict, session: nil)
        }
        let own = DoorRoute.index.route(of: target.path)
        // Whoever signs in has no session that goes on by that.
        let session: SessionID? =
            own == .signIn ? nil : visit.token.flatMap { sessions.enter($0, on: visit.connection, now: visit.now) }
        if let own, own.rule.isOpenAtDoor || session != nil {
            return await answer(visit, viewer, target, own, session: session)
        }
        guard let session else { return knock(visit, viewer, target: target) }
        let asking = SessionTable.Asking(session: session, connection: visit.connection.id)
        let response = await SessionTable.$asking.withValue(asking) {
            await viewer.route(visit.request, verdict, session: session)
        }
        return ViewerResponder.keptOpen(response, for: visit.request)
    }

    /// The door's own routes.
    private func answer(
        _ visit: Visit, _ viewer: ViewerResponder, _ target: RequestTarget, _ route: DoorRoute, session: SessionID?
    ) async -> Response {
        switch await viewer.routeGuard.admit(visit.request, target: target, at: route) {
        case .refused(let refusal): return refuse(viewer, refusal)
        case .answered(let response): return response
        case .admitted(let admitted):
            switch admitted.route {
            case .login: return login(admitted, viewer, isSignedIn: session != nil)
            case .signIn: return await signIn(admitted, visit, viewer)
            case .signOut:
                guard let session else { return knock(visit, viewer, target: target) }
                return signOut(admitted, visit, viewer, session: session)
            }
        }
    }

    // MARK: Without a session

    private func login(_ admitted: Admitted<DoorRoute>, _ viewer: ViewerResponder, isSignedIn: Bool) -> Response {
        let next = LoginPage.safeNext(admitted.target.query.flatMap { QueryText.value(of: "next", in: $0) })
        if isSignedIn { return redirect(viewer, to: next) }
        let isLedHere = admitted.request.headers[.secFetchSite] == "cross-site"
        return viewer.loginPage.page(next: next, offersWayOn: isLedHere)
    }

    /// A person is sent to the login page, a script is told.
    private func knock(_ visit: Visit, _ viewer: ViewerResponder, target: RequestTarget) -> Response {
        let fields = visit.request.headers
        let origin = RequestOrigin(fields, ownOrigin: viewer.headers.origin)
        let isPage =
            origin.isTopLevelNavigation || origin.site == .unknown && fields[.accept]?.contains("text/html") == true
        if visit.request.method == .get, isPage {
            let next = LoginPage.safeNext(target.path + target.querySuffix)
            guard fields[.secFetchSite] == "cross-site" else {
                return redirect(viewer, to: LoginPage.address(next: next))
            }
            return viewer.loginPage.page(next: next, offersWayOn: true)
        }
        var response = DataFailure.response(
            DataError(code: .refused, message: "sign in first", detail: LoginPage.path),
            headers: viewer.headers.viewer())
        response.status = .unauthorized
        response.headers[.wwwAuthenticate] = "Cookie realm=\"Goop\""
        response.headers[.connection] = "close"
        return response
    }

    private func signIn(
        _ admitted: Admitted<DoorRoute>, _ visit: Visit, _ viewer: ViewerResponder
    ) async -> Response {
        let form = String(buffer: admitted.body)
        let next = LoginPage.safeNext(QueryText.value(of: "next", in: form))
        let tried = Secret(QueryText.value(of: "password", in: form) ?? "")
        let source: Logger.Metadata = ["address": "\(visit.client?.description ?? "unknown")"]
        switch await desk.compare(tried, from: visit.client, now: visit.now) {
        case .right(let secret):
            logger.notice("signed in at the outer door", metadata: source)
            var response = redirect(viewer, to: next)
            response.headers[.setCookie] =
                "\(Self.cookie)=\(secret); Path=/; Secure; HttpOnly; SameSite=Strict"
            return response
        case .wrong:
            logger.warning("a sign-in failed at the outer door", metadata: source)
            return viewer.loginPage.page(next: next, fault: "That is not the password.", status: .forbidden)
        case .wait(let duration):
            let seconds = max(1, duration.components.seconds + 1)
            // Whoever is kept waiting can ask as often as he likes, and must not fill the log.
            logger.debug("too many sign-ins at the outer door", metadata: source)
            return wait(
                viewer, next, seconds, "Too many tries. Wait \(seconds) seconds, then try again.", .tooManyRequests)
        case .busy:
            return wait(viewer, next, 1, "Somebody else is signing in. Try again now.", .serviceUnavailable)
        }
    }

    private func wait(
        _ viewer: ViewerResponder, _ next: String, _ seconds: Int64, _ fault: String, _ status: HTTPResponse.Status
    ) -> Response {
        var response = viewer.loginPage.page(next: next, fault: fault, status: status)
        response.headers[.retryAfter] = "\(seconds)"
        return response
    }

    // MARK: With a session

    private func signOut(
        _ admitted: Admitted<DoorRoute>, _ visit: Visit, _ viewer: ViewerResponder, session: SessionID
    ) -> Response {
        sessions.close(session, except: visit.connection.id)
        var response = DataFailure.json([:], headers: viewer.headers.viewer())
        response.headers[.setCookie] = "\(Self.cookie)=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0"
        return response
    }

    // MARK: Answers

    private func refuse(_ viewer: ViewerResponder, _ refusal: Refusal) -> Response {
        var response = viewer.refuse(refusal, path: "/")
        response.headers[.connection] = "close"
        return response
    }

    private func redirect(_ viewer: ViewerResponder, to location: String) -> Response {
        var fields = viewer.headers.viewer()
        fields[.location] = location
        return Response(status: .seeOther, headers: fields)
    }

    static func ip(_ address: SocketAddress) -> IPAddress? {
        address.ipAddress.flatMap { IPAddress(String($0.prefix { $0 != "%" })) }?.unmapped
    }
}

extension Substring {
    /// The rest behind a prefix; nil if the text begins otherwise.
    fileprivate func dropping(_ prefix: String) -> Substring? { hasPrefix(prefix) ? dropFirst(prefix.count) : nil }
}
