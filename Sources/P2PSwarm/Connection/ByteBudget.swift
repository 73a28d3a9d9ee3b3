public import Multiformats
import P2PCore
public import PeerIdentity
import Synchronization

/// A bound on memory that many connections share, each on its own event loop: `ByteShares` behind a lock.
public final class ByteBudget: Sendable {
    private let shares: Mutex<ByteShares>
    /// The bound, in bytes.
    public let maximumBytes: Int

    /// A budget of `maximumBytes`.
    public init(maximumBytes: Int) {
        self.maximumBytes = maximumBytes
        self.shares = Mutex(ByteShares(maximumBytes: maximumBytes))
    }

    /// The share of one connection, which holds nothing yet.
    /// - Parameter address: the other end; nil if it has no IP address.
    public func share(of peer: PeerID, at address: IPAddress?) -> Share {
        Share(budget: self, holder: self.shares.withLock { $0.enter(peer, at: address) })
    }

    /// What one connection holds of the budget; what it still holds at the share's end is given back.
    public final class Share: Sendable {
        private let budget: ByteBudget
        private let holder: ByteShares.Holder

        fileprivate init(budget: ByteBudget, holder: ByteShares.Holder) {
            self.budget = budget
            self.holder = holder
        }

        deinit { self.budget.shares.withLock { $0.leave(self.holder) } }

        /// Reserves bytes, or refuses: then nothing changes.
        public func reserve(_ bytes: Int) -> Bool {
            self.budget.shares.withLock { $0.reserve(bytes, for: self.holder) }
        }

        /// Gives back what was reserved.
        public func release(_ bytes: Int) { self.budget.shares.withLock { $0.release(bytes, of: self.holder) } }
    }
}
