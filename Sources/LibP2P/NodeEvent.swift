/// What happens to a node.
///
/// Failed dials, refused connections and reached limits are what a stranger can bring about as often as it likes. They are told up
/// to `ResourceLimits.pacedEventBurst` and `pacedEventInterval` only; what was withheld is counted, see `Node.withheldEvents`.
public enum NodeEvent: Sendable, CustomStringConvertible {
    /// A connection is usable. One event for each connection, so several for one peer are possible.
    case connected(ConnectionInfo)
    /// A connection has ended, and why; `isLast` if the peer had no other at that moment. It may have come back before this is
    /// told: `.connected` of the new connection may stand in front of it.
    case disconnected(ConnectionInfo, isLast: Bool, cause: DisconnectCause)
    /// A peer said who it is and what it speaks: after connecting, and whenever it pushes a change.
    case identified(PeerID, IdentifyInfo)
    /// A peer did not answer identify on this connection. It is asked again later, with growing waits, as long as it stays
    /// connected and does not tell by itself: `IdentifyLimits.attempts` times in all, then `triesAgain` is false. That is so at once
    /// for a peer that does not speak identify, or answers what cannot be meant.
    case identifyFailed(ConnectionInfo, reason: String, triesAgain: Bool)
    /// A dial has come to nothing: every address has failed, or all who waited for it had waited long enough. One event for a dial,
    /// however many waited; none for one that nobody wanted any more. `P2PError.attempts` has each address and what came back.
    case dialFailed(PeerID, P2PError)
    /// Somebody who wanted to connect from this address was not let in, or did not get through the handshake. The peer is known if
    /// the handshake had proved it by then.
    case connectionRefused(from: Multiaddr, peer: PeerID?, reason: ConnectionRefusal)
    /// One of our limits refused something, so many times since the last event of the same limit.
    case limitReached(LimitExceeded, times: Int)
    /// Our addresses have changed; the new ones.
    case listenAddressesChanged([Multiaddr])

    /// For people and logs; what a stranger wrote is cut and escaped.
    public var description: String {
        switch self {
        case .connected(let connection): "connected with \(connection)"
        case .disconnected(let connection, let isLast, let cause):
            "disconnected from \(connection): \(cause)" + (isLast ? "" : "; other connections with the peer remain")
        case .identified(let peer, let info):
            "\(peer) speaks \(info.protocols.count) protocols"
                + (info.agentVersion.isEmpty ? "" : " by the software \(brief(info.agentVersion))")
        case .identifyFailed(let connection, let reason, let triesAgain):
            "\(connection.peer) did not say who it is: \(reason)" + (triesAgain ? "; it is asked again later" : "")
        case .dialFailed(let peer, let error): "no connection with \(peer): \(error)"
        case .connectionRefused(let address, let peer, let reason):
            "refused a connection from \(address)\(peer.map { " of \($0)" } ?? ""): \(reason)"
        case .limitReached(let exceeded, let times): times == 1 ? "\(exceeded)" : "\(exceeded), \(times) times"
        case .listenAddressesChanged(let addresses):
            "listening on "
                + (addresses.isEmpty ? "no address" : addresses.map(\.description).joined(separator: ", "))
        }
    }
}

/// A node's events from the moment of subscription on.
///
/// Bounded: a subscriber that falls behind by more than `ResourceLimits.eventsPerSubscriber` loses the oldest ones. Ends when the
/// node stops, and when a task is cancelled that waits for the next event: `Node.events()` gives another.
public struct NodeEvents: AsyncSequence, Sendable {
    let stream: AsyncStream<NodeEvent>

    /// Iterates once; a second iterator shares the events with the first.
    public func makeAsyncIterator() -> AsyncStream<NodeEvent>.Iterator { self.stream.makeAsyncIterator() }
}
