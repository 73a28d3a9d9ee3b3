import Multiformats
import PeerIdentity
import Synchronization

/// Dials strangers, in the order of a `StrangerLine`.
final class StrangerDials: Sendable {
    private let line = Mutex(StrangerLine())
    private let wakeUps: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    /// Nobody waits.
    init() { (wakeUps, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1)) }

    /// A peer was heard of.
    /// - Parameter address: where it says that it is.
    func heard(_ peer: PeerID, at address: IPAddress?) { change { $0.heard(peer, at: address) } }

    /// A peer is to be tried once more.
    func again(_ peer: PeerID, at address: IPAddress?) { change { $0.again(peer, at: address) } }

    /// Works until cancelled. To be called once.
    /// - Parameter dial: is told whether it has to be short.
    func run(_ dial: @escaping @Sendable (_ peer: PeerID, _ isShort: Bool) async -> Void) async {
        await withDiscardingTaskGroup { group in
            for await _ in wakeUps {
                while let turn = line.withLock({ $0.next() }) {
                    group.addTask {
                        await dial(turn.peer, turn.isShort)
                        self.change { $0.ended(turn.peer) }
                    }
                }
            }
            group.cancelAll()
        }
    }

    private func change(_ body: (inout StrangerLine) -> Void) {
        line.withLock { body(&$0) }
        wake.yield()
    }
}
