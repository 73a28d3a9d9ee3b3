import Dispatch
import Multiformats
import NIOCore
import NIOPosix
import P2PCore
import P2PSwarm
import Synchronization

/// TCP on loopback; of every other address nothing is heard until a test says what came of it.
final class StubTransport: Transport {
    private let tcp = TCPTransport()
    private let silent = Mutex<[(request: DialRequest, promise: EventLoopPromise<TransportLink>)]>([])
    private let continuation: AsyncStream<Multiaddr>.Continuation
    /// Addresses whose dial has begun and does not answer, in their order.
    let dialled: AsyncStream<Multiaddr>

    init() { (self.dialled, self.continuation) = AsyncStream.makeStream(of: Multiaddr.self) }

    /// The dials that have no outcome yet.
    var requests: [DialRequest] { self.silent.withLock { $0.map(\.request) } }

    func canDial(_ address: Multiaddr) -> Bool { self.tcp.canDial(address) }

    func canListen(on address: Multiaddr) -> Bool { self.tcp.canListen(on: address) }

    func listen(
        on address: Multiaddr, group: any EventLoopGroup,
        accept: @escaping @Sendable (TransportLink) -> EventLoopFuture<Void>
    ) -> EventLoopFuture<any TransportListener> {
        self.tcp.listen(on: address, group: group, accept: accept)
    }

    func dial(_ request: DialRequest) -> EventLoopFuture<TransportLink> {
        if request.address.ipAddress?.isLoopback == true { return self.tcp.dial(request) }
        let promise = request.eventLoop.makePromise(of: TransportLink.self)
        self.silent.withLock { $0.append((request, promise)) }
        self.continuation.yield(request.address)
        return promise.futureResult
    }

    /// Nobody listens: of the dials of `address`, or of all.
    func refuse(_ address: Multiaddr? = nil) {
        let refused = self.silent.withLock { waiting in
            let refused = waiting.filter { address == nil || $0.request.address == address }
            waiting.removeAll { address == nil || $0.request.address == address }
            return refused.map(\.promise)
        }
        for promise in refused { promise.fail(DialFailureReason.refused) }
    }
}

/// The event loops of all, and how often one was asked for: setting a timer asks for one.
final class CountingGroup: EventLoopGroup {
    private let loops = MultiThreadedEventLoopGroup.singleton
    private let asked = Atomic(0)

    var timesAsked: Int { self.asked.load(ordering: .relaxed) }

    func next() -> any EventLoop {
        self.asked.add(1, ordering: .relaxed)
        return self.loops.next()
    }

    func any() -> any EventLoop { self.loops.any() }

    func makeIterator() -> EventLoopIterator { self.loops.makeIterator() }

    func shutdownGracefully(queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void) {
        queue.async { callback(nil) }
    }
}
