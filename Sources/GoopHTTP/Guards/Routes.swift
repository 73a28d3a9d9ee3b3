import PeerIdentity

/// A name of something that can be asked for in one place of the viewer. Its rule says where it is and who may ask: a name
/// without a rule does not compile, and what no rule names is answered by nobody.
protocol RouteName: Hashable, Sendable, CaseIterable {
    /// Who may ask in this place.
    associatedtype Asker: Hashable, Sendable

    var rule: RouteRule<Asker> { get }
    /// All of the place, made once.
    static var index: RouteIndex<Self> { get }
}

/// One line of the table of routes (RouteTable.swift), whose place and methods are those of the route's type.
struct RouteRule<Asker: Hashable & Sendable>: Sendable {
    let path: RoutePath
    let asker: Asker
    /// What a POST brings; nil where none is answered, or where the handler itself says what it needs.
    var sent: RouteBody?
    /// Answered at the outer door before anybody has signed in.
    var isOpenAtDoor = false
    /// The handler says which method it needs, by an answer of its own.
    var takesAnyMethod = false
}

/// The paths of a route.
enum RoutePath: Sendable, Hashable {
    case exact(String)
    case anyOf([String])
    /// Everything that begins so.
    case below(String)
    /// `/p/…`: the site of any peer.
    case sites
    /// `/api/p/<id>/watch`.
    case watch
    /// `/api/data/…` and `/api/p/<id>/data/…`.
    case tables
    /// What no other route of the place has.
    case rest

    func contains(_ path: String) -> Bool {
        switch self {
        case .exact(let one): path == one
        case .anyOf(let paths): paths.contains(path)
        case .below(let prefix): path.hasPrefix(prefix)
        case .sites: RequestTarget.isSite(path)
        case .watch: SiteEvents.peer(path: path) != nil
        case .tables: DataAddress(path: path) != nil
        case .rest: true
        }
    }
}

/// What a POST brings.
struct RouteBody: Sendable, Hashable {
    enum MediaType: Sendable, Hashable {
        case one(String)
        /// That of the form of rows which the query names.
        case rows
    }

    let type: MediaType
    let maximumBytes: Int
    /// False where the handler reads the body as it arrives, and counts the bytes; the guard looks at the announced length.
    var isRead = true

    /// JSON.
    static func json(_ maximumBytes: Int = ControlGuard.maximumBodyBytes, isRead: Bool = true) -> RouteBody {
        RouteBody(type: .one("application/json"), maximumBytes: maximumBytes, isRead: isRead)
    }

    /// Bytes of any kind.
    static func bytes(_ maximumBytes: Int, isRead: Bool = true) -> RouteBody {
        RouteBody(type: .one("application/octet-stream"), maximumBytes: maximumBytes, isRead: isRead)
    }

    /// The media type that a request must have.
    /// - Parameter query: of its address.
    func mediaType(query: String) -> String {
        switch type {
        case .one(let type): type
        case .rows: DataTransfer.form(in: query).mediaType
        }
    }
}

/// The routes of one place by their paths.
struct RouteIndex<Route: RouteName>: Sendable {
    private var exact: [String: Route] = [:]
    private var others: [(path: RoutePath, route: Route)] = []

    init() {
        for route in Route.allCases {
            let path = route.rule.path
            switch path {
            case .exact(let one): exact[one] = route
            case .anyOf(let paths): for one in paths { exact[one] = route }
            case .below, .sites, .watch, .tables, .rest: others.append((path, route))
            }
        }
    }

    /// The route of a path; nil if it is none of this place.
    func route(of path: String) -> Route? {
        exact[path] ?? others.first { $0.path.contains(path) }?.route
    }
}
