import GoopCore

// The table of routes: everything that the viewer answers, and who may ask it. One type for each place, for each of its
// routes a line. Before a path is looked at, `RequestGuard` has judged the request: its host name, and whether its method may
// have a body. `RouteGuard` is what admits, and nothing else can.

/// GET and HEAD at the viewer's own address.
enum ReadRoute: RouteName {
    /// Whose request is answered; all others are refused with 403.
    enum Asker: Hashable, Sendable, CaseIterable {
        /// A page of the viewer, the person, also by a link from elsewhere in a tab, or a program.
        case viewerPage
        /// A page of the viewer, the person who types the address, or a program.
        case viewerData
        /// The same, and pages of sealed sites while there are any.
        case viewerDataOrSealedSite
        /// Whoever `viewerData` lets in, and a tab that a page elsewhere leads to a site: to one that was not visited before,
        /// the person is asked first.
        case visitor
    }

    case roomPage, oldPeersPage, ownSitePage, visitedSite, sdk, asset
    case profile, peers, events, queueEvents, shellSite, health, readiness
    case siteEvents
    case room(RoomRoutes.Sheet)
    case ownPicture, peerPicture, tables, watch
    /// There is no such thing, which is told to nobody who may not ask for the others.
    case nothing

    /// The `rest` is the last one.
    static var allCases: [ReadRoute] {
        var all: [ReadRoute] = [.roomPage, .oldPeersPage, .ownSitePage, .visitedSite, .sdk, .asset]
        all += [.profile, .peers, .events, .queueEvents, .shellSite, .health, .readiness, .siteEvents]
        all += RoomRoutes.Sheet.allCases.map { ReadRoute.room($0) }
        all += [.ownPicture, .peerPicture, .tables, .watch, .nothing]
        return all
    }

    var rule: RouteRule<Asker> {
        switch self {
        case .roomPage: RouteRule(path: .anyOf(RoomPage.all.map(\.path)), asker: .viewerPage)
        case .oldPeersPage: RouteRule(path: .exact("/peers"), asker: .viewerPage)
        case .ownSitePage: RouteRule(path: .exact("/self"), asker: .viewerPage)
        case .visitedSite: RouteRule(path: .sites, asker: .visitor)
        case .sdk: RouteRule(path: .below("/sdk/"), asker: .viewerDataOrSealedSite, isOpenAtDoor: true)
        case .asset: RouteRule(path: .below("/assets/"), asker: .viewerData)
        case .profile: RouteRule(path: .exact("/api/self"), asker: .viewerData)
        case .peers: RouteRule(path: .exact("/api/peers"), asker: .viewerData)
        case .events: RouteRule(path: .exact("/api/events"), asker: .viewerData)
        case .queueEvents: RouteRule(path: .exact("/api/mq/events"), asker: .viewerData)
        case .shellSite: RouteRule(path: .exact("/api/shell/site"), asker: .viewerData)
        case .health: RouteRule(path: .exact("/healthz"), asker: .viewerData, isOpenAtDoor: true)
        case .readiness: RouteRule(path: .exact("/readyz"), asker: .viewerData)
        case .siteEvents: RouteRule(path: .exact(AccessEvents.path), asker: .viewerData)
        case .room(.knownPeers): RouteRule(path: .exact("/api/rooms/peers"), asker: .viewerData)
        case .room(.latencies): RouteRule(path: .exact("/api/rooms/peers/latency"), asker: .viewerData)
        case .room(.site): RouteRule(path: .exact("/api/rooms/site"), asker: .viewerData)
        case .room(.siteText): RouteRule(path: .exact("/api/rooms/site/text"), asker: .viewerData)
        case .room(.code): RouteRule(path: .exact("/api/rooms/qr.svg"), asker: .viewerData)
        case .room(.audience): RouteRule(path: .exact("/api/rooms/site/audience"), asker: .viewerData)
        case .room(.visitors): RouteRule(path: .exact("/api/rooms/site/visitors"), asker: .viewerData)
        case .room(.settings): RouteRule(path: .exact("/api/rooms/settings"), asker: .viewerData)
        case .room(.run): RouteRule(path: .exact("/api/rooms/restart"), asker: .viewerData)
        case .room(.network): RouteRule(path: .exact("/api/rooms/network"), asker: .viewerData)
        case .room(.networkLog): RouteRule(path: .exact("/api/rooms/network/log"), asker: .viewerData)
        case .room(.dataTables): RouteRule(path: .exact("/api/rooms/data/tables"), asker: .viewerData)
        case .room(.dataVisitors): RouteRule(path: .exact("/api/rooms/data/visitors"), asker: .viewerData)
        case .room(.export): RouteRule(path: .exact("/api/rooms/data/export"), asker: .viewerData)
        case .ownPicture: RouteRule(path: .exact("/api/avatar"), asker: .viewerData)
        case .peerPicture: RouteRule(path: .below(PictureRoom.peer), asker: .viewerData)
        case .tables: RouteRule(path: .below("/api/data/"), asker: .viewerData)
        case .watch: RouteRule(path: .watch, asker: .viewerData)
        case .nothing: RouteRule(path: .rest, asker: .viewerData)
        }
    }

    static let index = RouteIndex<ReadRoute>()
}

/// POST at the viewer's own address: everything that changes something or tells a secret. A path that is none of these is
/// answered with 405.
enum ChangeRoute: RouteName {
    enum Asker: Hashable, Sendable, CaseIterable {
        /// A page of the viewer, or a program, with the token that the viewer's pages hold; see `ControlGuard`.
        case tokenHolder
    }

    case shell(ShellRoutes.Action)
    case room(RoomRoutes.Action)
    case site(SiteRoom.Change)
    case siteUpload, rowImport, pictureUpload, pictureDeletion, tables

    static var allCases: [ChangeRoute] {
        var all: [ChangeRoute] = [.siteUpload, .rowImport, .pictureUpload, .pictureDeletion, .tables]
        all += ShellRoutes.Action.allCases.map { ChangeRoute.shell($0) }
        all += RoomRoutes.Action.allCases.map { ChangeRoute.room($0) }
        all += SiteRoom.Change.allCases.map { ChangeRoute.site($0) }
        return all
    }

    var rule: RouteRule<Asker> {
        switch self {
        case .shell(.capability): Self.rule("/api/shell/capability", .json())
        case .shell(.leave): Self.rule("/api/shell/leave", .json())
        case .shell(.consent): Self.rule("/api/shell/consent", .json())
        case .shell(.keep): Self.rule("/api/shell/keep", .json())
        case .shell(.forget): Self.rule("/api/shell/forget", .json())
        case .room(.decideAboutPeer): Self.rule("/api/rooms/peers/decide", .json())
        case .room(.readRows): Self.rule("/api/rooms/data/rows", .json())
        case .room(.readValue): Self.rule("/api/rooms/data/value", .json())
        case .room(.writeRow): Self.rule("/api/rooms/data/write", .json(8 << 20))
        case .room(.decideAudience): Self.rule("/api/rooms/site/audience", .json())
        case .room(.checkSettings): Self.rule("/api/rooms/settings/check", .json())
        case .room(.saveSettings): Self.rule("/api/rooms/settings/save", .json())
        case .room(.restart): Self.rule("/api/rooms/restart", .json())
        case .site(.makeFolder): Self.rule("/api/rooms/site/folder", .json())
        case .site(.move): Self.rule("/api/rooms/site/move", .json())
        case .site(.delete): Self.rule("/api/rooms/site/delete", .json())
        case .site(.checkDeletion): Self.rule("/api/rooms/site/delete/check", .json())
        case .site(.restore): Self.rule("/api/rooms/site/restore", .json())
        case .site(.emptyTrash): Self.rule("/api/rooms/site/empty-trash", .json())
        case .site(.checkStarter): Self.rule("/api/rooms/site/starter/check", .json())
        case .site(.applyStarter): Self.rule("/api/rooms/site/starter/apply", .json())
        case .siteUpload:
            Self.rule("/api/rooms/\(SiteRoom.upload)", .bytes(SiteEditor.maximumFileBytes, isRead: false))
        case .rowImport:
            Self.rule(
                "/api/rooms/data/import",
                RouteBody(type: .rows, maximumBytes: DataTransfer.maximumImportBytes, isRead: false))
        case .pictureUpload: Self.rule("/api/avatar/upload", .bytes(Avatar.maximumOwnBytes))
        case .pictureDeletion: Self.rule("/api/avatar/delete", .json())
        case .tables:
            RouteRule(
                path: .below("/api/data/"), asker: .tokenHolder, sent: .json(DataProxy.maximumBodyBytes, isRead: false))
        }
    }

    private static func rule(_ path: String, _ sent: RouteBody) -> RouteRule<Asker> {
        RouteRule(path: .exact(path), asker: .tokenHolder, sent: sent)
    }

    static let index = RouteIndex<ChangeRoute>()
}

/// Where one peer's site is: on its own origin, or under its secret path. GET and HEAD, and POST below `/api/`.
enum SiteRoute: RouteName {
    enum Asker: Hashable, Sendable, CaseIterable {
        /// A page of this site, the frame of the shell, or a program.
        case site
        /// The frame of the shell; for all others there is nothing here.
        case shell
    }

    case files, sdk, profile, peers, template, tables, watch, forget
    /// There is no such thing.
    case nothing

    var rule: RouteRule<Asker> {
        switch self {
        case .files: RouteRule(path: .sites, asker: .site)
        case .sdk: RouteRule(path: .below("/sdk/"), asker: .site)
        case .profile: RouteRule(path: .exact("/api/self"), asker: .site)
        case .peers: RouteRule(path: .exact("/api/peers"), asker: .site)
        // `DataProxy` reads these bodies, of at most `DataProxy.maximumBodyBytes`, and says what type it needs.
        case .template: RouteRule(path: .exact(DataAddress.templatePath), asker: .site, takesAnyMethod: true)
        case .tables: RouteRule(path: .tables, asker: .site, takesAnyMethod: true)
        case .watch: RouteRule(path: .watch, asker: .site, takesAnyMethod: true)
        case .forget: RouteRule(path: .exact(SiteResponder.forgetPath), asker: .shell)
        case .nothing: RouteRule(path: .rest, asker: .site)
        }
    }

    static let index = RouteIndex<SiteRoute>()
}

/// What there is at the outer door only. Everything else of the viewer needs a session there, unless its rule says that it
/// is open.
enum DoorRoute: RouteName {
    enum Asker: Hashable, Sendable, CaseIterable {
        case anybody
        /// The login page's own form, by POST.
        case loginForm
        /// As for `ChangeRoute`.
        case tokenHolder
    }

    case login, signIn, signOut

    var rule: RouteRule<Asker> {
        switch self {
        case .login: RouteRule(path: .exact(LoginPage.path), asker: .anybody, isOpenAtDoor: true)
        case .signIn:
            RouteRule(
                path: .exact(LoginPage.action), asker: .loginForm,
                sent: RouteBody(type: .one("application/x-www-form-urlencoded"), maximumBytes: 4096), isOpenAtDoor: true
            )
        case .signOut: RouteRule(path: .exact("/api/logout"), asker: .tokenHolder, sent: .json(4096))
        }
    }

    static let index = RouteIndex<DoorRoute>()
}
