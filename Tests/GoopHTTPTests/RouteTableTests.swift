import GoopCore
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import PeerIdentity
import Testing

@testable import GoopHTTP

/// Who asks, as browsers and programs tell it.
private enum Asking: CaseIterable {
    /// No browser.
    case program
    /// A script of a page of the same origin.
    case ownScript
    /// A page typed into a tab.
    case person
    /// A page elsewhere leads the tab, without and with a click.
    case link, click
    /// A page elsewhere loads it as a picture, or frames it, or reads it by a script; the last also by an old browser.
    case picture, frame, script, oldScript
    /// A script of a site on its own origin asks for something of the viewer.
    case siteScript
    /// A page under `/p/` of the viewer's own address does.
    case sitePage
    /// A sandboxed page reads it by a script, or loads it as one.
    case opaqueScript, opaquePart
    /// The script of a service worker.
    case worker
    /// The shell frames it: it alone is the page that refers.
    case shellFrame

    static let viewer = "http://127.0.0.1:8080"

    /// - Parameters:
    ///   - own: the origin that is asked.
    ///   - site: the origin of a site.
    func fields(own: String, site: String) -> HTTPFields {
        let elsewhere = "http://evil.example"
        switch self {
        case .program: return [:]
        case .ownScript: return [.secFetchSite: "same-origin", .secFetchMode: "cors", .origin: own]
        case .person:
            return [
                .secFetchSite: "none", .secFetchMode: "navigate", .secFetchDest: "document", .secFetchUser: "?1",
            ]
        case .link: return [.secFetchSite: "cross-site", .secFetchMode: "navigate", .secFetchDest: "document"]
        case .click:
            return [
                .secFetchSite: "cross-site", .secFetchMode: "navigate", .secFetchDest: "document", .secFetchUser: "?1",
            ]
        case .picture:
            return [
                .secFetchSite: "cross-site", .secFetchMode: "no-cors", .secFetchDest: "image",
                .referer: elsewhere + "/",
            ]
        case .frame:
            return [
                .secFetchSite: "cross-site", .secFetchMode: "navigate", .secFetchDest: "iframe",
                .referer: elsewhere + "/",
            ]
        case .script: return [.secFetchSite: "cross-site", .secFetchMode: "cors", .origin: elsewhere]
        case .oldScript: return [.origin: elsewhere]
        case .siteScript: return [.secFetchSite: "cross-site", .secFetchMode: "cors", .origin: site]
        case .sitePage:
            return [.secFetchSite: "same-origin", .secFetchMode: "cors", .referer: Self.viewer + "/p/x/index.html"]
        case .opaqueScript: return [.secFetchSite: "cross-site", .secFetchMode: "cors", .origin: "null"]
        case .opaquePart: return [.secFetchSite: "cross-site", .secFetchMode: "no-cors", .secFetchDest: "script"]
        case .worker:
            return [
                .secFetchSite: "same-origin", .secFetchMode: "same-origin", .secFetchDest: "serviceworker",
                .serviceWorker: "script",
            ]
        case .shellFrame:
            return [
                .secFetchSite: "cross-site", .secFetchMode: "navigate", .secFetchDest: "iframe",
                .referer: Self.viewer + "/",
            ]
        }
    }
}

/// Walks the table of routes: each of them, asked by everybody, does what its rule says.
@Suite("Route table", .timeLimit(.minutes(1))) struct RouteTableTests {
    private let backend = FakeBackend()
    private let site = PrivateKey.generate().peerID
    private let token = ControlToken()
    private let origins = SiteOrigin(port: 8080)
    private let headers = SecurityHeaders(origin: Asking.viewer)

    /// One that knows of no visit.
    private func guarded(_ capabilities: CapabilityTable = CapabilityTable()) -> RouteGuard {
        RouteGuard(
            control: ControlGuard(token: token, headers: headers), headers: headers, origins: origins,
            capabilities: capabilities, visited: VisitedSites(), backend: backend)
    }

    /// Addresses that are of a route.
    private func paths(_ path: RoutePath) -> [String] {
        switch path {
        case .exact(let one): [one]
        case .anyOf(let paths): paths
        case .below(let prefix): [prefix + "x"]
        case .sites: ["/p/\(site.base58)/", "/p/\(site.base58)/a/b.txt"]
        case .watch: ["/api/p/\(site.base58)/watch"]
        case .tables: ["/api/p/\(site.base58)/data/query", "/api/data/query"]
        case .rest: ["/nothing", "/api/nothing"]
        }
    }

    private func request(
        _ method: HTTPRequest.Method, _ path: String, _ fields: HTTPFields, authority: String = "127.0.0.1:8080",
        body: ByteBuffer = ByteBuffer()
    ) -> Request {
        Request(
            head: HTTPRequest(
                method: method, scheme: "http", authority: authority, path: path, headerFields: fields),
            body: RequestBody(buffer: body))
    }

    private func fields(_ asking: Asking) -> HTTPFields {
        asking.fields(own: Asking.viewer, site: origins.origin(of: site))
    }

    // MARK: GET at the viewer's own address

    private static let programs: Set<Asking> = [.program, .ownScript, .person, .worker]
    /// Who is let in by each kind of rule; all others are refused.
    private static let readers: [ReadRoute.Asker: Set<Asking>] = [
        .viewerPage: programs.union([.link, .click]),
        .viewerData: programs,
        .viewerDataOrSealedSite: programs,
        .visitor: [.program, .ownScript, .person, .click],
    ]

    @Test func whoMayAskIsWidenedOnPurposeOnly() {
        #expect(
            ReadRoute.allCases.filter { $0.rule.asker != .viewerData } == [
                .roomPage, .oldPeersPage, .ownSitePage, .visitedSite, .sdk,
            ])
        #expect(SiteRoute.allCases.filter(\.rule.takesAnyMethod) == [.template, .tables, .watch])
        #expect(SiteRoute.allCases.filter { $0.rule.asker == .shell } == [.forget])
    }

    @Test func whoMayRead() throws {
        #expect(Set(Self.readers.keys) == Set(ReadRoute.Asker.allCases))
        for route in ReadRoute.allCases {
            let readers = try #require(Self.readers[route.rule.asker])
            for path in paths(route.rule.path) {
                let target = try #require(RequestTarget(path))
                for asking in Asking.allCases {
                    switch guarded().read(request(.get, path, fields(asking)), target: target) {
                    case .admitted(let admitted):
                        #expect(admitted.route == route && readers.contains(asking), "\(path) \(asking)")
                    case .needsClick(let peer):
                        #expect(peer == site && route.rule.asker == .visitor && asking == .link, "\(path) \(asking)")
                    case .refused(let refusal):
                        #expect(refusal == .foreignPage && !readers.contains(asking), "\(path) \(asking)")
                    }
                }
            }
        }
    }

    /// A sandboxed frame elsewhere cannot be told from a sealed site.
    @Test func sealedSitesReadTheSDKAndNothingElse() throws {
        let capabilities = CapabilityTable()
        _ = capabilities.token(of: site)
        for route in ReadRoute.allCases {
            for path in paths(route.rule.path) {
                let target = try #require(RequestTarget(path))
                for asking in [Asking.opaqueScript, .opaquePart] {
                    let admission = guarded(capabilities).read(request(.get, path, fields(asking)), target: target)
                    var isAdmitted = false
                    if case .admitted = admission { isAdmitted = true }
                    #expect(isAdmitted == (route == .sdk), "\(path) \(asking)")
                }
            }
        }
    }

    @Test func whoeverAsksIsToldThatAnAddressOfASiteIsNone() throws {
        for path in ["/p", "/p/", "/p/x/", "/p/\(site.base58)", "/p/\(site.base58)/../a"] {
            let target = try #require(RequestTarget(path))
            for asking in Asking.allCases {
                var address: SiteAddress?
                let admission = guarded().read(request(.get, path, fields(asking)), target: target)
                if case .admitted(let admitted) = admission, admitted.route == .visitedSite {
                    address = SiteAddress(admitted.target)
                }
                #expect(address == SiteAddress(target), "\(path) \(asking)")
            }
        }
    }

    // MARK: POST at the viewer's own address

    /// The status of the refusal; nil for a request that is admitted to this route.
    private func refusal(
        _ route: ChangeRoute, _ path: String, _ fields: HTTPFields, body: ByteBuffer = ByteBuffer()
    ) async throws -> Int? {
        let target = try #require(RequestTarget(path))
        switch await guarded().change(request(.post, path, fields, body: body), target: target) {
        case .admitted(let admitted):
            #expect(admitted.route == route && admitted.body == (route.rule.sent?.isRead == true ? body : ByteBuffer()))
            return nil
        case .refused(let refusal): return refusal.status.code
        case .answered(let response): return response.status.code
        }
    }

    @Test func whoMayChange() async throws {
        let holders: [ChangeRoute.Asker: Set<Asking>] = [.tokenHolder: [.program, .ownScript, .worker]]
        #expect(Set(holders.keys) == Set(ChangeRoute.Asker.allCases))
        for route in ChangeRoute.allCases {
            let rule = route.rule
            let sent = try #require(rule.sent)
            let allowed = try #require(holders[rule.asker])
            let type = sent.mediaType(query: "")
            let other = ControlToken().text
            for path in paths(rule.path) {
                for asking in Asking.allCases {
                    var fields = fields(asking)
                    fields[.contentType] = type
                    fields[.goopToken] = token.text
                    let refused = try await refusal(route, path, fields)
                    #expect(refused == (allowed.contains(asking) ? nil : 403), "\(path) \(asking)")
                    fields[.goopToken] = other
                    #expect(try await refusal(route, path, fields) == 403, "\(path) \(asking)")
                    fields[.goopToken] = nil
                    #expect(try await refusal(route, path, fields) == 403, "\(path) \(asking)")
                }
            }
        }
    }

    @Test func whatMayBeSent() async throws {
        for route in ChangeRoute.allCases {
            let rule = route.rule
            let sent = try #require(rule.sent)
            let right: HTTPFields = [.contentType: sent.mediaType(query: ""), .goopToken: token.text]
            for path in paths(rule.path) {
                for type in ["text/plain", "multipart/form-data", "application/x-www-form-urlencoded", ""] {
                    var fields = right
                    fields[.contentType] = type
                    #expect(try await refusal(route, path, fields) == 400, "\(path) \(type)")
                }
                var fields = right
                fields[.contentLength] = "\(sent.maximumBytes)"
                #expect(try await refusal(route, path, fields) == nil, "\(path)")
                fields[.contentLength] = "\(sent.maximumBytes + 1)"
                #expect(try await refusal(route, path, fields) == 413, "\(path)")
                // What the guard does not read, the handler counts.
                guard sent.isRead else { continue }
                let longest = ByteBuffer(repeating: 0x20, count: sent.maximumBytes)
                #expect(try await refusal(route, path, right, body: longest) == nil, "\(path)")
                let longer = ByteBuffer(repeating: 0x20, count: sent.maximumBytes + 1)
                #expect(try await refusal(route, path, right, body: longer) == 413, "\(path)")
            }
        }
    }

    @Test func rowsHaveTheTypeOfTheirForm() async throws {
        for (query, type) in [("", "text/csv"), ("?form=csv", "text/csv"), ("?form=json", "application/json")] {
            for sent in ["text/csv", "application/json"] {
                let fields: HTTPFields = [.contentType: sent, .goopToken: token.text]
                let refused = try await refusal(.rowImport, "/api/rooms/data/import" + query, fields)
                #expect(refused == (sent == type ? nil : 400), "\(query) \(sent)")
            }
        }
    }

    @Test func nothingElseIsChanged() async throws {
        let fields: HTTPFields = [.contentType: "application/json", .goopToken: token.text]
        for path in ["/api/peers", "/api/shell/site", "/api/rooms/", "/api/rooms/settings", "/api/nothing"] {
            let target = try #require(RequestTarget(path))
            var isRefused = false
            let admission = await guarded().change(request(.post, path, fields), target: target)
            if case .refused(.methodNotAllowed) = admission { isRefused = true }
            #expect(isRefused, "\(path)")
        }
    }

    // MARK: The place of a site

    private enum SiteOutcome: Equatable {
        case admitted(SiteRoute), preflight, noOperation, inShell, refused
    }

    private func outcome(
        _ method: HTTPRequest.Method, _ path: String, _ asking: Asking, place: RequestPlace
    ) async throws -> SiteOutcome {
        let target = try #require(RequestTarget(path))
        let other = PrivateKey.generate().peerID
        let own = place == .site(site) ? origins.origin(of: site) : "null"
        let asked = request(method, path, asking.fields(own: own, site: origins.origin(of: other)))
        let guarded = guarded()
        let origin = guarded.origin(of: asked, peer: site, place: place)
        switch await guarded.admit(asked, target: target, from: origin, peer: site, place: place) {
        case .admitted(let admitted): return .admitted(admitted.route)
        case .preflight: return .preflight
        case .noOperation: return .noOperation
        case .inShell: return .inShell
        case .refused: return .refused
        }
    }

    @Test func whoMayAskOnASitesOrigin() async throws {
        let pages: Set<Asking> = [.program, .ownScript, .sitePage]
        for route in SiteRoute.allCases {
            for path in paths(route.rule.path) {
                for asking in Asking.allCases {
                    let expected: SiteOutcome =
                        switch asking {
                        case .person, .link, .click: .inShell
                        case .shellFrame: .admitted(route)
                        case _ where pages.contains(asking):
                            .admitted(route.rule.asker == .shell ? .nothing : route)
                        default: .refused
                        }
                    let found = try await outcome(.get, path, asking, place: .site(site))
                    #expect(found == expected, "\(path) \(asking)")
                }
            }
        }
    }

    /// The path is the proof: whoever names itself as no other origin knows it.
    @Test func whoMayAskUnderASecretPath() async throws {
        let strangers: Set<Asking> = [.script, .oldScript, .siteScript, .worker]
        for route in SiteRoute.allCases {
            for path in paths(route.rule.path) {
                for asking in Asking.allCases {
                    let expected: SiteOutcome =
                        switch asking {
                        case .person, .link, .click: .inShell
                        case _ where strangers.contains(asking): .refused
                        default: .admitted(route.rule.asker == .shell ? .nothing : route)
                        }
                    let found = try await outcome(.get, path, asking, place: .capability(site))
                    #expect(found == expected, "\(path) \(asking)")
                }
            }
        }
    }

    @Test func whatASiteMayAskByOtherMethods() async throws {
        for route in SiteRoute.allCases {
            let posted: SiteOutcome = route.rule.takesAnyMethod ? .admitted(route) : .noOperation
            for path in paths(route.rule.path) {
                for place in [RequestPlace.site(site), .capability(site)] {
                    #expect(try await outcome(.post, path, .ownScript, place: place) == posted, "\(path)")
                    #expect(try await outcome(.post, path, .script, place: place) == .refused, "\(path)")
                }
                #expect(
                    try await outcome(.options, path, .opaqueScript, place: .capability(site)) == .preflight, "\(path)")
                #expect(try await outcome(.options, path, .script, place: .capability(site)) == .refused, "\(path)")
            }
        }
    }

    // MARK: The outer door

    @Test func whatTheDoorAnswersWithoutASession() throws {
        for route in ReadRoute.allCases {
            for path in paths(route.rule.path) {
                let target = try #require(RequestTarget(path))
                for method in [HTTPRequest.Method.get, .head] {
                    let isOpen = guarded().isOpenAtDoor(request(method, path, [:]), target: target)
                    #expect(isOpen == [ReadRoute.sdk, .health].contains(route), "\(path)")
                }
                #expect(!guarded().isOpenAtDoor(request(.post, path, [:]), target: target), "\(path)")
            }
        }
        #expect(ChangeRoute.allCases.allSatisfy { !$0.rule.isOpenAtDoor })
        #expect(DoorRoute.allCases.filter(\.rule.isOpenAtDoor) == [.login, .signIn])
    }

    /// The status of the refusal; nil for a request that is admitted.
    private func refusal(
        _ route: DoorRoute, _ method: HTTPRequest.Method, _ fields: HTTPFields, body: ByteBuffer = ByteBuffer()
    ) async throws -> Int? {
        guard case .exact(let path) = route.rule.path else {
            Issue.record("\(route) has more than one path")
            return 0
        }
        let target = try #require(RequestTarget(path))
        #expect(DoorRoute.index.route(of: path) == route)
        switch await guarded().admit(request(method, path, fields, body: body), target: target, at: route) {
        case .admitted(let admitted):
            #expect(admitted.route == route && admitted.body == body)
            return nil
        case .refused(let refusal): return refusal.status.code
        case .answered(let response): return response.status.code
        }
    }

    @Test func theDoorsOwnRoutes() async throws {
        for asking in Asking.allCases {
            #expect(try await refusal(.login, .get, fields(asking)) == nil, "\(asking)")
            #expect(try await refusal(.login, .post, fields(asking)) == 405, "\(asking)")
            var form = fields(asking)
            form[.contentType] = "application/x-www-form-urlencoded"
            let isOwn = asking == .ownScript
            #expect(try await refusal(.signIn, .post, form) == (isOwn ? nil : 403), "\(asking)")
            #expect(try await refusal(.signIn, .get, form) == 405, "\(asking)")
            var out = fields(asking)
            out[.contentType] = "application/json"
            #expect(try await refusal(.signOut, .post, out) == 403, "\(asking)")
            out[.goopToken] = token.text
            let mayLeave = [Asking.program, .ownScript, .worker].contains(asking)
            #expect(try await refusal(.signOut, .post, out) == (mayLeave ? nil : 403), "\(asking)")
            #expect(try await refusal(.signOut, .get, out) == 405, "\(asking)")
        }
        for route in [DoorRoute.signIn, .signOut] {
            let sent = try #require(route.rule.sent)
            var fields = fields(.ownScript)
            fields[.goopToken] = token.text
            fields[.contentType] = sent.mediaType(query: "")
            let longest = ByteBuffer(repeating: 0x20, count: sent.maximumBytes)
            #expect(try await refusal(route, .post, fields, body: longest) == nil)
            let longer = ByteBuffer(repeating: 0x20, count: sent.maximumBytes + 1)
            #expect(try await refusal(route, .post, fields, body: longer) == 413)
            fields[.contentType] = "text/plain"
            #expect(try await refusal(route, .post, fields) == (route == .signIn ? 403 : 400))
        }
    }

    // MARK: The whole way

    private var responder: ViewerResponder {
        let configuration = ViewerConfiguration()
        return ViewerResponder(
            RequestGuard(port: 8080, capabilities: CapabilityTable()), configuration: configuration, backend: backend,
            rooms: ViewerRooms(), shared: ViewerShared(configuration), logger: Logger(label: "test"))
    }

    @Test func noRouteIsReachedUnderAnotherName() async throws {
        let responder = responder
        for authority in ["evil.example:8080", "127.0.0.1:8081", "127.0.0.1"] {
            for path in ReadRoute.allCases.flatMap({ paths($0.rule.path) }) {
                let answer = await responder.respond(to: request(.get, path, [:], authority: authority))
                #expect(answer.status.code == 421, "\(path) \(authority)")
            }
            for path in ChangeRoute.allCases.flatMap({ paths($0.rule.path) }) {
                let answer = await responder.respond(to: request(.post, path, [:], authority: authority))
                #expect(answer.status.code == 421, "\(path) \(authority)")
            }
        }
    }

    @Test func noRouteIsReachedByAPageElsewhere() async throws {
        let responder = responder
        for asking in [Asking.script, .oldScript, .siteScript, .picture] {
            for path in ReadRoute.allCases.flatMap({ paths($0.rule.path) }) {
                for method in [HTTPRequest.Method.get, .head] {
                    let answer = await responder.respond(to: request(method, path, fields(asking)))
                    #expect(answer.status.code == 403, "\(path) \(asking)")
                }
            }
            for path in ChangeRoute.allCases.flatMap({ paths($0.rule.path) }) {
                let answer = await responder.respond(to: request(.post, path, fields(asking)))
                #expect(answer.status.code == 403, "\(path) \(asking)")
            }
        }
        #expect(backend.opened.isEmpty && backend.asked.isEmpty)
    }

    @Test func noRouteIsReachedByAnotherMethodOrWithABody() async throws {
        let responder = responder
        var all = ReadRoute.allCases.flatMap { paths($0.rule.path) }
        all += ChangeRoute.allCases.flatMap { paths($0.rule.path) }
        for path in all {
            for method in [HTTPRequest.Method.put, .delete, .patch, .options] {
                #expect(await responder.respond(to: request(method, path, [:])).status.code == 405, "\(path)")
            }
            let answer = await responder.respond(to: request(.get, path, [.contentLength: "5"]))
            #expect(answer.status.code == 413, "\(path)")
        }
    }

    /// On the origin of a site there is nothing of the viewer, whoever asks.
    @Test func noRouteOfTheViewerIsReachedOnASitesOrigin() async throws {
        let responder = responder
        let authority = "\(site.base36).localhost:8080"
        for path in ReadRoute.allCases.flatMap({ paths($0.rule.path) }) {
            guard SiteRoute.index.route(of: path) == .nothing else { continue }
            let answer = await responder.respond(to: request(.get, path, [:], authority: authority))
            #expect(answer.status.code == 404, "\(path)")
        }
        for path in ChangeRoute.allCases.flatMap({ paths($0.rule.path) }) {
            let fields: HTTPFields = [.contentType: "application/json", .goopToken: token.text]
            let answer = await responder.respond(to: request(.post, path, fields, authority: authority))
            #expect(answer.status.code >= 400, "\(path)")
        }
        #expect(backend.asked.isEmpty)
    }
}
