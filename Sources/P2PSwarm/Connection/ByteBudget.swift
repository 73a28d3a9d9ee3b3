import Synchronization

/// A bound on memory that many connections share: what grown receive windows may need, or what waits in streams.
///
/// One connection gets at most an eighth of what the others have left: a few cannot take all of it and keep it, and there is
/// always something for one more.
public final class ByteBudget: Sendable {
    /// The part of what is free that one connection may hold.
    private static let part = 8

    /// The bound, in bytes.
    public let maximumBytes: Int
    private let reserved = Atomic<Int>(0)

    /// A budget of `maximumBytes`.
    public init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

    /// Reserves `bytes` for a connection that holds `held` of this budget already, or refuses.
    public func reserve(_ bytes: Int, holding held: Int) -> Bool {
        let (before, _) = self.reserved.add(bytes, ordering: .relaxed)
        let free = self.maximumBytes - (before - held)
        if held + bytes <= free / Self.part { return true }
        self.release(bytes)
        return false
    }

    /// Gives back what was reserved.
    public func release(_ bytes: Int) { self.reserved.subtract(bytes, ordering: .relaxed) }
}
