import LibP2P
import NIOCore
import Testing

@Suite(
    "GossipSub with other implementations", .serialized, .timeLimit(.minutes(3)),
    .enabled(if: KitProcess.isInstalled, "INTEROP_KIT and INTEROP_PEERS name the interop kit"))
struct PubSubInteropTests {
    /// Waits for a message with this text.
    private func hear(_ text: String, on process: KitProcess, _ name: String) async {
        while let event = await process.nextEvent() {
            if event["event"] as? String == "message", event["data"] as? String == text { return }
        }
        Issue.record("\(name) did not hear \(text)")
    }

    private func hear(_ text: String, on subscription: PubSubSubscription) async -> PubSubMessage? {
        for await message in subscription where message.data == Array(text.utf8) { return message }
        return nil
    }

    private func awaitSubscribers(_ peers: [PeerID], at pubsub: PubSub) async {
        let events = await pubsub.events()
        var missing = Set(peers).subtracting(await pubsub.peers(of: "T"))
        if missing.isEmpty { return }
        for await event in events {
            if case .peerSubscribed(let peer, "T") = event { missing.remove(peer) }
            if missing.isEmpty { return }
        }
    }

    @Test("one mesh of go, kubo, py and us: everybody hears everybody")
    func fourImplementations() async throws {
        let peers = try #require(KitProcess.peers)
        let go = try KitProcess(script: "go_peer.sh", ["--for", "120"])
        let goReady = try await go.ready()
        let control = try #require(goReady.control)
        let goTopic = try KitProcess(script: "go_ctl.py", [control, "subscribe", "T", "--for", "120"])
        let kubo = try KitProcess(script: "kubo_peer.py", [peers, "--topic", "T", "--for", "120"])
        let kuboReady = try await kubo.ready()
        let py = try KitProcess(script: "py_peer.py", ["listen", "--topic", "T", "--for", "120"])
        let pyReady = try await py.ready()

        let node = Node(
            configuration: .init(identity: .generate(), listen: [try Multiaddr(text: "/ip4/127.0.0.1/tcp/0")]))
        let pubsub = PubSub(node: node)
        try await node.start()
        let subscription = try await pubsub.subscribe(to: "T")
        for ready in [goReady, kuboReady, pyReady] {
            try await node.connect(to: ready.peer, addresses: ready.addresses)
        }
        await awaitSubscribers([goReady.peer, kuboReady.peer, pyReady.peer], at: pubsub)
        // The others have us in their meshes after a heartbeat or two; what is said before comes by gossip.
        try await pubsub.publish(Array("from us".utf8), to: "T")
        await hear("from us", on: goTopic, "go")
        await hear("from us", on: kubo, "kubo")
        await hear("from us", on: py, "py")

        let (isContent, lines) = try await KitProcess(
            script: "go_ctl.py", [control, "publish", "T", "from go", "--count", "1"]
        ).succeeded()
        #expect(isContent, "\(lines)")
        let message = await hear("from go", on: subscription)
        #expect(message?.from == goReady.peer && message?.receivedFrom == goReady.peer)
        await hear("from go", on: kubo, "kubo by way of us")
        await hear("from go", on: py, "py by way of us")

        let address = try #require(node.listenAddresses().first).appending(node.peerID).description
        let (isDone, said) = try await KitProcess(
            script: "py_peer.py",
            ["dial", address, "--do", "gossip", "--topic", "T", "--publish", "from py", "--linger", "1"]
        ).succeeded()
        #expect(isDone, "\(said)")
        #expect(await hear("from py", on: subscription) != nil)
        await hear("from py", on: goTopic, "go by way of us")
        for ready in [goReady, kuboReady, pyReady] {
            #expect(await pubsub.score(of: ready.peer) >= 0)
        }
        await node.stop()
        withExtendedLifetime(go) {}
    }

    @Test("a hundred messages a second reach go without loss, and come back")
    func stream() async throws {
        let go = try KitProcess(script: "go_peer.sh", ["--for", "120"])
        let ready = try await go.ready()
        let control = try #require(ready.control)
        let heard = try KitProcess(script: "go_ctl.py", [control, "subscribe", "T", "--for", "60"])
        let node = Node(
            configuration: .init(identity: .generate(), listen: [try Multiaddr(text: "/ip4/127.0.0.1/tcp/0")]))
        let pubsub = PubSub(node: node)
        try await node.start()
        let subscription = try await pubsub.subscribe(to: "T")
        try await node.connect(to: ready.peer, addresses: ready.addresses)
        await awaitSubscribers([ready.peer], at: pubsub)
        // Read while publishing: go drops messages for a subscriber whose pipe is full.
        let publishing = Task {
            let clock = ContinuousClock()
            let start = clock.now
            for number in 0..<1_000 {
                try await pubsub.publish(Array("m\(number)".utf8), to: "T")
                try await clock.sleep(until: start + .milliseconds(10 * number))
            }
        }
        var missing = Set((0..<1_000).map { "m\($0)" })
        while !missing.isEmpty, let event = await heard.nextEvent() {
            if let text = event["data"] as? String { missing.remove(text) }
        }
        try await publishing.value
        #expect(missing.isEmpty, "\(missing.count) of 1,000 did not arrive: \(missing.sorted().prefix(5))")
        let answering = try KitProcess(
            script: "go_ctl.py", [control, "publish", "T", "g", "--count", "500", "--every", "0.005"])
        var coming = Set((0..<500).map { "g \($0)" })
        for await message in subscription {
            coming.remove(String(decoding: message.data, as: UTF8.self))
            if coming.isEmpty { break }
        }
        #expect(coming.isEmpty)
        #expect(await answering.succeeded().0)
        await node.stop()
        withExtendedLifetime(go) {}
    }
}
