import LibP2P
import Synchronization

/// Which peers that were named at the start have answered, so that the owner hears of each once when it does not, and once
/// when it does: there is no other sign of a wrong address.
///
/// Bounded by what the owner named. Can be called from anywhere.
final class ContactWatch: Sendable {
    private enum Progress {
        case untold, failed, reached
    }

    private struct Contact {
        var addresses: [Multiaddr] = []
        var progress = Progress.untold
    }

    private let contacts: Mutex<[PeerID: Contact]>

    /// Watches for these, each an address that ends in a peer's id; the same peer may be named with several.
    init(_ addresses: [Multiaddr]) {
        var contacts: [PeerID: Contact] = [:]
        for address in addresses {
            guard let peer = address.peerID else { continue }
            contacts[peer, default: Contact()].addresses.append(address)
        }
        self.contacts = Mutex(contacts)
    }

    /// A dial of the peer failed.
    /// - Returns: its addresses, if that is to be told: at the first time, of one that has not answered before.
    func failed(_ peer: PeerID) -> [Multiaddr]? {
        contacts.withLock { contacts in
            guard let contact = contacts[peer], contact.progress == .untold else { return nil }
            contacts[peer]?.progress = .failed
            return contact.addresses
        }
    }

    /// There is a connection with the peer.
    /// - Returns: its addresses, if that is to be told: at the first time.
    func reached(_ peer: PeerID) -> [Multiaddr]? {
        contacts.withLock { contacts in
            guard let contact = contacts[peer], contact.progress != .reached else { return nil }
            contacts[peer]?.progress = .reached
            return contact.addresses
        }
    }
}
