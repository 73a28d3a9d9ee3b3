public import GoopCore
public import NIOCore
public import PeerIdentity

/// What the viewer needs from the peer behind it; the only door between the pages and the node.
///
/// All methods may be called from any task at any time, many at once.
public protocol ViewerBackend: Sendable {
    /// How the owner wants the pages, at this moment.
    var preferences: ViewerPreferences { get }
    /// The owner of this viewer.
    func selfProfile() async -> SelfProfile
    /// Every peer that is listed now, sorted by id.
    func peers() async -> [PeerEntry]
    /// What the owner calls a peer, whether it is listed now or not: the petname, else the label that it gave itself last; of the
    /// own peer its label. Empty when there is neither. A label is a stranger's text, and a petname is no peer's business.
    func name(of peer: PeerID) async -> String
    /// Changes of the peer list from now on. The stream ends when elements were lost because nobody read it fast enough; the
    /// viewer then asks for another one and sends full snapshots.
    func peerChanges() async -> AsyncStream<PeerChange>
    /// Answers one query for a file of a peer's site; the own id reads the own folder under the same guards.
    ///
    /// - Parameters:
    ///   - query: its path begins with a slash, is percent-decoded once, and has no empty, `.` or `..` segment; `/` or a
    ///     trailing slash asks for the folder's index.
    ///   - peer: whose site.
    /// - Returns: the head and a body that is read while it arrives. A peer that speaks upstream's protocol only answers a
    ///   query for a part with the whole.
    /// - Throws: `SiteError` with the class, the facts, and for an unreachable peer the addresses tried.
    func openSite(_ query: SiteQuery, of peer: PeerID) async throws(SiteError) -> SiteBody
    /// Files of a peer's site that change from now on; bounded, and ended with an error when the peer goes. The own id
    /// watches the own folder.
    ///
    /// - Throws: `SiteError`; `.disabled` if the peer does not tell.
    func siteChanges(of peer: PeerID) async throws(SiteError) -> AsyncThrowingStream<SiteChanges, any Error>
    /// Performs one operation on a peer's tables; the own id means the own database, as its owner.
    ///
    /// - Returns: the bare value of the answer, and for another peer's the share of the room that it takes.
    /// - Throws: `DataError` of the owner, `unreachable` and `timedOut` when there was no answer, or `busy` and `tooLarge` when
    ///   there is no room for it.
    func data(_ request: DataRequest, of peer: PeerID) async throws(DataError) -> DataAnswer
    /// Changes of a table from now on; bounded, and ended with an error when changes were lost or the peer went.
    ///
    /// - Throws: `DataError` when the table cannot be watched.
    func dataChanges(
        of peer: PeerID, table: String
    ) async throws(DataError) -> AsyncThrowingStream<DataChange, any Error>
    /// True if the owner agreed to this for the site of a peer.
    func hasConsent(_ consent: SiteConsent, for peer: PeerID) async -> Bool
    /// Keeps the owner's word on that, also over a restart.
    ///
    /// - Throws: what the file system said, when it could not be kept.
    func setConsent(_ consent: SiteConsent, _ given: Bool, for peer: PeerID) async throws
    /// True while the owner wants nobody to be told that this peer is here.
    func isInvisible() async -> Bool
    /// Where somebody was heard of lately who says that they are this peer: IP addresses, or `this computer`. Nil if nobody does.
    func twin() async -> String?
    /// Which parts of the peer are up.
    func readiness() async -> Readiness
}

extension ViewerBackend {
    /// What nobody has changed.
    public var preferences: ViewerPreferences { ViewerPreferences() }

    /// Everybody may know.
    public func isInvisible() async -> Bool { false }

    /// Nobody does.
    public func twin() async -> String? { nil }

    /// Opens one whole file; a folder means its index, and a page that says "not found" is not a file.
    public func openSite(of peer: PeerID, path: String) async throws(SiteError) -> SiteBody {
        let body = try await openSite(SiteQuery(path), of: peer)
        switch body.head.status {
        case .whole: return body
        case .folder where !path.hasSuffix("/"):
            body.discard()
            return try await openSite(of: peer, path: path + "/")
        default:
            body.discard()
            throw SiteError(kind: body.head.status == .missing ? .notFound : .protocolViolation)
        }
    }
}

/// The owner of the viewer, as pages and `/api/self` show it.
public struct SelfProfile: Sendable, Hashable {
    /// The own peer id.
    public var id: PeerID
    /// The name that other peers see.
    public var label: String
    /// Empty when none is set.
    public var email: String
    /// 16 hexadecimal characters that name the own picture, or empty.
    public var avatarHash: String

    /// Makes a profile; e-mail and picture are optional.
    public init(id: PeerID, label: String, email: String = "", avatarHash: String = "") {
        self.id = id
        self.label = label
        self.email = email
        self.avatarHash = avatarHash
    }
}

/// One file of a site on its way: what the other side announced, and the bytes as they come.
public struct SiteBody: Sendable {
    /// Media type and size as the other side gave them; the type is a claim of a stranger.
    public var head: SiteHead
    /// The bytes, at most `head.size` of them, in chunks of any length. Read once.
    public var chunks: any AsyncSequence<ByteBuffer, any Error> & Sendable
    /// The same bytes, each time all the chunks that have come by then, within a bound: to be sent on together. Nil where
    /// they come one by one anyway; who reads these does not read `chunks`.
    public var runs: (any AsyncSequence<[ByteBuffer], any Error> & Sendable)?
    /// All the bytes, if they came together with the head: whoever takes them does not read `chunks`.
    public var whole: ByteBuffer?
    /// Gives the stream back unread; called instead of reading `chunks` (a HEAD request), or after a failed read.
    public var discard: @Sendable () -> Void

    /// Makes a body; `discard` may be left out when dropping `chunks` is enough.
    public init(
        head: SiteHead, chunks: any AsyncSequence<ByteBuffer, any Error> & Sendable,
        runs: (any AsyncSequence<[ByteBuffer], any Error> & Sendable)? = nil, whole: ByteBuffer? = nil,
        discard: @escaping @Sendable () -> Void = {}
    ) {
        self.head = head
        self.chunks = chunks
        self.runs = runs
        self.whole = whole
        self.discard = discard
    }
}

/// Which parts of the peer are up; `/readyz` answers 200 only when all are.
public struct Readiness: Sendable, Hashable {
    /// One part, with a word on what it waits for.
    public struct Component: Sendable, Hashable {
        /// Short lower-case word: `node`, `discovery`, `viewer`.
        public var name: String
        /// True when the part does its work.
        public var isReady: Bool
        /// Why it is not ready, or a fact such as an address; may be empty.
        public var detail: String

        /// Makes a component.
        public init(name: String, isReady: Bool, detail: String = "") {
            self.name = name
            self.isReady = isReady
            self.detail = detail
        }
    }

    /// In the order they start.
    public var components: [Component]
    /// True when every component is.
    public var isReady: Bool { components.allSatisfy(\.isReady) }

    /// Makes a readiness answer.
    public init(components: [Component]) {
        self.components = components
    }
}
