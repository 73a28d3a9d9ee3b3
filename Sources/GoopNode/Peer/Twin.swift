import LibP2P
import Synchronization

/// `TwinWatch` for whoever hears of the second program, and whoever tells of it.
final class Twin: Sendable {
    private let watch = Mutex(TwinWatch())

    func heard(at addresses: [Multiaddr], own: [Multiaddr], now: Duration) -> TwinWatch.Telling {
        watch.withLock { $0.heard(at: addresses, own: own, now: now) }
    }

    func place(now: Duration) -> String? { watch.withLock { $0.place(now: now) } }
}
