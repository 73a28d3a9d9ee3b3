import HTTPTypes
import HummingbirdCore
import NIOCore
import PeerIdentity

/// A request that may reach the handler of its route: handlers take nothing else, and only `RouteGuard` makes one.
struct Admitted<Route: RouteName>: Sendable {
    let route: Route
    let request: Request
    let target: RequestTarget
    /// What the browser tells about the page that asks.
    let origin: RequestOrigin
    /// What was sent, if the rule of the route has it read; else the handler reads it from the request.
    let body: ByteBuffer

    fileprivate init(
        _ route: Route, _ request: Request, _ target: RequestTarget, _ origin: RequestOrigin,
        body: ByteBuffer = ByteBuffer()
    ) {
        self.route = route
        self.request = request
        self.target = target
        self.origin = origin
        self.body = body
    }
}

/// Admits requests to the routes of the table (RouteTable.swift): the one function of each place finds the route by its path
/// and carries out what its rule says. `RequestGuard` has let the request come as far as this.
struct RouteGuard: Sendable {
    enum ReadAdmission: Sendable {
        case admitted(Admitted<ReadRoute>)
        /// A page elsewhere leads to a site that was not visited before: the person is asked.
        case needsClick(PeerID)
        case refused(Refusal)
    }

    enum ChangeAdmission: Sendable {
        case admitted(Admitted<ChangeRoute>)
        case refused(Refusal)
        /// The control guard says why not.
        case answered(Response)
    }

    enum SiteAdmission: Sendable {
        case admitted(Admitted<SiteRoute>)
        /// An opaque page asks whether it may send JSON.
        case preflight
        /// Nothing takes a POST there.
        case noOperation
        /// A page in a tab of its own: the shell shows it.
        case inShell
        case refused
    }

    enum DoorAdmission: Sendable {
        case admitted(Admitted<DoorRoute>)
        case refused(Refusal)
        /// The control guard says why not.
        case answered(Response)
    }

    let control: ControlGuard
    let headers: SecurityHeaders
    /// Nil where sites have secret paths only.
    let origins: SiteOrigin?
    let capabilities: CapabilityTable
    let visited: VisitedSites
    let backend: any ViewerBackend

    // MARK: The viewer's own address

    /// GET and HEAD.
    func read(_ request: Request, target: RequestTarget) -> ReadAdmission {
        let origin = RequestOrigin(request.headers, ownOrigin: headers.origin)
        let route = ReadRoute.index.route(of: target.path) ?? .nothing
        let isAdmitted =
            switch route.rule.asker {
            case .viewerPage: origin.mayShowViewerPage
            case .viewerData: origin.mayReadViewerData
            case .viewerDataOrSealedSite:
                // A sealed site asks for the SDK by its usual address. Its origin is opaque and it names no page, so it cannot be
                // told from a sandboxed frame elsewhere: it is answered only while there are sealed sites at all.
                origin.mayReadViewerData || origin.mayBeOpaquePage && capabilities.isInUse
            case .visitor: true
            }
        guard isAdmitted else { return .refused(.foreignPage) }
        // What names no file of a site gets a notice, or the right spelling, whoever asks.
        if route.rule.asker == .visitor, case .file(let peer, _) = SiteAddress(target) {
            switch visit(origin, peer: peer) {
            case .admitted: break
            case .needsClick: return .needsClick(peer)
            case .refused: return .refused(.foreignPage)
            }
        }
        return .admitted(Admitted(route, request, target, origin))
    }

    private enum Visit { case admitted, needsClick, refused }

    /// Decides whether a request belongs to a visit that the person began.
    private func visit(_ origin: RequestOrigin, peer: PeerID) -> Visit {
        guard !origin.isWorker else { return .refused }
        switch origin.site {
        case .unknown, .none, .sameOrigin:
            guard !origin.isForeignPage || origin.isNavigation, !origin.isOpaqueScript else { return .refused }
            if origin.isTopLevelNavigation { visited.insert(peer) }
            return .admitted
        case .foreign:
            // Parts of a site are asked for on its own origin; a foreign page that asks here belongs to no visit.
            guard origin.isTopLevelNavigation else { return .refused }
            if origin.isUserActivated { visited.insert(peer) }
            return visited.contains(peer) ? .admitted : .needsClick
        }
    }

    /// POST.
    func change(_ request: Request, target: RequestTarget) async -> ChangeAdmission {
        guard let route = ChangeRoute.index.route(of: target.path), let sent = route.rule.sent else {
            return .refused(.methodNotAllowed)
        }
        switch route.rule.asker {
        case .tokenHolder:
            switch await controlled(request, sending: sent, target: target) {
            case .refused(let response): return .answered(response)
            case .admitted(let body):
                let origin = RequestOrigin(request.headers, ownOrigin: headers.origin)
                return .admitted(Admitted(route, request, target, origin, body: body))
            }
        }
    }

    /// The control guard's word, and the body if it is read before the handler.
    private func controlled(
        _ request: Request, sending sent: RouteBody, target: RequestTarget
    ) async -> ControlGuard.Admission {
        let type = sent.mediaType(query: target.query ?? "")
        if sent.isRead {
            return await control.admit(request, place: .viewer, type: type, maximumBodyBytes: sent.maximumBytes)
        }
        if let refused = control.refusal(
            of: request, place: .viewer, type: type, maximumBodyBytes: sent.maximumBytes)
        {
            return .refused(refused)
        }
        return .admitted(ByteBuffer())
    }

    // MARK: The place of a site

    /// What a browser tells about the page that asks something of a site's place.
    /// - Parameters:
    ///   - peer: whose site the place is.
    ///   - place: `.site` or `.capability` of that peer.
    func origin(of request: Request, peer: PeerID, place: RequestPlace) -> RequestOrigin {
        let own = place == .capability(peer) ? nil : origins?.origin(of: peer)
        return RequestOrigin(request.headers, ownOrigin: own ?? "null", isOwnRefererForeign: false)
    }

    /// - Parameters:
    ///   - origin: that of `origin(of:peer:place:)`.
    ///   - peer: whose site the place is.
    ///   - place: `.site` or `.capability` of that peer.
    func admit(
        _ request: Request, target: RequestTarget, from origin: RequestOrigin, peer: PeerID, place: RequestPlace
    ) async -> SiteAdmission {
        let isShell: Bool
        switch await asker(origin, target: target, peer: peer, isCapability: place == .capability(peer)) {
        case .refused: return .refused
        case .inShell: return .inShell
        case .shell: isShell = true
        case .site: isShell = false
        }
        if request.method == .options { return .preflight }
        var route = SiteRoute.index.route(of: target.path) ?? .nothing
        switch route.rule.asker {
        case .shell: if !isShell { route = .nothing }
        case .site: break
        }
        guard request.method == .get || request.method == .head || route.rule.takesAnyMethod else {
            return .noOperation
        }
        return .admitted(Admitted(route, request, target, origin))
    }

    private enum SiteAsker { case site, shell, inShell, refused }

    /// Pages of this site, the shell's frame, and programs; nothing of another origin, and no page in a tab of its own.
    private func asker(
        _ origin: RequestOrigin, target: RequestTarget, peer: PeerID, isCapability: Bool
    ) async -> SiteAsker {
        if origin.isTopLevelNavigation { return .inShell }
        guard !origin.isForeignPage else { return .refused }
        if origin.isLastingWorker {
            // Its scope is at most the folder of its script, so the site's files are all it can stand in for.
            let isOwn = origin.isBoundServiceWorker && origin.site == .sameOrigin && !isCapability
            guard isOwn, target.path.hasPrefix("/p/\(peer.base58)/") else { return .refused }
            return await backend.hasConsent(.keep, for: peer) ? .site : .refused
        }
        if isCapability {
            // The secret path is the proof. Its own pages are opaque, so whatever they ask looks foreign.
            return origin.isNavigation && !origin.isFrame ? .refused : .site
        }
        guard !origin.isOpaqueScript else { return .refused }
        switch origin.site {
        case .unknown, .sameOrigin: return origin.isNavigation && !origin.isFrame ? .refused : .site
        // Only a page of the viewer can name the viewer as the page that refers.
        case .none, .foreign: return origin.isFrame && origin.referer == headers.origin + "/" ? .shell : .refused
        }
    }

    // MARK: The outer door

    /// True for what is answered to whoever has not signed in, at the same address as to all others.
    func isOpenAtDoor(_ request: Request, target: RequestTarget) -> Bool {
        guard request.method == .get || request.method == .head else { return false }
        return ReadRoute.index.route(of: target.path)?.rule.isOpenAtDoor ?? false
    }

    /// The door's own routes. Whether there is a session is the door's to say.
    func admit(_ request: Request, target: RequestTarget, at route: DoorRoute) async -> DoorAdmission {
        let origin = RequestOrigin(request.headers, ownOrigin: headers.origin)
        switch route.rule.asker {
        case .anybody:
            guard request.method == .get || request.method == .head else { return .refused(.methodNotAllowed) }
            return .admitted(Admitted(route, request, target, origin))
        case .loginForm:
            guard request.method == .post else { return .refused(.methodNotAllowed) }
            guard let sent = route.rule.sent, isLoginForm(request, sent, target: target) else {
                return .refused(.foreignPage)
            }
            guard let form = await Self.form(request, maximumBytes: sent.maximumBytes) else {
                return .refused(.bodyNotAccepted)
            }
            return .admitted(Admitted(route, request, target, origin, body: form))
        case .tokenHolder:
            guard let sent = route.rule.sent else { return .refused(.methodNotAllowed) }
            switch await controlled(request, sending: sent, target: target) {
            case .refused(let response): return .answered(response)
            case .admitted(let body): return .admitted(Admitted(route, request, target, origin, body: body))
            }
        }
    }

    /// Only our own form: another website must not sign anybody in, nor try passwords through a visitor's browser.
    private func isLoginForm(_ request: Request, _ sent: RouteBody, target: RequestTarget) -> Bool {
        let site = request.headers[.secFetchSite]
        return request.headers[values: .origin] == [headers.origin] && (site == nil || site == "same-origin")
            && request.headers[.contentType]?.lowercased().hasPrefix(sent.mediaType(query: target.query ?? "")) == true
    }

    /// The form, if it is not longer than that.
    private static func form(_ request: Request, maximumBytes: Int) async -> ByteBuffer? {
        var body = ByteBuffer()
        do {
            for try await chunk in request.body {
                guard body.readableBytes + chunk.readableBytes <= maximumBytes else { return nil }
                body.writeImmutableBuffer(chunk)
            }
        } catch {
            return nil
        }
        return body
    }
}
