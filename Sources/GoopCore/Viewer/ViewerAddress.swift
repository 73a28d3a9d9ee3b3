public import Multiformats

/// Where the viewer listens for its owner on this machine: on loopback only, for whoever reaches it can read the owner's
/// files and act in the owner's name. `ViewerReach` says when there is a door for other machines too.
public enum ViewerAddress: Sendable, Hashable {
    /// Nothing was written: 8080, or the next free port; a port that was chosen before is tried first.
    case automatic
    /// This port and no other, on 127.0.0.1 and ::1. Zero lets the system choose.
    case port(Int)
    /// No viewer.
    case off

    /// The port tried first when nothing is configured.
    public static let defaultPort = 8080

    /// Reads the value of `viewer.http_addr` for a viewer that only this machine reaches.
    ///
    /// Accepted: nothing or blanks (automatic), `off`, `:P`, `127.0.0.1:P`, `localhost:P`, `[::1]:P`, and for
    /// compatibility `0.0.0.0:P`, `*:P` and `[::]:P`, which all mean loopback.
    /// - Throws: `ViewerAddressError` with the text, the reason and what to write instead.
    public init(configured text: String) throws(ViewerAddressError) {
        switch try ViewerAddressText(text) {
        case .nothing: self = .automatic
        case .off: self = .off
        case .place(let host, let port):
            switch host {
            case "", "127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::]", "*": self = .port(port)
            default:
                throw ViewerAddressError(
                    text: text, reason: .beyondLoopback(host: String(host.prefix(64)), port: port))
            }
        }
    }
}

/// Where a door for other machines listens.
public struct OuterAddress: Sendable, Hashable {
    /// The listening address; nil: every address of this machine.
    public var ip: IPAddress?
    /// Zero lets the system choose.
    public var port: Int

    /// Both.
    public init(ip: IPAddress?, port: Int) {
        self.ip = ip
        self.port = port
    }
}

/// What is written into `viewer.http_addr`, taken apart.
enum ViewerAddressText: Equatable {
    case nothing
    case off
    /// Lower case; empty for `:P`.
    case place(host: String, port: Int)

    init(_ text: String) throws(ViewerAddressError) {
        let trimmed = text.trimmingBlanks()
        if trimmed.isEmpty {
            self = .nothing
            return
        }
        if trimmed.lowercased() == "off" {
            self = .off
            return
        }
        guard let colon = trimmed.lastIndex(of: ":") else {
            if let port = Int(trimmed) { throw ViewerAddressError(text: text, reason: .missingColon(port)) }
            throw ViewerAddressError(text: text, reason: .missingPort)
        }
        let digits = trimmed[trimmed.index(after: colon)...]
        guard let port = Self.port(digits) else {
            throw ViewerAddressError(text: text, reason: .badPort(String(digits.prefix(32))))
        }
        self = .place(host: trimmed[..<colon].lowercased(), port: port)
    }

    /// A port in plain digits; nil for anything else.
    static func port(_ digits: some StringProtocol) -> Int? {
        guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = Int(digits), port <= 65535
        else { return nil }
        return port
    }

    /// The IP address of a host as it is written in front of a port: IPv6 in brackets.
    static func ip(_ host: some StringProtocol) -> IPAddress? {
        guard host.hasPrefix("[") else {
            let ip = IPAddress(String(host))
            return ip?.isIPv6 == true ? nil : ip
        }
        guard host.hasSuffix("]"), let ip = IPAddress(String(host.dropFirst().dropLast())), ip.isIPv6 else {
            return nil
        }
        return ip
    }
}

/// A value of `viewer.http_addr` that cannot be used.
public struct ViewerAddressError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong with the text.
    public enum Reason: Sendable, Hashable {
        /// Only a number; the port needs a colon in front.
        case missingColon(Int)
        /// No port at all.
        case missingPort
        /// Not a number from 0 to 65535.
        case badPort(String)
        /// An address that other machines could reach.
        case beyondLoopback(host: String, port: Int)
    }

    /// The configured text, at most 200 characters of it.
    public let text: String
    /// What is wrong with it.
    public let reason: Reason

    init(text: String, reason: Reason) {
        self.text = String(text.prefix(200))
        self.reason = reason
    }

    /// What is wrong, and why.
    public var cause: String {
        let fault =
            switch reason {
            case .missingColon: "a port needs a colon in front"
            case .missingPort: "it names no port"
            case .badPort(let digits): "\"\(digits)\" is no port from 0 to 65535"
            case .beyondLoopback(let host, _):
                "\(host) can be reached from other computers, and whoever reaches the viewer can act in your name; "
                    + "this is refused until the viewer has a password and encryption"
            }
        return "is \"\(text)\": \(fault)"
    }

    /// What to write instead.
    public var nextStep: String {
        switch reason {
        case .missingColon(let port): "write \":\(port)\""
        case .missingPort: "write \"127.0.0.1:8080\", or \"off\" for no viewer"
        case .badPort: "write for example \"127.0.0.1:8080\""
        case .beyondLoopback(_, let port):
            "set viewer.password, and viewer.tls_certificate with viewer.tls_key or viewer.trusted_proxies; "
                + "or write \"127.0.0.1:\(port)\""
        }
    }

    /// Cause and next step.
    public var description: String { "viewer.http_addr \(cause); \(nextStep)" }
}

extension StringProtocol {
    /// The text without spaces, tabs and line ends at both ends.
    package func trimmingBlanks() -> String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0.isNewline }
        guard let first = firstIndex(where: { !isBlank($0) }), let last = lastIndex(where: { !isBlank($0) }) else {
            return ""
        }
        return String(self[first...last])
    }
}
