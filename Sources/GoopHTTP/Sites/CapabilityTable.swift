import PeerIdentity
import Synchronization

/// Secret paths for browsers that do not resolve `*.localhost`: `/c/<token>/…` on the viewer's address stands for one
/// peer's site, and for nothing else.
///
/// A page under such a path has an opaque origin, so the path is all that tells which site asks. Only that page knows
/// it, and with it whoever the page tells; what it opens is that page's own site.
final class CapabilityTable: Sendable {
    private struct State {
        var tokens: [PeerID: String] = [:]
        var peers: [String: PeerID] = [:]
        /// Oldest first.
        var order: [PeerID] = []
    }

    private let limit: Int
    private let state = Mutex(State())

    /// At the limit the site that got its path first loses it; opening it again gives another one.
    init(limit: Int = 1024) {
        self.limit = max(limit, 1)
    }

    /// The token of a peer's site, the same for all tabs until the viewer ends or `revoke` is called.
    func token(of peer: PeerID) -> String {
        state.withLock { state in
            if let token = state.tokens[peer] { return token }
            let token = Self.newToken()
            state.tokens[peer] = token
            state.peers[token] = peer
            state.order.append(peer)
            if state.order.count > limit { Self.drop(state.order.removeFirst(), from: &state) }
            return token
        }
    }

    /// True while there is any such path.
    var isInUse: Bool { state.withLock { !$0.tokens.isEmpty } }

    /// Whose site a token stands for.
    func peer(of token: some StringProtocol) -> PeerID? {
        state.withLock { $0.peers[String(token)] }
    }

    /// Ends the path of a peer's site.
    func revoke(_ peer: PeerID) {
        state.withLock { state in
            Self.drop(peer, from: &state)
            state.order.removeAll { $0 == peer }
        }
    }

    private static func drop(_ peer: PeerID, from state: inout State) {
        if let token = state.tokens.removeValue(forKey: peer) { state.peers[token] = nil }
    }

    /// 192 random bits.
    private static func newToken() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<3).map { _ in String(generator.next() as UInt64, radix: 36) }.joined(separator: "-")
    }
}
