import GoopCore
import LibP2P
import Multiformats
import Synchronization

/// Peers that multicast has found lately: those that are worth another try when a connection is missing.
///
/// Anybody on the network can make peers up. So strangers make room for one another only, not for those that we have been
/// connected with, and nobody takes the place of those that the owner chose.
final class Neighbours: Sendable {
    /// The most that are remembered; a newcomer takes the place of the one of the lowest standing that was seen longest ago,
    /// unless its own is lower.
    static let maximum = 1024
    /// How long after its last sign of life a peer is still tried; one that the owner chose is tried for as long as it is kept.
    static let lifetime = Duration.seconds(600)

    /// Who makes room for whom.
    enum Standing: Int, Comparable {
        /// Somebody said that it is there.
        case stranger
        /// It proved that it is.
        case met
        /// The owner's favourite, or named at the start.
        case chosen

        static func < (left: Standing, right: Standing) -> Bool { left.rawValue < right.rawValue }
    }

    private struct Sighting {
        var isMet: Bool
        var at: ContinuousClock.Instant
        var address: IPAddress?
        /// Of connections that ended as they began.
        var pause = RetryPause()
    }

    private struct State {
        var seen: [PeerID: Sighting] = [:]
        /// As many as the owner chose, seen or not.
        var favourites: Set<PeerID> = []
        /// As many as the command line has.
        var contacts: Set<PeerID> = []

        func isChosen(_ peer: PeerID) -> Bool { favourites.contains(peer) || contacts.contains(peer) }

        func standing(of peer: PeerID) -> Standing {
            if isChosen(peer) { return .chosen }
            return seen[peer]?.isMet == true ? .met : .stranger
        }
    }

    private let state = Mutex(State())
    /// What pauses count from.
    private let beginning = ContinuousClock.now

    /// A peer was found.
    /// - Parameter address: where it says that it is; nil leaves what it said before.
    func saw(
        _ peer: PeerID, at address: IPAddress? = nil, isConnected: Bool = false, now: ContinuousClock.Instant = .now
    ) {
        state.withLock { state in
            let isMet = isConnected || state.seen[peer]?.isMet == true
            if state.seen[peer] == nil, state.seen.count >= Neighbours.maximum {
                let ranked = state.seen.map { (standing: state.standing(of: $0.key), at: $0.value.at, peer: $0.key) }
                let own = max(state.standing(of: peer), isMet ? .met : .stranger)
                guard let victim = ranked.min(by: { ($0.standing, $0.at) < ($1.standing, $1.at) }),
                    victim.standing <= own
                else { return }
                state.seen[victim.peer] = nil
            }
            var sighting = Sighting(isMet: isMet, at: now, address: address ?? state.seen[peer]?.address)
            // Elsewhere it may let us in.
            if let before = state.seen[peer], before.address == sighting.address { sighting.pause = before.pause }
            state.seen[peer] = sighting
        }
    }

    /// A connection with the peer was made.
    func met(_ peer: PeerID) {
        state.withLock { state in
            guard var known = state.seen[peer] else { return }
            known.isMet = true
            state.seen[peer] = known
        }
    }

    /// The last connection with the peer ended.
    /// - Parameter isShort: as it began: whoever has blocked us does that, and is tried again less and less often.
    func parted(_ peer: PeerID, isShort: Bool, now: ContinuousClock.Instant = .now) {
        let uptime = now - beginning
        state.withLock { state in
            guard var known = state.seen[peer] else { return }
            if isShort { known.pause.failed(now: uptime) } else { known.pause = RetryPause() }
            state.seen[peer] = known
        }
    }

    /// Whether a peer may be tried once more without a cause.
    func mayTry(_ peer: PeerID, now: ContinuousClock.Instant = .now) -> Bool {
        let uptime = now - beginning
        return state.withLock { $0.seen[peer]?.pause.isOver(now: uptime) ?? true }
    }

    /// The owner wants this peer kept, or no longer.
    func keep(_ peer: PeerID, _ isKept: Bool) {
        state.withLock { state in
            state.favourites.remove(peer)
            if isKept { state.favourites.insert(peer) }
        }
    }

    /// The peer was named at the start: it is kept for as long as the program runs, a favourite or not.
    func name(_ peer: PeerID) { state.withLock { _ = $0.contacts.insert(peer) } }

    /// Multicast says goodbye for a peer, or was silent for long. One that the owner chose stays: anybody can say that, and
    /// one that was named at the start need not be within the reach of multicast at all.
    func lost(_ peer: PeerID) {
        state.withLock { state in
            if !state.isChosen(peer) { state.seen[peer] = nil }
        }
    }

    /// Who would make room for the peer.
    func standing(of peer: PeerID) -> Standing { state.withLock { $0.standing(of: peer) } }

    /// Where the peer last said that it is.
    func address(of peer: PeerID) -> IPAddress? { state.withLock { $0.seen[peer]?.address } }

    /// Everybody found within the lifetime, and whom the owner chose of those found before.
    func current(now: ContinuousClock.Instant = .now) -> [PeerID] {
        state.withLock { state in
            state.seen = state.seen.filter { now - $0.value.at < Neighbours.lifetime || state.isChosen($0.key) }
            return Array(state.seen.keys)
        }
    }
}
