import Logging
import NIOCore
import NIOPosix
import PeerIdentity
import Synchronization
import Testing

@testable import P2PSwarm

/// What needs no packet; everything else is checked between network namespaces by `lab/run`.
@Suite(.timeLimit(.minutes(1))) struct MDNSResponderTests {
    private final class Journal: Sendable {
        let lines = Mutex<[String]>([])
        func note(_ line: String) { self.lines.withLock { $0.append(line) } }
    }

    @Test("stopped right behind its start, it watches the interfaces no longer")
    func stoppedAtOnce() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let journal = Journal()
        let responder = try MDNSResponder(
            serviceName: "_test._udp", peer: PrivateKey.generate().peerID, eventLoop: loop,
            logger: Logger(label: "test"), speaksOn: { _ in false },
            onInterfacesChanged: { journal.note("looked at the interfaces") }, onEvent: { _ in })
        // Both in one turn of the loop, as when the task that runs it is cancelled already.
        try await loop.flatSubmit {
            responder.start(listening: [])
            return responder.stop().map { journal.note("stopped") }
        }.get()
        // What was behind the stop has had its turn.
        try await loop.submit {}.get()
        #expect(journal.lines.withLock(\.last) == "stopped")
    }
}
