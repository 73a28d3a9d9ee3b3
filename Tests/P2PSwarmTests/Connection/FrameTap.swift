import P2PCore
import P2PSwarm
import Synchronization
import Testing

/// Sees the frames that both ends of a connection receive, so that tests wait for them.
///
/// What it tells is on the wire's side of the connection: whoever then asks the connection something is answered after the
/// connection has taken it in.
final class FrameTap: Sendable {
    private struct Seen {
        var payloadBytes: [ConnectionRole: Int] = [:]
        var headers: [ConnectionRole: [YamuxHeader]] = [:]
        var watchers: [AsyncStream<Void>.Continuation] = []
    }

    private let seen = Mutex(Seen())

    /// For either end.
    var configure: @Sendable (inout ConnectionConfiguration) -> Void {
        { $0.frameObserver = { _, role in Observer(role: role, tap: self) } }
    }

    /// Waits until this side has received so many bytes of payload.
    func received(_ count: Int, by role: ConnectionRole) async {
        await self.wait(for: "\(count) bytes") { $0.payloadBytes[role, default: 0] >= count }
    }

    /// Waits until this side has received such a frame.
    func received(by role: ConnectionRole, _ test: @Sendable (YamuxHeader) -> Bool) async {
        await self.wait(for: "a frame") { $0.headers[role, default: []].contains(where: test) }
    }

    private func wait(for what: String, _ test: (borrowing Seen) -> Bool) async {
        let (changes, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.seen.withLock { $0.watchers.append(continuation) }
        continuation.yield()
        for await _ in changes { if self.seen.withLock({ test($0) }) { return } }
        Issue.record("never came: \(what); until now: \(self.seen.withLock { $0.payloadBytes }) bytes")
    }

    private func note(_ change: (inout Seen) -> Void) {
        self.seen.withLock { seen in
            change(&seen)
            for watcher in seen.watchers { watcher.yield() }
        }
    }

    private final class Observer: YamuxFrameObserver {
        let role: ConnectionRole
        let tap: FrameTap

        init(role: ConnectionRole, tap: FrameTap) {
            self.role = role
            self.tap = tap
        }

        func received(_ header: YamuxHeader) { self.tap.note { $0.headers[self.role, default: []].append(header) } }
        func received(_ payload: UnsafeRawBufferPointer) {
            self.tap.note { $0.payloadBytes[self.role, default: 0] += payload.count }
        }
        func sent(_ header: YamuxHeader) {}
        func sent(_ payload: UnsafeRawBufferPointer) {}
    }
}

extension MuxedStream {
    /// Waits until the stream has ended and nobody has a use for it.
    func isOver() async {
        let (ends, continuation) = AsyncStream.makeStream(of: Void.self)
        self.whenEnding { if case .over = $0 { continuation.finish() } }
        for await _ in ends {}
    }
}
