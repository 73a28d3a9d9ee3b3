import Synchronization

/// Whether a store is being closed.
///
/// Scans look here whenever they look at the clock: the owner's may take 30 s, and a program that is told to end cannot wait for
/// them.
final class StoreEnding: Sendable {
    private let isBegun = Atomic(false)

    /// True from `begin` on, for good.
    var hasBegun: Bool { isBegun.load(ordering: .relaxed) }

    func begin() { isBegun.store(true, ordering: .relaxed) }
}
