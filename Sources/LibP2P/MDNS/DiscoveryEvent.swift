public import Multiformats
import P2PCore
public import PeerIdentity

/// What discovery on the local network finds and loses.
///
/// Nothing in Multicast DNS is signed: these are hints. Who is at an address is proved when it is dialled, and whoever is lost may
/// be there all the same.
public enum DiscoveryEvent: Sendable, Hashable, CustomStringConvertible {
    /// Why a peer is known no longer.
    public enum LossReason: Sendable, Hashable, CaseIterable, CustomStringConvertible {
        /// It said goodbye.
        case goodbye
        /// It was not heard again in time, for four minutes or for less if it said so; or another peer announces itself by its name.
        case expired
        /// The interface that it was heard on is gone.
        case interfaceDown

        /// Nil where nothing is said about the peer: that the table made room for others, which strangers can bring about.
        init?(_ reason: MDNSLossReason) {
            switch reason {
            case .goodbye: self = .goodbye
            case .expired: self = .expired
            case .interfaceDown: self = .interfaceDown
            case .evicted: return nil
            }
        }

        /// For people and logs.
        public var description: String {
            switch self {
            case .goodbye: "it said goodbye"
            case .expired: "it was not heard again in time, or another took its name"
            case .interfaceDown: "the interface that it was heard on is gone"
            }
        }
    }

    /// A peer was heard: the first time, with new addresses, and again at most once a second. One to 16 addresses, without the
    /// peer id, the most local first.
    case discovered(PeerID, addresses: [Multiaddr])
    /// No announcement of the peer holds any more.
    case lost(PeerID, reason: LossReason)

    /// For people and logs.
    public var description: String {
        switch self {
        case .discovered(let peer, let addresses):
            "discovered \(peer) at \(addresses.map(\.description).joined(separator: ", "))"
        case .lost(let peer, let reason): "lost \(peer): \(reason)"
        }
    }
}
