import Multiformats

/// From where the viewer can be reached, as the keys under `viewer` say it: the owner's own way on loopback, and perhaps a
/// door for other machines. docs/decisions/0007 says why.
public struct ViewerReach: Sendable, Hashable {
    /// On this machine, without a password.
    public var own: ViewerAddress
    /// For other machines, or for a proxy on this one; nil: there is none.
    public var outer: OuterAccess?

    /// Reads the keys.
    /// - Throws: every problem.
    public init(_ viewer: GoopConfiguration.Viewer) throws(ConfigurationError) {
        var reading = Reading(viewer: viewer)
        let reach = reading.reach()
        guard let reach, reading.problems.isEmpty else { throw ConfigurationError(problems: reading.problems) }
        self = reach
    }

    fileprivate init(own: ViewerAddress, outer: OuterAccess? = nil) {
        self.own = own
        self.outer = outer
    }
}

/// Who may use the viewer from where, once the settings make sense together.
public struct OuterAccess: Sendable, Hashable {
    /// Where to listen.
    public var address: OuterAddress
    /// As it is written: in clear, or what a start has made of it.
    public var password: Secret
    /// A certificate chain in PEM, as it is written; empty: a proxy does the encryption.
    public var certificate: String
    /// Its private key in PEM, as it is written.
    public var key: String
    /// If there are any, nobody else may connect.
    public var proxies: [IPPrefix]
    /// The host names that are answered, at least one.
    public var names: [ViewerName]

    /// All of it.
    public init(
        address: OuterAddress, password: Secret, certificate: String = "", key: String = "", proxies: [IPPrefix] = [],
        names: [ViewerName]
    ) {
        self.address = address
        self.password = password
        self.certificate = certificate
        self.key = key
        self.proxies = proxies
        self.names = names
    }

    /// True if other settings take away what a door with these stands on: the password, its certificate, all of its proxies, or
    /// the door itself. Another certificate or other proxies do not: whoever is inside could not come back to start again.
    /// - Parameter next: what the other settings come to; nil: no door.
    public func isTakenAway(by next: OuterAccess?) -> Bool {
        guard let next, !next.password.isEmpty else { return true }
        return isEncrypted && !next.isEncrypted || !proxies.isEmpty && next.proxies.isEmpty
    }

    /// True if the viewer itself encrypts.
    public var isEncrypted: Bool { !certificate.isEmpty }

    /// What browsers send as `Host`, one for each name.
    /// - Parameter port: where the door really listens; a proxy is asked at its own, 443 unless a name says otherwise.
    public func authorities(listeningPort port: Int) -> [String] {
        names.map { $0.authority(standardPort: proxies.isEmpty ? port : 443) }
    }
}

/// One reading of the keys, gathering problems.
private struct Reading {
    /// The most names and the most proxies.
    static let limit = 16

    let viewer: GoopConfiguration.Viewer
    var problems: [ConfigurationProblem] = []

    init(viewer: GoopConfiguration.Viewer) { self.viewer = viewer }

    mutating func reach() -> ViewerReach? {
        checkPassword()
        let proxies = list(
            "viewer.trusted_proxies", viewer.trustedProxies, "is no IP address", "10.0.0.7, 192.168.1.0/24"
        ) { IPPrefix($0) }
        let names = list(
            "viewer.names", viewer.names, "is no name that other computers can ask for", "me.example.org, 192.168.1.5"
        ) { ViewerName($0) }
        let isEncrypted = !viewer.tlsCertificate.isEmpty
        if isEncrypted == viewer.tlsKey.isEmpty {
            add(
                isEncrypted ? "viewer.tls_key" : "viewer.tls_certificate", "is missing; the two belong together",
                "name a PEM file, or clear both")
        }
        for proxy in proxies where proxy.length == 0 {
            add("viewer.trusted_proxies", "\(proxy) trusts everybody", "name the proxy's own address")
        }
        let text: ViewerAddressText
        do throws(ViewerAddressError) { text = try ViewerAddressText(viewer.httpAddress) } catch {
            add("viewer.http_addr", error.cause, error.nextStep)
            return nil
        }
        if text == .off { return ViewerReach(own: .off) }
        guard isEncrypted || !proxies.isEmpty else { return ownOnly(text) }
        return outer(text, proxies: proxies, names: names)
    }

    /// Nobody has asked for a door; see that nobody believes to have one.
    private mutating func ownOnly(_ text: ViewerAddressText) -> ViewerReach? {
        if case .place(let host, let port) = text, ["0.0.0.0", "[::]", "*", ""].contains(host), !viewer.password.isEmpty
        {
            add(
                "viewer.http_addr",
                "means the peer's own computer only as long as there is no encryption, though viewer.password is set",
                "set viewer.tls_certificate with viewer.tls_key, or viewer.trusted_proxies; or write \"127.0.0.1:\(port)\""
            )
            return nil
        }
        do throws(ViewerAddressError) {
            return ViewerReach(own: try ViewerAddress(configured: viewer.httpAddress))
        } catch {
            add("viewer.http_addr", error.cause, error.nextStep)
            return nil
        }
    }

    private mutating func outer(_ text: ViewerAddressText, proxies: [IPPrefix], names: [ViewerName]) -> ViewerReach? {
        if viewer.password.isEmpty {
            add(
                "viewer.password", "is empty, and whoever reaches the viewer can act in your name",
                "set one of at least \(PasswordHash.acceptedBytes.lowerBound) characters; "
                    + "or clear viewer.tls_certificate, viewer.tls_key and viewer.trusted_proxies too, to let nobody in"
            )
        }
        guard case .place(let host, let port) = text else {
            add(
                "viewer.http_addr", "is empty; a viewer for other computers needs an address",
                "write \"0.0.0.0:8443\" for all addresses of the peer's computer, or one of them")
            return nil
        }
        let ip: IPAddress?
        switch host {
        case "", "*", "0.0.0.0", "[::]": ip = nil
        case "localhost": ip = .v4(0x7f00_0001)
        default:
            ip = ViewerAddressText.ip(host)
            guard ip != nil else {
                add(
                    "viewer.http_addr", "\"\(host.prefix(64))\" is no IP address",
                    "write an address of the peer's computer; names belong into viewer.names")
                return nil
            }
        }
        var names = names
        if let ip, proxies.isEmpty, !names.contains(where: { $0 == ViewerName(ip: ip) }) {
            names.append(ViewerName(ip: ip))
        }
        if names.isEmpty {
            add(
                "viewer.names", "is empty; only requests for a name that is written here are answered",
                "write what browsers will show in their address bar")
        }
        return ViewerReach(
            own: .automatic,
            outer: OuterAccess(
                address: OuterAddress(ip: ip, port: port), password: viewer.password,
                certificate: viewer.tlsCertificate, key: viewer.tlsKey, proxies: proxies, names: names))
    }

    private mutating func checkPassword() {
        let text = viewer.password.revealed
        guard !text.isEmpty else { return }
        if text.hasPrefix(PasswordHash.mark) {
            if PasswordHash(text) == nil {
                add(
                    "viewer.password", "is a hash that cannot be read",
                    "write the password itself; the next start hashes it")
            }
        } else if !PasswordHash.acceptedBytes.contains(text.utf8.count) {
            let accepted = PasswordHash.acceptedBytes
            let size = text.utf8.count == 1 ? "1 byte" : "\(text.utf8.count) bytes"
            add(
                "viewer.password", "has \(size), not \(accepted.lowerBound) to \(accepted.upperBound)",
                "four random words are easy to keep in mind")
        }
    }

    /// Texts between commas.
    private mutating func list<Item>(
        _ key: String, _ text: String, _ fault: String, _ example: String, read: (String) -> Item?
    ) -> [Item] {
        let texts = text.split(separator: ",").map { $0.trimmingBlanks() }.filter { !$0.isEmpty }
        guard texts.count <= Self.limit else {
            add(key, "has \(texts.count) entries; the limit is \(Self.limit)", "shorten it")
            return []
        }
        return texts.compactMap { text in
            let item = read(text)
            if item == nil { add(key, "\"\(text.prefix(64))\" \(fault)", "write for example \"\(example)\"") }
            return item
        }
    }

    private mutating func add(_ key: String, _ cause: String, _ nextStep: String) {
        problems.append(.init(key: key, cause: cause, nextStep: nextStep))
    }
}
