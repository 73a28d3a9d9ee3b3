import Multiformats

/// A name under which other machines ask for the viewer: what a browser shows in its address bar.
public struct ViewerName: Sendable, Hashable, CustomStringConvertible {
    /// Lower case; an IPv6 address in brackets.
    public let host: String
    /// The port that browsers use, if it was written.
    public let port: Int?

    /// Reads `HOST` or `HOST:PORT`; nil if it is no host name or IP address, or one that means the browser's own machine.
    public init?(_ text: String) {
        let text = text.lowercased()
        var host = text[...]
        var port: Int?
        // An IPv6 address has colons of its own, within its brackets.
        if let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") {
            guard let given = ViewerAddressText.port(text[text.index(after: colon)...]), given > 0 else { return nil }
            host = text[..<colon]
            port = given
        }
        if let ip = ViewerAddressText.ip(host) {
            guard !ip.isUnspecified, !ip.isMulticast else { return nil }
            self.init(ip: ip, port: port)
            return
        }
        guard Self.isHostName(host), host != "localhost", !host.hasSuffix(".localhost") else { return nil }
        self.init(host: String(host), port: port)
    }

    /// An address as a name.
    init(ip: IPAddress, port: Int? = nil) {
        self.init(host: ip.isIPv6 ? "[\(ip)]" : "\(ip)", port: port)
    }

    private init(host: String, port: Int?) {
        self.host = host
        self.port = port
    }

    /// `HOST` or `HOST:PORT`, as it was written.
    public var description: String { port.map { "\(host):\($0)" } ?? host }

    /// What browsers send as `Host` when they use HTTPS.
    /// - Parameter standard: the port if none was written.
    public func authority(standardPort standard: Int) -> String {
        let port = port ?? standard
        return port == 443 ? host : "\(host):\(port)"
    }

    /// Letters, digits and hyphens between dots; the last label not all digits, as browsers would take it for an address.
    private static func isHostName(_ text: Substring) -> Bool {
        guard (1...253).contains(text.utf8.count) else { return false }
        let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard let last = labels.last, !last.allSatisfy({ (0x30...0x39).contains($0) }) else { return false }
        return labels.allSatisfy { label in
            (1...63).contains(label.count) && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
                && label.allSatisfy {
                    (0x30...0x39).contains($0) || (0x61...0x7a).contains($0) || $0 == UInt8(ascii: "-")
                }
        }
    }
}
