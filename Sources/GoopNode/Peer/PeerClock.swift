import FoundationEssentials
import GoopCore

/// Both clocks of the machine, as the state machines want them.
struct PeerClock: Sendable {
    private let start = ContinuousClock.now

    /// Now.
    func now() -> Moment {
        Moment(
            uptime: start.duration(to: .now), unixMilliseconds: Int64(Date().timeIntervalSince1970 * 1000))
    }

    /// Waits until an uptime.
    func sleep(until uptime: Duration) async throws {
        try await Task.sleep(until: start.advanced(by: uptime), tolerance: .zero, clock: .continuous)
    }
}
