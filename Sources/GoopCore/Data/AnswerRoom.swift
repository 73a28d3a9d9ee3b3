public import PeerIdentity
import Synchronization

/// The memory that answers of other peers take while they come, are read, and wait for the browser: one room for all peers
/// and all pages, because each answer may be large and each page may ask for many.
///
/// A peer may hold half of what the others leave: half of all while it is alone, a quarter beside one that has its half. So the
/// room is never full for a peer that holds nothing yet, however slowly others send, or their pages take. Of 256 MiB, two that
/// hold all they can leave 32 MiB to the answers of a third, and each further one, whose pages must be open too, half as much.
///
/// An answer that finds no room while it comes is refused, not made to wait: answers that wait for each other's room would all
/// come to their deadlines with it. One that has come whole needs room for a moment only, and asks again (`DataClient`).
/// Source of the figures: one answer line has at most 32 MiB, and its values take up to a few times that.
public final class AnswerRoom: Sendable {
    /// What takes no more is neither counted nor refused. Answers to writes are all shorter, and whoever is told `busy` would
    /// write again what is stored already.
    public static let shortAnswerBytes = 16 << 10

    private struct Held {
        var total = 0
        var perPeer: [PeerID: Int] = [:]
    }

    private let bytes: Int
    private let held = Mutex(Held())
    private let onChange: @Sendable (Int) -> Void

    /// Makes an empty room.
    ///
    /// - Parameter bytes: of all answers together.
    public convenience init(bytes: Int = 256 << 20) {
        self.init(bytes: bytes) { _ in }
    }

    /// - Parameter onChange: told how many bytes are held now, after each change and each refusal; for tests.
    package init(bytes: Int, onChange: @escaping @Sendable (Int) -> Void) {
        self.bytes = bytes
        self.onChange = onChange
    }

    /// How many bytes are held now.
    package var heldBytes: Int { held.withLock { $0.total } }

    /// A share for one answer of a peer; it holds nothing yet.
    public func share(for peer: PeerID) -> Share { Share(room: self, peer: peer) }

    fileprivate func change(of peer: PeerID, from old: Int, to new: Int) throws(DataError) {
        guard old != new else { return }
        defer { onChange(heldBytes) }
        try held.withLock { held throws(DataError) in
            let before = held.perPeer[peer, default: 0]
            let own = before - old
            // Giving back is always possible.
            if new > old {
                guard new <= bytes / 2 else { throw tooLarge() }
                let others = held.total - before
                guard own + new <= (bytes - others) / 2 else { throw busy() }
            }
            held.total += new - old
            held.perPeer[peer] = own + new > 0 ? own + new : nil
        }
    }

    private func tooLarge() -> DataError {
        DataError(
            code: .tooLarge, message: "the answer is too large",
            detail: "answers of one peer may take \(bytes >> 21) MiB here; ask for fewer rows or columns at once")
    }

    private func busy() -> DataError {
        DataError(
            code: .busy, message: "too many answers at once",
            detail: "answers under way may take \(bytes >> 20) MiB, those of one peer half of what the others leave; "
                + "try again when they have come, or close pages that do not take theirs")
    }

    /// What one answer holds. It is given back when the last reference goes, by whatever way.
    public final class Share: Sendable {
        private let room: AnswerRoom
        private let peer: PeerID
        private let held = Mutex(0)

        fileprivate init(room: AnswerRoom, peer: PeerID) {
            self.room = room
            self.peer = peer
        }

        deinit { release() }

        /// Holds so many bytes from now on, in place of those before.
        ///
        /// - Throws: `busy` or `tooLarge` if there is no room for more; then what was held before still is.
        public func hold(_ bytes: Int) throws(DataError) {
            let counted = bytes > AnswerRoom.shortAnswerBytes ? bytes : 0
            try held.withLock { held throws(DataError) in
                try room.change(of: peer, from: held, to: counted)
                held = counted
            }
        }

        /// Holds a buffer that grows to so many bytes: by doubling.
        ///
        /// - Throws: as `hold`.
        public func gather(_ bytes: Int) throws(DataError) {
            guard bytes > AnswerRoom.shortAnswerBytes else { return }
            try hold(1 << (Int.bitWidth - (bytes - 1).leadingZeroBitCount))
        }

        /// Holds nothing from now on.
        public func release() {
            // Giving back does not fail.
            try? hold(0)
        }
    }
}

/// The answer to a data operation.
public struct DataAnswer: Sendable {
    /// The bare value.
    public var value: JSONValue
    /// What it takes of the room for answers; nil for what this peer's own tables say. To be kept for as long as the value
    /// is, or what is made of it.
    public var share: AnswerRoom.Share?

    /// Makes an answer.
    public init(value: JSONValue, share: AnswerRoom.Share? = nil) {
        self.value = value
        self.share = share
    }
}
