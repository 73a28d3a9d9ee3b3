import GoopTestKit
import NIOCore
import Synchronization
import Testing

@testable import LibP2P

@Suite("Node: peers that do not answer identify at first", .timeLimit(.minutes(1)))
struct NodeIdentifyRetryTests {
    /// Answers identify in place of the node itself.
    private final class Answers: Sendable {
        private let asked = Mutex(0)
        private let silent: Int
        private let protocols: [ProtocolID]

        /// - Parameter silent: how many questions are not answered; whoever asks sees the end of its stream.
        init(_ node: Node, silent: Int) {
            self.silent = silent
            self.protocols = node.state.withLock { $0.supported.sorted { $0.name < $1.name } }
            node.setHandler(for: Identify.protocolID) { await self.answer($0) }
        }

        var count: Int { self.asked.withLock { $0 } }

        private func answer(_ stream: P2PStream) async {
            let number = self.asked.withLock { asked in
                asked += 1
                return asked
            }
            guard number > self.silent else { return stream.reset() }
            var message = IdentifyMessage()
            message.protocols = self.protocols
            try? await stream.write(ByteBuffer(bytes: message.encoded()))
            await stream.close()
        }
    }

    private func connect(_ nodes: [Node]) async throws {
        try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
    }

    /// Whether each question that fails from now on is the last, up to the first that is.
    private func failures(_ events: NodeEvents) async -> [Bool] {
        var failures: [Bool] = []
        for await case .identifyFailed(_, _, let triesAgain) in events {
            failures.append(triesAgain)
            if !triesAgain { break }
        }
        return failures
    }

    @Test("it is asked again until it answers")
    func untilItAnswers() async throws {
        try await withNodes(configure: { $0.limits.identify.retryDelay = .milliseconds(1) }) { nodes in
            let answers = Answers(nodes[1], silent: 3)
            let events = nodes[0].events()
            try await self.connect(nodes)
            var failed = 0
            for await event in events {
                if case .identifyFailed(let connection, _, true) = event, connection.peer == nodes[1].peerID {
                    failed += 1
                }
                if case .identified(nodes[1].peerID, _) = event { break }
            }
            #expect(failed == 3 && answers.count == 4)
            #expect(nodes[0].identification(of: nodes[1].peerID) != nil)
        }
    }

    @Test("as often as the limits say; then it is left alone, and stays connected")
    func bound() async throws {
        func configure(_ configuration: inout Node.Configuration) {
            configuration.limits.identify.retryDelay = .milliseconds(1)
            configuration.limits.identify.attempts = 3
        }
        try await withNodes(configure: configure) { nodes in
            let answers = Answers(nodes[1], silent: .max)
            let events = nodes[0].events()
            try await self.connect(nodes)
            #expect(await self.failures(events) == [true, true, false])
            #expect(answers.count == 3 && nodes[0].isConnected(to: nodes[1].peerID))
            #expect(nodes[0].state.withLock { $0.identifyRetries.isEmpty })
        }
    }

    @Test("a peer that does not speak identify, or says what cannot be meant, is asked once", arguments: [true, false])
    func lasting(refuses: Bool) async throws {
        try await withNodes { nodes in
            if refuses {
                nodes[1].removeHandler(for: Identify.protocolID)
            } else {
                nodes[1].setHandler(for: Identify.protocolID) { stream in
                    try? await stream.write([3, 0xff, 0xff, 0xff])
                    await stream.close()
                }
            }
            let events = nodes[0].events()
            try await self.connect(nodes)
            #expect(await self.failures(events) == [false])
        }
    }

    @Test("nothing is left of it when the peer goes")
    func gone() async throws {
        try await withNodes(configure: { $0.limits.identify.retryDelay = .seconds(3600) }) { nodes in
            let answers = Answers(nodes[1], silent: .max)
            let events = nodes[0].events()
            try await self.connect(nodes)
            _ = try await first(of: events) { event -> Bool? in
                if case .identifyFailed(_, _, let triesAgain) = event { triesAgain } else { nil }
            }
            #expect(nodes[0].state.withLock { $0.identifyRetries.count } == 1)
            await nodes[0].disconnect(nodes[1].peerID)
            _ = try await first(of: events) { event -> Bool? in
                if case .disconnected = event { true } else { nil }
            }
            #expect(nodes[0].state.withLock { $0.identifyRetries.isEmpty })
            #expect(answers.count == 1)
        }
    }

    @Test("pubsub finds its peers also when both sides were not answered at first")
    func pubSub() async throws {
        try await withNodes(configure: { $0.limits.identify.retryDelay = .milliseconds(1) }) { nodes in
            let members = nodes.map { PubSub(node: $0) }
            let answers = nodes.map { Answers($0, silent: 2) }
            var heard: [AsyncStream<PubSubEvent>] = []
            for member in members { heard.append(await member.events()) }
            let subscriptions = [try await members[0].subscribe(to: "t"), try await members[1].subscribe(to: "t")]
            try await self.connect(nodes)
            for (events, other) in zip(heard, [nodes[1], nodes[0]]) {
                for await event in events where event == .peerSubscribed(other.peerID, topic: "t") { break }
            }
            #expect(answers.contains { $0.count >= 3 })
            for subscription in subscriptions { subscription.cancel() }
        }
    }
}
