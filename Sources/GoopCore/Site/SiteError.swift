/// One address that was tried to reach a peer, and what came back.
public struct DialFailure: Sendable, Hashable {
    /// The address in text form.
    public var address: String
    /// What came back, in plain words.
    public var reason: String
    /// How long the attempt took.
    public var elapsed: Duration

    /// Makes a record of one failed attempt.
    public init(address: String, reason: String, elapsed: Duration) {
        self.address = address
        self.reason = reason
        self.elapsed = elapsed
    }
}

/// Why a file of a site could not be had.
public struct SiteError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The class of the failure; each has its own page and exit code.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// The path or the request line is not acceptable.
        case badRequest
        case notFound
        /// Outside of the site, a dot-file, or under `lua/`.
        case forbidden
        /// The owner shows the site to certain peers only, and this is none of them.
        case notInvited
        /// The peer serves no site.
        case disabled
        /// The file is larger than the limit.
        case tooLarge
        case timedOut
        /// No address of the peer answered; see `attempts`.
        case unreachable
        /// The other side sent something that is not the site protocol, or ended in the middle of a file.
        case protocolViolation
        /// Too many requests at once; worth a retry.
        case busy
        /// The owner of this peer has blocked the other one; nothing was asked of it. Never sent.
        case blocked
    }

    /// The class of the failure.
    public var kind: Kind
    /// Facts for a person: the limit, the size, the text of the other side (length-limited).
    public var detail: String
    /// Addresses tried, for `.unreachable`.
    public var attempts: [DialFailure]
    /// True of `.forbidden` if it is a file of this machine, and the system does not let this program read it. Never sent: to
    /// visitors it is a file that is not shown.
    public var isUnreadable = false

    /// Makes an error of a class, the facts, and the addresses tried.
    public init(kind: Kind, detail: String = "", attempts: [DialFailure] = []) {
        self.kind = kind
        self.detail = detail
        self.attempts = attempts
    }

    /// The facts of `.unreachable` when a connection began, and ended before an answer.
    public static let endedConnection =
        "it ended the connection: it may be stopping, or not want to hear from this peer"

    /// Why, for whoever reads already that there was no answer.
    public var reason: String { detail.isEmpty ? kind.rawValue : detail }

    /// One line with everything known.
    public var description: String {
        let tried = attempts.map { "\($0.address): \($0.reason)" }.joined(separator: "; ")
        return kind.rawValue + (detail.isEmpty ? "" : ": " + detail) + (tried.isEmpty ? "" : " (tried \(tried))")
    }
}
