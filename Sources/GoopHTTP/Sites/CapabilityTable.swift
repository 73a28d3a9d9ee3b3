import PeerIdentity
import Synchronization

/// Secret paths for browsers that do not resolve `*.localhost`: `/c/<token>/…` on the viewer's address stands for one
/// peer's site, and for nothing else.
///
/// A page under such a path has an opaque origin, so the path is all that tells which site asks. Only that page knows
/// it, and with it whoever the page tells; what it opens is that page's own site.
///
/// At the outer door a path also belongs to the session that asked for it, and ends with it: requests of an opaque page
/// carry no cookie.
final class CapabilityTable: Sendable {
    private struct Visit: Hashable {
        var peer: PeerID
        var session: SessionID?
    }

    private struct State {
        var tokens: [Visit: String] = [:]
        var visits: [String: Visit] = [:]
        /// Of each token.
        var streams: [String: StreamPlaces] = [:]
        /// Oldest first.
        var order: [Visit] = []
    }

    /// Streams of events that one site may have open in one browser. It has the address of the viewer there, and some browsers open
    /// six connections to one address: the site must not take all those that the bar around it needs.
    static let maximumStreams = 2

    private let limit: Int
    private let state = Mutex(State())

    /// At the limit the site that got its path first loses it; opening it again gives another one.
    init(limit: Int = 1024) {
        self.limit = max(limit, 1)
    }

    /// The token of a peer's site, the same for all tabs until the viewer ends or `revoke` is called.
    func token(of peer: PeerID, for session: SessionID? = nil) -> String {
        let visit = Visit(peer: peer, session: session)
        return state.withLock { state in
            if let token = state.tokens[visit] { return token }
            let token = Self.newToken()
            state.tokens[visit] = token
            state.visits[token] = visit
            state.streams[token] = StreamPlaces(limit: Self.maximumStreams, limitPerPeer: Self.maximumStreams)
            state.order.append(visit)
            if state.order.count > limit { Self.drop(state.order.removeFirst(), from: &state) }
            return token
        }
    }

    /// True while there is any such path.
    var isInUse: Bool { state.withLock { !$0.tokens.isEmpty } }

    /// Whose site a token stands for.
    func peer(of token: some StringProtocol) -> PeerID? {
        state.withLock { $0.visits[String(token)]?.peer }
    }

    /// Whose session a token belongs to; nil on loopback.
    func session(of token: some StringProtocol) -> SessionID? {
        state.withLock { $0.visits[String(token)]?.session }
    }

    /// The places for streams under a token; nil if it stands for nothing.
    func streams(of token: some StringProtocol) -> StreamPlaces? {
        state.withLock { $0.streams[String(token)] }
    }

    /// Ends the path of a peer's site.
    func revoke(_ peer: PeerID, for session: SessionID? = nil) {
        end { $0 == Visit(peer: peer, session: session) }
    }

    /// Ends the paths of a session.
    func revokeAll(of session: SessionID) {
        end { $0.session == session }
    }

    private func end(_ isOver: (Visit) -> Bool) {
        state.withLock { state in
            for visit in state.order where isOver(visit) { Self.drop(visit, from: &state) }
            state.order.removeAll(where: isOver)
        }
    }

    private static func drop(_ visit: Visit, from state: inout State) {
        guard let token = state.tokens.removeValue(forKey: visit) else { return }
        state.visits[token] = nil
        state.streams[token] = nil
    }

    /// 192 random bits.
    private static func newToken() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<3).map { _ in String(generator.next() as UInt64, radix: 36) }.joined(separator: "-")
    }
}
