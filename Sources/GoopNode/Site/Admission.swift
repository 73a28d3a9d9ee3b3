import GoopCore
import LibP2P
import Synchronization

/// Who may ask, and who is answered: two books of places that visitors share.
///
/// A place to be answered is taken only once the request has come: who opens streams and says nothing takes places to ask from
/// others who say nothing, and none from those who are answered.
final class Admission: Sendable {
    private struct Books {
        var asking: Shares
        var answered: Shares
    }

    private let books: Mutex<Books>

    /// - Parameter shares: of those who are answered, nothing taken; as many may be asking.
    init(_ shares: Shares) { books = Mutex(Books(asking: shares, answered: shares)) }

    /// Requests that are read, and that are answered; for tests.
    var counts: (asking: Int, answered: Int) { books.withLock { ($0.asking.held, $0.answered.held) } }

    /// A place to ask; nil if there is none. It has to `end`.
    func turn(for holder: ShareHolder) -> Turn? {
        let isTaken = books.withLock { $0.asking.take(for: holder) }
        return isTaken ? Turn(of: self, holder) : nil
    }

    /// One request, from its first byte to the last of its answer.
    final class Turn: Sendable {
        fileprivate enum Place {
            case asking
            case answered
            case none
        }

        private let admission: Admission
        private let holder: ShareHolder
        private let place = Mutex(Place.asking)

        fileprivate init(of admission: Admission, _ holder: ShareHolder) {
            self.admission = admission
            self.holder = holder
        }

        /// The request has come: takes a place to be answered for the one to ask. A second time changes nothing.
        /// - Returns: false if there is none; then it has no place at all.
        func hasAsked() -> Bool {
            place.withLock { place -> Bool in
                if place == .asking { place = admission.exchange(for: holder) ? .answered : .none }
                return place == .answered
            }
        }

        /// Gives its place back. A second time changes nothing.
        func end() {
            let before = place.withLock { place -> Place in
                defer { place = .none }
                return place
            }
            admission.giveBack(before, of: holder)
        }
    }

    /// - Returns: false if there is no place to be answered; that to ask is given back all the same.
    private func exchange(for holder: ShareHolder) -> Bool {
        books.withLock { books -> Bool in
            books.asking.giveBack(of: holder)
            return books.answered.take(for: holder)
        }
    }

    private func giveBack(_ place: Turn.Place, of holder: ShareHolder) {
        books.withLock { books in
            switch place {
            case .asking: books.asking.giveBack(of: holder)
            case .answered: books.answered.giveBack(of: holder)
            case .none: break
            }
        }
    }
}

extension P2PStream {
    /// For whom what the stream asks for is taken.
    var holder: ShareHolder { ShareHolder(remotePeer, at: connection.remoteAddress.ipAddress) }
}

extension HandlerLimits {
    /// For a protocol whose places are shared out by its handler (`Admission`): of all peers together as many streams as the
    /// node takes, which shares them out too (`ResourceLedger`). A number here would be one that a few made-up peers reach.
    static func shared(perPeer: Int) -> HandlerLimits { HandlerLimits(streams: .max, streamsPerPeer: perPeer) }
}
