import NIOCore
import P2PCore
import P2PSwarm
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct HostileFrameTests {
    struct Attack: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let reason: CloseReason
        var limit: LimitName?
        let body: @Sendable (HostilePeer) -> Void
    }

    static let attacks: [Attack] = [
        Attack(testDescription: "another version", reason: .yamux(.unsupportedVersion(1))) {
            $0.say([1] + [UInt8](repeating: 0, count: 11))
        },
        Attack(testDescription: "an unknown kind", reason: .yamux(.unknownKind(9))) {
            $0.say([0, 9] + [UInt8](repeating: 0, count: 10))
        },
        Attack(testDescription: "our parity", reason: .yamux(.wrongParity(2))) {
            $0.say($0.frame(.windowUpdate, .syn, 2))
        },
        Attack(testDescription: "an open stream opened again", reason: .yamux(.duplicateOpen(1))) {
            $0.say($0.frame(.windowUpdate, .syn, 1) + $0.frame(.windowUpdate, .syn, 1))
        },
        Attack(
            testDescription: "a byte beyond the window",
            reason: .yamux(.windowExceeded(stream: 1, granted: 262_144, received: 262_145))
        ) { $0.say($0.frame(.data, .syn, 1, 262_145)) },
        Attack(
            testDescription: "the largest length",
            reason: .yamux(.windowExceeded(stream: 1, granted: 0, received: .max))
        ) { $0.say($0.frame(.data, .syn, 1, .max)) },
        Attack(testDescription: "a ping flood", reason: .yamux(.pingFlood), limit: .pings) { peer in
            for _ in 0..<2000 { peer.say(peer.frame(.ping, .syn, 0)) }
        },
        Attack(testDescription: "a storm of resets", reason: .yamux(.resetFlood), limit: .streamResets) { peer in
            for n in 0..<2000 {
                let id = UInt32(n * 2 + 1)
                peer.say(peer.frame(.windowUpdate, .syn, id) + peer.frame(.windowUpdate, .rst, id))
            }
        },
        Attack(testDescription: "empty frames", reason: .yamux(.emptyFrameFlood), limit: .emptyFrames) { peer in
            peer.say(peer.frame(.windowUpdate, .syn, 1))
            for _ in 0..<2000 { peer.say(peer.frame(.data, [], 1)) }
        },
        Attack(testDescription: "a changed byte", reason: .noise(.authenticationFailed)) { peer in
            var frame = peer.seal(peer.frame(.ping, .syn, 0))
            frame.setInteger((frame.getInteger(at: 5, as: UInt8.self) ?? 0) ^ 1, at: 5)
            peer.sayUnsealed(frame)
        },
        Attack(testDescription: "a frame without a tag", reason: .noise(.messageTooShort(size: 3, minimum: 16))) {
            $0.sayUnsealed(ByteBuffer(bytes: [0, 3, 1, 2, 3]))
        },
    ]

    @Test(arguments: attacks) func endsTheConnectionWithItsReason(attack: Attack) async throws {
        let refused = Mutex<[LimitName]>([])
        let siege = try await Siege { $0.onRefusal = { limit in refused.withLock { $0.append(limit) } } }
        let serving = Task {
            for await stream in siege.inbound { _ = try? await stream.read() }
        }
        try await siege.attack(attack.body)
        #expect(try await siege.connection.closeFuture.get() == attack.reason)
        // A flood is named as the limit that it hit; what is no limit is not.
        #expect(refused.withLock { $0.last } == attack.limit)
        serving.cancel()
    }

    /// A peer to which we refuse each stream does no better than one that resets them itself, and is told why.
    @Test("streams that we refuse are churn, whether they are reset or end in order", arguments: [false, true])
    func streamsThatWeRefuseAreChurn(inOrder: Bool) async throws {
        let refused = Mutex<[LimitName]>([])
        let siege = try await Siege {
            $0.onInboundStream = { inOrder ? $0.decline() : $0.refuse(code: YamuxCode.streamResourceLimit) }
            $0.onRefusal = { limit in refused.withLock { $0.append(limit) } }
        }
        try await siege.attack { peer in
            for n in 0..<2000 { peer.say(peer.frame(.windowUpdate, .syn, UInt32(n * 2 + 1))) }
        }
        try await siege.heard { $0.kind == .goAway && $0.length == YamuxCode.protocolError }
        #expect(try await siege.connection.closeFuture.get() == .yamux(.resetFlood))
        #expect(refused.withLock { $0 } == [.streamResets])
        let answers = try await siege.attack { $0.headers.count { $0.flags.contains(inOrder ? .fin : .rst) } }
        #expect((500..<2000).contains(answers))
    }

    @Test func aFloodOfAnswersHasTheNameOfItsLimit() {
        #expect(CloseReason.controlFlood.limit == .controlBytes)
    }

    @Test func emptySealedFramesAndUnknownStreamsChangeNothing() async throws {
        let siege = try await Siege()
        try await siege.attack { peer in
            peer.say([])
            peer.say(peer.frame(.data, [], 99, 5) + [1, 2, 3, 4, 5])
            peer.say(peer.frame(.windowUpdate, .fin, 77))
            peer.say(peer.frame(.ping, .syn, 0, 0xabcd))
        }
        try await siege.heard { $0.kind == .ping && $0.flags == .ack && $0.length == 0xabcd }
        siege.connection.close()
        _ = try await siege.connection.closeFuture.get()
    }

    /// A byte that waits must not hold the buffer it came in.
    @Test func smallPayloadsThatWaitAreGathered() async throws {
        let tap = FrameTap()
        let siege = try await Siege(tap.configure)
        try await siege.attack { peer in
            peer.say(peer.frame(.windowUpdate, .syn, 1))
            for n in 0..<5000 { peer.say(peer.frame(.data, [], 1, 1) + [UInt8(truncatingIfNeeded: n)]) }
        }
        await tap.received(5000, by: .responder)
        var iterator = siege.inbound.makeAsyncIterator()
        let stream = try #require(await iterator.next())
        #expect(try await stream.read()?.readableBytes == 5000)
        stream.reset()
        siege.connection.close()
        _ = try await siege.connection.closeFuture.get()
    }

    /// A header may arrive in two sealed frames, and a payload in many.
    @Test func framesMayBeCutAnywhere() async throws {
        let siege = try await Siege()
        try await siege.attack { peer in
            let bytes = peer.frame(.data, [.syn, .fin], 1, 6) + Array("garden".utf8)
            for byte in bytes { peer.say([byte]) }
        }
        var iterator = siege.inbound.makeAsyncIterator()
        let stream = try #require(await iterator.next())
        var text = ""
        while let chunk = try await stream.read() { text += String(buffer: chunk) }
        #expect(text == "garden")
        await stream.close()
        try await siege.heard { $0.flags.contains(.fin) && $0.streamID == 1 }
        siege.connection.close()
        _ = try await siege.connection.closeFuture.get()
    }

    @Test func unreadBytesOverAllStreamsAreBounded() async throws {
        let siege = try await Siege { $0.yamux.maximumBufferedBytes = 1 << 20 }
        try await siege.attack { peer in
            for n in 0..<100 {
                let id = UInt32(n * 2 + 1)
                for piece in 0..<4 {
                    peer.say(
                        peer.frame(.data, piece == 0 ? .syn : [], id, 60_000) + [UInt8](repeating: 1, count: 60_000))
                }
            }
        }
        try await siege.heard { $0.flags.contains(.rst) && $0.length == YamuxCode.streamResourceLimit }
        let statistics = await siege.connection.currentStatistics()
        #expect(statistics.bufferedBytes <= 1 << 20)
        siege.connection.close()
        _ = try await siege.connection.closeFuture.get()
    }

    @Test func aPeerThatNeverAnswersPingsIsLeft() async throws {
        let siege = try await Siege {
            $0.yamux.keepAliveInterval = .milliseconds(20)
            $0.yamux.keepAliveTimeout = .milliseconds(50)
        }
        #expect(try await siege.connection.closeFuture.get() == .yamux(.keepAliveTimedOut))
    }
}
