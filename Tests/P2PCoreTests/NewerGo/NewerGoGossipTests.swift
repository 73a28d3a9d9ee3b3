import GoopTestKit
import Multiformats
import P2PCore
import PeerIdentity
import Testing

/// What go-libp2p-pubsub 0.16 puts on the wire and the go programs of `interop/`, which have 0.10 and 0.9, do not:
/// `/meshsub/1.3.0` and its extensions, which we do not speak, and IDONTWANT of 1.2, which we do.
///
/// The bytes were made of the message definitions of gossipsub v1.2, v1.3 and its partial messages extension by Google's
/// protobuf library. `docs/interop.md` lists these tests.
@Suite("Replayed: GossipSub of newer go") struct NewerGoGossipTests {
    static let peer = testPeer(1)
    static let header = "132f6d756c746973747265616d2f312e302e300a"
    static let version3 = "0f2f6d6573687375622f312e332e300a"
    static let version2 = "0f2f6d6573687375622f312e322e300a"

    /// The first RPC of a stream: it follows the topic "test", and can exchange partial messages (control field 6).
    static let hello = "0a0808011204746573741a0432025001"

    /// RPCs that follow the topic "test", and say something more.
    static let subscriptions: [(what: String, rpc: String)] = [
        ("an extensions message", hello),
        ("an extensions message with the experimental extension too", "0a0808011204746573741a09320750019091e21801"),
        ("an extensions message without any", "0a0808011204746573741a023200"),
        ("that it wants partial messages, and can send them", "0a0c080112047465737418012001"),
        (
            "a partial message and an experimental one",
            "0a08080112047465737452110a0474657374120201021a02ff002201079291e21800"
        ),
    ]

    @Test("it proposes 1.3, is refused, and goes on with 1.2; what follows that in the same write is its first RPC")
    func version() throws {
        var responder = MultistreamResponder(supported: Set(GossipSubVersion.offered))
        let first = responder.received(hex(Self.header + Self.version3)[...])
        #expect(first == MultistreamStep(send: hex(Self.header + "036e610a")))
        let second = responder.received(hex(Self.version2 + "10" + Self.hello)[...])
        #expect(second.send == hex(Self.version2))
        guard case .agreed(let agreed, let leftover) = second.outcome else {
            Issue.record("nothing was agreed: \(second)")
            return
        }
        #expect(GossipSubVersion(protocolID: agreed) == .v1_2)
        var frames = GossipFrameReader()
        frames.append(leftover)
        #expect(try frames.next() == hex(Self.hello)[...])
        #expect(try frames.next() == nil)
    }

    @Test("what the extensions add to an RPC is passed over, and takes nothing along", arguments: subscriptions)
    func extensions(what: String, rpc: String) throws {
        var expected = GossipRPC()
        expected.subscriptions = [.init(subscribes: true, topic: "test")]
        #expect(try GossipRPC(decoding: hex(rpc)[...]) == expected, "\(what)")

        var bench = RouterBench()
        try bench.join("test")
        bench.open(Self.peer)
        bench.perform(bench.router.received(hex(rpc)[...], from: Self.peer, now: bench.now))
        #expect(bench.router.peers(of: "test") == [Self.peer])
        #expect(bench.grafts(to: Self.peer) == ["test"])
        #expect(bench.router.meshPeers(of: "test") == [Self.peer])
        #expect(bench.router.score(of: Self.peer) >= 0)
        #expect(bench.otherActions == [.peerSubscribed(Self.peer, topic: "test")])
    }

    @Test("a partial message that nobody asked for has no effect, and costs nothing")
    func partialMessage() throws {
        var bench = RouterBench()
        try bench.join("test")
        bench.open(Self.peer, topics: ["test"])
        let score = bench.router.score(of: Self.peer)
        bench.clearSent()
        bench.otherActions = []
        let rpc = hex("52110a0474657374120201021a02ff00220107")
        bench.perform(bench.router.received(rpc[...], from: Self.peer, now: bench.now))
        #expect(bench.delivered.isEmpty && bench.sent.isEmpty && bench.otherActions.isEmpty)
        #expect(bench.router.score(of: Self.peer) == score)
        #expect(bench.router.meshPeers(of: "test") == [Self.peer])
    }

    /// The message of `GossipSubWireTests`, and the IDONTWANT (control field 5) that names it.
    static let message = "128101" + GossipSubWireTests.unsigned + "2a40" + GossipSubWireTests.signature
    static let dontWant = "1a322a300a2e" + GossipSubWireTests.peer + "17979cfe362a0001"

    @Test("who says IDONTWANT does not get that message; who does not, gets it", arguments: [true, false])
    func isNotSentWhatItDoesNotWant(saysSo: Bool) throws {
        var bench = RouterBench()
        try bench.join("test")
        let other = testPeer(2)
        for peer in [Self.peer, other] { bench.open(peer, topics: ["test"]) }
        if saysSo { bench.perform(bench.router.received(hex(Self.dontWant)[...], from: Self.peer, now: bench.now)) }
        bench.perform(bench.router.received(hex(Self.message)[...], from: other, now: bench.now))
        #expect(bench.delivered.map(\.data.count) == [5])
        bench.advance(by: .seconds(1))
        let id = MessageID(hex(GossipSubWireTests.peer + "17979cfe362a0001"))
        #expect(bench.messages(to: Self.peer) == (saysSo ? [] : [id]))
    }

    @Test("our IDONTWANT has the bytes that it reads")
    func ourRefusal() {
        var rpc = GossipRPC()
        rpc.dontWant = [MessageID(hex(GossipSubWireTests.peer + "17979cfe362a0001"))]
        #expect(rpc.encode() == hex(Self.dontWant))
    }
}
