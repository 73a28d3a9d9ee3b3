import NIOCore
import P2PCore
import P2PSwarm
import PeerIdentity
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct FrameObserverTests {
    private enum Told: Hashable {
        case received(YamuxHeader)
        case sent(YamuxHeader)
        case receivedBytes([UInt8])
        case sentBytes([UInt8])
    }

    /// What the two ends were told of, the dialer's first.
    private final class Tellings: Sendable {
        let all = Mutex<[ConnectionRole: [Told]]>([:])

        func bytes(_ role: ConnectionRole, sent: Bool) -> [UInt8] {
            self.all.withLock { $0[role] ?? [] }.flatMap { told -> [UInt8] in
                switch told {
                case .receivedBytes(let bytes): sent ? [] : bytes
                case .sentBytes(let bytes): sent ? bytes : []
                case .received, .sent: []
                }
            }
        }

        func headers(_ role: ConnectionRole, sent: Bool) -> [YamuxHeader] {
            self.all.withLock { $0[role] ?? [] }.compactMap { told in
                switch told {
                case .received(let header): sent ? nil : header
                case .sent(let header): sent ? header : nil
                case .receivedBytes, .sentBytes: nil
                }
            }
        }
    }

    private final class Teller: YamuxFrameObserver {
        let role: ConnectionRole
        let tellings: Tellings

        init(_ role: ConnectionRole, _ tellings: Tellings) {
            self.role = role
            self.tellings = tellings
        }

        private func tell(_ told: Told) { self.tellings.all.withLock { $0[self.role, default: []].append(told) } }
        func received(_ header: YamuxHeader) { self.tell(.received(header)) }
        func received(_ payload: UnsafeRawBufferPointer) { self.tell(.receivedBytes([UInt8](payload))) }
        func sent(_ header: YamuxHeader) { self.tell(.sent(header)) }
        func sent(_ payload: UnsafeRawBufferPointer) { self.tell(.sentBytes([UInt8](payload))) }
    }

    @Test func whatOneSideSendsTheOtherReceives() async throws {
        let tellings = Tellings()
        let count = 300_000
        try await ConnectionPair.withTCP({ $0.frameObserver = { _, role in Teller(role, tellings) } }) { pair in
            let (near, far) = try await pair.stream()
            async let written: Void = near.writePattern(count: count, seed: 7)
            try await far.expectPattern(count: count, seed: 7)
            try await written
            try await far.writePattern(count: count, seed: 9)
            try await near.expectPattern(count: count, seed: 9)
        }
        for (here, there) in [(ConnectionRole.initiator, ConnectionRole.responder), (.responder, .initiator)] {
            let sent = tellings.bytes(here, sent: true)
            #expect(sent.count == (here == .initiator ? count + 1 : count))
            #expect(sent == tellings.bytes(there, sent: false))
            // The end of the connection may cut off what is told of session frames; a stream's come all, and in order.
            let headers = tellings.headers(here, sent: true).filter { $0.streamID != 0 }
            #expect(headers == tellings.headers(there, sent: false).filter { $0.streamID != 0 })
            #expect(headers.filter { $0.flags.contains(.fin) }.count == 1)
            #expect(headers.filter { $0.kind == .data }.reduce(0) { $0 + Int($1.length) } == sent.count)
        }
    }

    @Test func payloadOfAStreamThatIsGoneIsToldToo() async throws {
        let tellings = Tellings()
        try await ConnectionPair.withTCP({ $0.frameObserver = { _, role in Teller(role, tellings) } }) { pair in
            let (near, far) = try await pair.stream()
            try await near.closeWrite()
            // Nobody reads here any more.
            await near.close()
            try await far.send([4, 5, 6])
            try await far.closeWrite()
            // A second stream comes behind the first one's bytes.
            let (other, _) = try await pair.stream()
            other.reset(code: 0)
            #expect(try await far.read() == nil)
        }
        #expect(tellings.bytes(.responder, sent: true) == [4, 5, 6])
        #expect(tellings.bytes(.initiator, sent: false) == [4, 5, 6])
    }
}
