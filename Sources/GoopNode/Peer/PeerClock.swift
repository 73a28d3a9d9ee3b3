import FoundationEssentials
import GoopCore
import NIOCore
import NIOPosix

/// Both clocks of the machine, as the state machines want them.
struct PeerClock: Sendable {
    private let start = ContinuousClock.now

    /// Now.
    func now() -> Moment {
        Moment(
            uptime: start.duration(to: .now), unixMilliseconds: Int64(Date().timeIntervalSince1970 * 1000))
    }

    /// Calls `body` on an event loop at an uptime, or soon if that has passed. Once cancelled, its timer is gone; that of
    /// `Task.sleep` would stay in the system until its time.
    func schedule(at uptime: Duration, _ body: @escaping @Sendable () -> Void) -> Scheduled<Void> {
        MultiThreadedEventLoopGroup.singleton.any()
            .scheduleTask(in: TimeAmount(max(uptime - now().uptime, .zero)), body)
    }
}
