import Multiformats
import PeerIdentity

/// Who is dialled next of those that we know only from multicast.
///
/// Anybody on the network can make peers up, hundreds of them, and let each dial take its whole time. So whoever was heard of last
/// comes first, before all that wait to be tried again; of one host only a few are dialled at a time, which leaves places for a
/// newcomer on another; and while many wait, a dial is to be short. At the bound of those that wait, the last of them is
/// forgotten: who is there is heard of again.
///
/// A host is an address. All of these are in the local network, whose IPv6 addresses have one /56, or few: so that is nobody's
/// own, but as many addresses as one likes can be had in it, and it leaves places for those elsewhere.
///
/// A value without I/O.
struct StrangerLine: Sendable {
    /// Dials at a time, and of those to one host.
    static let maximumRunning = 16
    static let maximumRunningPerHost = 4
    /// Of those, at addresses of one IPv6 /56.
    static let maximumRunningPerNetwork = 12
    /// Those that wait.
    static let maximumWaiting = 1024

    /// Who is dialled.
    struct Turn: Sendable, Hashable {
        var peer: PeerID
        /// As many others wait as are dialled at a time, or more.
        var isShort: Bool
    }

    private struct Place {
        /// Nil: at no IP address; those count as one host.
        let host: IPAddress?
        /// The /56 of an IPv6 address; nil for any other.
        let network: IPAddress?

        init(_ address: IPAddress?) {
            let address = address?.unmapped
            host = address
            if let address, address.isIPv6 { network = address.host } else { network = nil }
        }
    }

    private struct Entry {
        var place: Place
        /// The greatest comes first.
        var turn: Int
    }

    private var waiting: [PeerID: Entry] = [:]
    private var running: [PeerID: Place] = [:]
    private var runningPerHost: [IPAddress?: Int] = [:]
    private var runningPerNetwork: [IPAddress: Int] = [:]
    /// The first and the last turn that was given.
    private var first = 0
    private var last = 0

    /// How many wait.
    var count: Int { waiting.count }

    /// A peer was heard of: it comes first, unless it is being dialled.
    mutating func heard(_ peer: PeerID, at address: IPAddress?) {
        guard running[peer] == nil else { return }
        first += 1
        waiting[peer] = Entry(place: Place(address), turn: first)
        guard waiting.count > Self.maximumWaiting else { return }
        if let victim = waiting.min(by: { $0.value.turn < $1.value.turn }) { waiting[victim.key] = nil }
    }

    /// A peer is to be tried once more: it comes last, if there is room and it does not wait already.
    mutating func again(_ peer: PeerID, at address: IPAddress?) {
        guard running[peer] == nil, waiting[peer] == nil, waiting.count < Self.maximumWaiting else { return }
        last -= 1
        waiting[peer] = Entry(place: Place(address), turn: last)
    }

    /// Who is to be dialled now, if anybody. `ended` is to be called for each.
    mutating func next() -> Turn? {
        guard running.count < Self.maximumRunning else { return nil }
        var chosen: (peer: PeerID, entry: Entry)?
        for (peer, entry) in waiting where entry.turn > chosen?.entry.turn ?? .min {
            if hasRoom(at: entry.place) { chosen = (peer, entry) }
        }
        guard let (peer, entry) = chosen else { return nil }
        waiting[peer] = nil
        running[peer] = entry.place
        runningPerHost[entry.place.host, default: 0] += 1
        if let network = entry.place.network { runningPerNetwork[network, default: 0] += 1 }
        return Turn(peer: peer, isShort: waiting.count >= Self.maximumRunning)
    }

    /// The dial of a peer has ended.
    mutating func ended(_ peer: PeerID) {
        guard let place = running.removeValue(forKey: peer) else { return }
        if let count = runningPerHost[place.host] { runningPerHost[place.host] = count > 1 ? count - 1 : nil }
        guard let network = place.network, let count = runningPerNetwork[network] else { return }
        runningPerNetwork[network] = count > 1 ? count - 1 : nil
    }

    private func hasRoom(at place: Place) -> Bool {
        guard runningPerHost[place.host, default: 0] < Self.maximumRunningPerHost else { return false }
        guard let network = place.network else { return true }
        return runningPerNetwork[network, default: 0] < Self.maximumRunningPerNetwork
    }
}
