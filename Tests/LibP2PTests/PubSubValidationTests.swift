import LibP2P
import Synchronization
import Testing

/// Messages that wait for their topic's validator.
extension PubSubTests {
    @Test("validators at work at one time are bounded; what waits has its turn")
    func validatorsAtATime() async throws {
        let atWork = Mutex<(now: Int, begun: Int, most: Int)>((0, 0, 0))
        let (opened, gate) = AsyncStream.makeStream(of: Void.self)
        // Waited for through a task of its own: a stream has one reader.
        let opening = Task { for await _ in opened {} }
        defer { gate.finish() }
        try await withMembers(2, configure: { $0.concurrentValidations = 2 }) { members in
            let (one, other) = (members[0], members[1])
            let held = try await other.pubsub.subscribe(to: "held") { _ in
                atWork.withLock { $0 = ($0.now + 1, $0.begun + 1, max($0.most, $0.now + 1)) }
                await opening.value
                atWork.withLock { $0.now -= 1 }
                return .accept
            }
            let free = try await other.pubsub.subscribe(to: "free")
            try await connect(one, other)
            for topic in ["held", "free"] { try await awaitSubscriber(other.peerID, of: topic, at: one) }
            for number in UInt8(0)..<20 { try await one.pubsub.publish([number], to: "held") }
            // An author's messages are checked in order: when this one is delivered, all others want their validator.
            try await one.pubsub.publish([99], to: "free")
            #expect(try await next(1, of: free).map(\.data) == [[99]])
            #expect(atWork.withLock { $0.begun } <= 2)
            gate.finish()
            #expect(Set(try await next(20, of: held).map(\.data)) == Set((UInt8(0)..<20).map { [$0] }))
            #expect(atWork.withLock { $0.most } <= 2 && atWork.withLock { $0.begun } == 20)
        }
    }

    @Test("what waits for a validator has its turn in the order in which it came")
    func validatorsInOrder() async throws {
        let order = Mutex<[[UInt8]]>([])
        let (opened, gate) = AsyncStream.makeStream(of: Void.self)
        let opening = Task { for await _ in opened {} }
        defer { gate.finish() }
        try await withMembers(2, configure: { $0.concurrentValidations = 1 }) { members in
            let (one, other) = (members[0], members[1])
            let held = try await other.pubsub.subscribe(to: "held") { message in
                await opening.value
                order.withLock { $0.append(message.data) }
                return .accept
            }
            let free = try await other.pubsub.subscribe(to: "free")
            try await connect(one, other)
            for topic in ["held", "free"] { try await awaitSubscriber(other.peerID, of: topic, at: one) }
            let numbers = (UInt8(0)..<100).map { [$0] }
            for number in numbers { try await one.pubsub.publish(number, to: "held") }
            try await one.pubsub.publish([255], to: "free")
            // All of them have been checked, and wait.
            #expect(try await next(1, of: free).map(\.data) == [[255]])
            gate.finish()
            #expect(try await next(100, of: held).map(\.data) == numbers)
            #expect(order.withLock { $0 } == numbers)
        }
    }
}
