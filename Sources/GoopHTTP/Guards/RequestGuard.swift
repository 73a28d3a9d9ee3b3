import HTTPTypes
import PeerIdentity

/// The checks every request passes before anything looks at its path: target form, host name, method, body.
///
/// A page of the internet can make a browser send requests here, under a name of its own that resolves to 127.0.0.1
/// (DNS rebinding). So the name in `Host` must be exactly one of ours.
struct RequestGuard: Sendable {
    /// The longest request target that is looked at.
    static let maximumTargetBytes = 8192

    enum Verdict: Sendable, Equatable {
        /// Go on: path and query as they were sent, without the prefix of a capability, and where they belong.
        case allowed(RequestTarget, RequestPlace)
        /// The shell asks whether this browser finds names under `localhost`.
        case probe
        /// A frame of the viewer's pages that writes over what visits left in the browser's storage log.
        case scrub(path: String)
        /// The same target under 127.0.0.1, so that browsers keep one origin for the viewer.
        case redirect(location: String)
        case refused(Refusal)
    }

    /// Under which names the viewer answers.
    private enum Address {
        /// 127.0.0.1, and the names that lead there.
        case loopback(port: Int)
        /// One name of the outer door, as browsers send it in `Host`.
        case outer(authority: String)
    }

    private let address: Address
    let capabilities: CapabilityTable
    /// The origins of sites; nil where browsers are on another machine, whose own `*.localhost` is theirs.
    let origins: SiteOrigin?
    /// The viewer's own origin, as browsers write it in `Origin`.
    let origin: String

    /// Guards the viewer on loopback.
    init(port: Int, capabilities: CapabilityTable) {
        address = .loopback(port: port)
        self.capabilities = capabilities
        origins = SiteOrigin(port: port)
        origin = port == 80 ? "http://127.0.0.1" : "http://127.0.0.1:\(port)"
    }

    /// Guards the viewer under one name of the outer door.
    /// - Parameter authority: lower case, with the port unless it is 443.
    init(outer authority: String, capabilities: CapabilityTable) {
        address = .outer(authority: authority)
        self.capabilities = capabilities
        origins = nil
        origin = "https://\(authority)"
    }

    /// True on loopback, where nobody needs to sign in.
    var isInner: Bool { origins != nil }

    func judge(_ head: HTTPRequest) -> Verdict {
        let text = head.path ?? ""
        guard text.utf8.count <= Self.maximumTargetBytes else { return .refused(.targetTooLong) }
        guard let target = RequestTarget(text) else { return .refused(.badTarget) }
        guard let authority = head.authority, head.headerFields[values: .hostField].isEmpty else {
            return .refused(.badHost)
        }
        if isInner, Self.isForwarded(head.headerFields) { return .refused(.behindProxy) }
        if let origins {
            if let peer = origins.peer(ofHost: authority) { return judge(head, target: target, place: .site(peer)) }
            if origins.isProbe(authority), target.path == "/probe", head.method == .get { return .probe }
            if origins.isScrub(authority), target.path == "/scrub" || target.path == "/scrub.js", head.method == .get {
                return .scrub(path: target.path)
            }
        }
        guard let name = hostName(of: authority) else {
            return .refused(.wrongHost(given: authority, address: origin + "/"))
        }
        if name == .address, let rest = target.path.dropping(prefix: RequestTarget.capabilityPrefix) {
            let token = rest.prefix { $0 != "/" }
            guard let peer = capabilities.peer(of: token), let inner = target.inside(token) else {
                return .refused(.visitEnded)
            }
            return judge(head, target: inner, place: .capability(peer))
        }
        let verdict = judge(head, target: target, place: .viewer)
        if case .allowed = verdict, name != .address, !target.isProbe { return .redirect(location: origin + text) }
        return verdict
    }

    /// Methods and bodies: what is sent goes to `/api/`, where the routes read and bound it. A page with an opaque origin
    /// asks first, by OPTIONS.
    private func judge(_ head: HTTPRequest, target: RequestTarget, place: RequestPlace) -> Verdict {
        let isAPI = target.path.hasPrefix("/api/")
        switch (head.method, place) {
        case (.get, _), (.head, _): break
        case (.post, _) where isAPI: break
        case (.options, .capability) where isAPI: break
        default: return .refused(.methodNotAllowed)
        }
        let length = head.headerFields[values: .contentLength]
        guard head.headerFields[values: .transferEncoding].isEmpty, length.count <= 1,
            head.method == .post || length.isEmpty || length == ["0"]
        else { return .refused(.bodyNotAccepted) }
        return .allowed(target, place)
    }

    private enum HostName { case address, localhost, addressV6 }

    /// A web server that stands in front of the inner door lets everybody in; most of them say that they are there.
    private static func isForwarded(_ fields: HTTPFields) -> Bool {
        [.forwardedFor, .forwardedProto, .forwardedHost, .forwarded].contains { fields.contains($0) }
    }

    private func hostName(of authority: String) -> HostName? {
        let port: Int
        switch address {
        case .outer(let name): return authority.lowercased() == name ? .address : nil
        case .loopback(let own): port = own
        }
        var host = Substring(authority)
        let suffix = ":\(port)"
        if host.hasSuffix(suffix) {
            host = host.dropLast(suffix.count)
        } else if port != 80 {
            return nil
        }
        return switch host.lowercased() {
        case "127.0.0.1": .address
        case "localhost": .localhost
        case "[::1]": .addressV6
        default: nil
        }
    }
}

/// Path and query of a request in origin form, still percent-encoded.
struct RequestTarget: Sendable, Equatable {
    /// Begins with a slash; printable ASCII only.
    let path: String
    /// Without the question mark; nil when there was none.
    let query: String?

    /// Nil unless the text begins with a slash and holds printable ASCII without a fragment.
    init?(_ text: String) {
        guard text.utf8.first == UInt8(ascii: "/"),
            text.utf8.allSatisfy({ (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "#") })
        else { return nil }
        if let mark = text.firstIndex(of: "?") {
            path = String(text[..<mark])
            query = String(text[text.index(after: mark)...])
        } else {
            path = text
            query = nil
        }
    }

    /// Begins the path of a site without an origin of its own.
    static let capabilityPrefix = "/c/"

    /// `/c/<token>` when the target was under such a path, else empty; goes in front of every address in an answer.
    private(set) var prefix = ""

    /// The target behind `/c/<token>`; nil when nothing is behind it.
    func inside(_ token: Substring) -> RequestTarget? {
        let prefix = Self.capabilityPrefix + token
        guard var inner = RequestTarget(String(path.dropFirst(prefix.count)) + querySuffix) else { return nil }
        inner.prefix = prefix
        return inner
    }

    /// The query with its question mark, or nothing.
    var querySuffix: String { query.map { "?" + $0 } ?? "" }

    /// True for everything that is answered under the sandbox of sites.
    var isSite: Bool { Self.isSite(path) }

    /// The same for a path that was refused, query and all.
    static func isSite(_ path: String) -> Bool { path == "/p" || path.hasPrefix("/p/") || path.hasPrefix("/p?") }

    /// True for requests that, if they are answered at all, are answered with a file of a site or a notice.
    static func namesSiteFile(_ head: HTTPRequest) -> Bool {
        guard head.method == .get || head.method == .head, let path = head.path else { return false }
        guard let inside = path.dropping(prefix: capabilityPrefix) else { return isSite(path) }
        return inside.firstIndex(of: "/").map { isSite(String(inside[$0...])) } ?? false
    }

    /// Paths for programs that watch the viewer: answered under every own name, never redirected.
    var isProbe: Bool { path == "/healthz" || path == "/readyz" }
}

/// Why a request is not answered, before any route is asked.
enum Refusal: Sendable, Equatable {
    case badTarget
    case targetTooLong
    case badHost
    case wrongHost(given: String, address: String)
    case methodNotAllowed
    case bodyNotAccepted
    /// A page of another origin asked for something of the viewer's own.
    case foreignPage
    /// A path that stood for a visit before the viewer was started again, or before its visitor signed out.
    case visitEnded
    /// A web server passed this on to the inner door.
    case behindProxy
    /// The outer door answers its proxies only.
    case notAProxy
    /// A proxy passed on what did not come by HTTPS.
    case notEncrypted
    /// The owner has taken away what the outer door stands on.
    case doorShut

    var status: HTTPResponse.Status {
        switch self {
        case .badTarget, .badHost: .badRequest
        case .targetTooLong: .uriTooLong
        case .wrongHost: .misdirectedRequest
        case .methodNotAllowed: .methodNotAllowed
        case .bodyNotAccepted: .contentTooLarge
        case .foreignPage, .visitEnded, .behindProxy, .notAProxy, .notEncrypted: .forbidden
        case .doorShut: .serviceUnavailable
        }
    }

    var title: String {
        switch self {
        case .badTarget, .badHost: "This request cannot be read"
        case .targetTooLong: "This address is too long"
        case .wrongHost: "Wrong address for this viewer"
        case .methodNotAllowed: "Only reading is possible here"
        case .bodyNotAccepted: "Nothing can be sent here"
        case .foreignPage: "This page may not ask that"
        case .visitEnded: "This visit has ended"
        case .behindProxy: "A web server stands in front of this viewer"
        case .notAProxy: "Not from here"
        case .notEncrypted: "Only by HTTPS"
        case .doorShut: "Closed for other computers"
        }
    }

    var explanation: String {
        switch self {
        case .badTarget: "The address must begin with a slash and may hold printable characters only."
        case .badHost: "It needs exactly one host name."
        case .targetTooLong: "The viewer reads addresses up to \(RequestGuard.maximumTargetBytes) characters."
        case .wrongHost(let given, let address):
            "It was asked for under the name “\(given.prefix(100))”, which is not its own. "
                + "So that no other website can pose as your viewer, it answers only at \(address)"
        case .methodNotAllowed: "This address answers GET and HEAD."
        case .bodyNotAccepted: "Requests with a body are not accepted at this address."
        case .foreignPage:
            "Another website, or a site you visit, asked for something that belongs to your viewer alone. "
                + "It was refused."
        case .visitEnded: "The viewer was started again since. Reload the page to visit the site again."
        case .behindProxy:
            "It passed on a request to the address that is for programs of its own computer only, where nobody has to sign in. "
                + "To use the viewer from other computers, set viewer.password and viewer.trusted_proxies."
        case .notAProxy:
            "This address is for the web server in front of this viewer. If it is you, name your address in "
                + "viewer.trusted_proxies."
        case .notEncrypted:
            "The web server in front of this viewer must be asked by HTTPS, and say so in X-Forwarded-Proto."
        case .doorShut:
            "The owner of this viewer has closed it for other computers. On its own computer it goes on."
        }
    }
}

extension String {
    /// The rest behind a prefix; nil if the text begins otherwise.
    func dropping(prefix: String) -> Substring? { hasPrefix(prefix) ? dropFirst(prefix.count) : nil }
}

extension HTTPField.Name {
    /// `Host`; the first one of a request is its authority, so any that is left is a second one.
    static let hostField = HTTPField.Name.known("Host")
    static let secFetchSite = HTTPField.Name.known("Sec-Fetch-Site")
    static let secFetchMode = HTTPField.Name.known("Sec-Fetch-Mode")
    static let secFetchDest = HTTPField.Name.known("Sec-Fetch-Dest")
    static let secFetchUser = HTTPField.Name.known("Sec-Fetch-User")
    static let allowPolicyFrom = HTTPField.Name.known("Allow-CSP-From")
    static let serviceWorker = HTTPField.Name.known("Service-Worker")
    static let permissionsPolicy = HTTPField.Name.known("Permissions-Policy")
    static let crossOriginResourcePolicy = HTTPField.Name.known("Cross-Origin-Resource-Policy")
    static let crossOriginOpenerPolicy = HTTPField.Name.known("Cross-Origin-Opener-Policy")
    static let referrerPolicy = HTTPField.Name.known("Referrer-Policy")
    static let dnsPrefetchControl = HTTPField.Name.known("X-DNS-Prefetch-Control")
    static let clearSiteData = HTTPField.Name.known("Clear-Site-Data")
    static let frameOptions = HTTPField.Name.known("X-Frame-Options")

    /// A name written in this file; every one of them is a valid token, so the fallback is never used.
    private static func known(_ text: String) -> HTTPField.Name { HTTPField.Name(text) ?? .accept }
}
