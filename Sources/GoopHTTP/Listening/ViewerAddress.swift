/// Where the viewer listens, as the configuration key `viewer.http_addr` says it.
///
/// The viewer answers loopback only: whoever reaches it can read the owner's files and act in the owner's name.
public enum ViewerAddress: Sendable, Hashable {
    /// Nothing was written: 8080, or the next free port; a port that was chosen before is tried first.
    case automatic
    /// This port and no other, on 127.0.0.1 and ::1. Zero lets the system choose.
    case port(Int)
    /// No viewer.
    case off

    /// The port tried first when nothing is configured.
    public static let defaultPort = 8080

    /// Reads the value of `viewer.http_addr`.
    ///
    /// Accepted: nothing or blanks (automatic), `off`, `:P`, `127.0.0.1:P`, `localhost:P`, `[::1]:P`, and for
    /// compatibility `0.0.0.0:P`, `*:P` and `[::]:P`, which all mean loopback.
    /// - Throws: `ViewerAddressError` with the text, the reason and what to write instead.
    public init(configured text: String) throws(ViewerAddressError) {
        let trimmed = text.trimmingBlanks()
        if trimmed.isEmpty {
            self = .automatic
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
        let host = trimmed[..<colon].lowercased()
        let digits = trimmed[trimmed.index(after: colon)...]
        guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = Int(digits), port <= 65535
        else {
            throw ViewerAddressError(text: text, reason: .badPort(String(digits.prefix(32))))
        }
        switch host {
        case "", "127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::]", "*":
            self = .port(port)
        default:
            throw ViewerAddressError(text: text, reason: .beyondLoopback(host: String(host.prefix(64)), port: port))
        }
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

    /// Cause and next step in two sentences.
    public var description: String {
        let cause =
            switch reason {
            case .missingColon(let port): "a port needs a colon in front. Write \":\(port)\"."
            case .missingPort: "it names no port. Write \"127.0.0.1:8080\", or \"off\" for no viewer."
            case .badPort(let digits): "\"\(digits)\" is no port from 0 to 65535. Write for example \"127.0.0.1:8080\"."
            case .beyondLoopback(let host, let port):
                "\(host) can be reached from other computers, and whoever reaches the viewer can act in your name; "
                    + "this is refused until the viewer has a password and encryption. Write \"127.0.0.1:\(port)\"."
            }
        return "viewer.http_addr is \"\(text)\": \(cause)"
    }
}

extension StringProtocol {
    /// The text without spaces, tabs and line ends at both ends.
    func trimmingBlanks() -> String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0.isNewline }
        guard let first = firstIndex(where: { !isBlank($0) }), let last = lastIndex(where: { !isBlank($0) }) else {
            return ""
        }
        return String(self[first...last])
    }
}
