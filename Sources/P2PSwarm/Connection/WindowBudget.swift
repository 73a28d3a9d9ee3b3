import Synchronization

/// A bound on the memory that grown receive windows may need, shared by many connections.
///
/// Every stream has its first 256 KiB by the protocol; growth beyond asks here first and is skipped when refused.
public final class WindowBudget: Sendable {
    /// The bound, in bytes.
    public let maximumBytes: Int
    private let reserved = Atomic<Int>(0)

    /// A budget of `maximumBytes`.
    public init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

    /// What is reserved now, in bytes.
    public var reservedBytes: Int { self.reserved.load(ordering: .relaxed) }

    /// Reserves `bytes`, or refuses.
    public func reserve(_ bytes: Int) -> Bool {
        let (_, sum) = self.reserved.add(bytes, ordering: .relaxed)
        if sum <= self.maximumBytes { return true }
        self.release(bytes)
        return false
    }

    /// Gives back what was reserved.
    public func release(_ bytes: Int) { self.reserved.subtract(bytes, ordering: .relaxed) }
}
