import Synchronization

/// Notices when the sender of a stream stands still. A reader who is slow does not count: only waiting for the next
/// chunk is timed.
final class StreamProgress: Sendable {
    /// Even while the next chunk is awaited, odd while a chunk is handed on.
    private let steps = Atomic<UInt64>(0)
    /// What the last look saw; at the beginning nothing has come.
    private let seen = Atomic<UInt64>(0)

    /// Called when a chunk has arrived, and again when it has been handed on.
    func advance() {
        steps.wrappingAdd(1, ordering: .relaxed)
    }

    /// A look: whether nothing has come since the one before, or since the beginning, and something is awaited.
    func hasStalled() -> Bool {
        let now = steps.load(ordering: .relaxed)
        return seen.exchange(now, ordering: .relaxed) == now && now.isMultiple(of: 2)
    }
}
