import GoopCore
import Synchronization

/// Runs an operation that must answer within a time; past it the operation is cancelled.
/// - Returns: what the operation gave, or `.timedOut`.
func withDeadline<Value: Sendable>(
    _ limit: Duration, _ operation: @escaping @Sendable () async throws(SiteError) -> Value
) async -> Result<Value, SiteError> {
    await withTaskGroup(of: Result<Value, SiteError>.self) { group in
        group.addTask {
            do throws(SiteError) {
                return .success(try await operation())
            } catch {
                return .failure(error)
            }
        }
        group.addTask {
            // A cancelled sleep means that the operation was first; its result is not looked at then.
            try? await Task.sleep(for: limit)
            return .failure(SiteError(kind: .timedOut, detail: "no answer within \(limit)"))
        }
        let first = await group.next() ?? .failure(SiteError(kind: .timedOut))
        group.cancelAll()
        return first
    }
}

/// Notices when the sender of a stream stands still. A reader who is slow does not count: only waiting for the next
/// chunk is timed.
final class StreamProgress: Sendable {
    /// Even while the next chunk is awaited, odd while a chunk is handed on.
    private let steps = Atomic<UInt64>(0)

    /// Called when a chunk has arrived, and again when it has been handed on.
    func advance() {
        steps.wrappingAdd(1, ordering: .relaxed)
    }

    /// Returns never; throws `.timedOut` after `timeout` to twice that without a new chunk.
    func watch(timeout: Duration) async throws {
        var seen: UInt64?
        while true {
            let now = steps.load(ordering: .relaxed)
            if now == seen, now.isMultiple(of: 2) {
                throw SiteError(kind: .timedOut, detail: "nothing came for \(timeout)")
            }
            seen = now
            try await Task.sleep(for: timeout)
        }
    }
}
