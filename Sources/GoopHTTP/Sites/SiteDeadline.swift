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

/// Notices when a stream of bytes stands still.
final class StreamProgress: Sendable {
    private let steps = Atomic<UInt64>(0)

    func advance() {
        steps.wrappingAdd(1, ordering: .relaxed)
    }

    /// Returns never while there is progress; throws `.timedOut` after `timeout` to twice that without any.
    func watch(timeout: Duration, stalled: @Sendable () -> Void) async throws {
        var seen: UInt64?
        while true {
            let now = steps.load(ordering: .relaxed)
            if now == seen {
                stalled()
                throw SiteError(kind: .timedOut, detail: "the stream stood still for \(timeout)")
            }
            seen = now
            try await Task.sleep(for: timeout)
        }
    }
}
