import LibP2P
import NIOCore
import NIOPosix
import Testing

/// A TCP relay that holds every byte back for a fixed time, so that round trips can be counted with a clock.
private struct SlowLink {
    let address: Multiaddr
    let listener: any Channel

    static func open(to target: Multiaddr, oneWay: TimeAmount) async throws -> SlowLink {
        let port = Int(try #require(target.tcpPort))
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { near in
                ClientBootstrap(group: near.eventLoop)
                    .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                    .channelInitializer { far in
                        far.eventLoop.makeCompletedFuture {
                            try far.pipeline.syncOperations.addHandler(Delay(other: near, oneWay: oneWay))
                        }
                    }
                    .connect(host: "127.0.0.1", port: port).flatMapThrowing { far in
                        try near.pipeline.syncOperations.addHandler(Delay(other: far, oneWay: oneWay))
                    }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let own = UInt16(try #require(listener.localAddress?.port))
        return SlowLink(
            address: Multiaddr(ip: try #require(IPAddress("127.0.0.1")), tcpPort: own), listener: listener)
    }

    private final class Delay: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let other: any Channel
        private let oneWay: TimeAmount

        init(other: any Channel, oneWay: TimeAmount) {
            self.other = other
            self.oneWay = oneWay
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = Self.unwrapInboundIn(data)
            context.eventLoop.scheduleTask(in: self.oneWay) { [other] in other.writeAndFlush(bytes, promise: nil) }
        }

        func channelInactive(context: ChannelHandlerContext) {
            context.eventLoop.scheduleTask(in: self.oneWay) { [other] in other.close(promise: nil) }
        }
    }
}

/// The link's ends answer TCP at once, so each figure here is one round trip less than over a real link of that delay.
@Suite("Round trips to the first answer", .timeLimit(.minutes(1)), .serialized)
struct RoundTripTests {
    /// Long enough that the work of a busy machine is a part of it only.
    private static let roundTrip = Duration.milliseconds(600)

    /// Round trips from the dial to the first byte of the answer.
    private func measure(
        _ client: Node, _ server: Node, at address: Multiaddr, negotiation: StreamOptions.Negotiation
    ) async throws -> Double {
        var options = StreamOptions()
        options.negotiation = negotiation
        let started = ContinuousClock.now
        try await client.connect(to: server.peerID, addresses: [address])
        let stream = try await client.openStream(to: server.peerID, protocols: ["/echo/1.0.0"], options: options)
        try await stream.write("x".utf8)
        _ = try await stream.readExactly(1)
        let elapsed = ContinuousClock.now - started
        await stream.close()
        return elapsed / Self.roundTrip
    }

    /// The least of up to eight measurements: a busy machine only ever adds to one, and fewer flights than there are cannot
    /// be measured. Ends at the first that is below `bound`.
    private func least(below bound: Double, _ measure: () async throws -> Double) async throws -> Double {
        var least = Double.infinity
        for _ in 0..<8 {
            least = min(least, try await measure())
            if least < bound { break }
        }
        return least
    }

    private func first(_ security: ProtocolID) async throws -> Double {
        try await withNodes(2, configure: { $0.security = [security] }) { nodes in
            nodes[1].serveEcho()
            let target = try #require(nodes[1].listenAddresses().first)
            let link = try await SlowLink.open(to: target, oneWay: .milliseconds(300))
            let count = try await self.measure(nodes[0], nodes[1], at: link.address, negotiation: .lazy)
            try await link.listener.close().get()
            return count
        }
    }

    @Test("an unknown peer: three, with TCP's own four", arguments: ["/noise", "/tls/1.0.0"] as [ProtocolID])
    func unknown(security: ProtocolID) async throws {
        let count = try await self.least(below: 3.9) { try await self.first(security) }
        #expect((3.0..<3.9).contains(count), "\(count) round trips")
    }

    @Test(
        "a peer known to speak Noise or TLS: two, with TCP's own three",
        arguments: ["/noise", "/tls/1.0.0"] as [ProtocolID])
    func known(security: ProtocolID) async throws {
        try await withNodes(2, configure: { $0.security = [security] }) { nodes in
            nodes[1].serveEcho()
            let target = try #require(nodes[1].listenAddresses().first)
            let link = try await SlowLink.open(to: target, oneWay: .milliseconds(300))
            let events = nodes[0].events()
            try await nodes[0].connect(to: nodes[1].peerID, addresses: [link.address])
            _ = try await LibP2PTests.first(of: events) { event -> Bool? in
                if case .identified = event { true } else { nil }
            }
            let count = try await self.least(below: 2.9) {
                await nodes[0].disconnect(nodes[1].peerID)
                // The short way, which identify has named, must not be taken.
                nodes[0].removeAddresses([target], of: nodes[1].peerID, upTo: .configured)
                return try await self.measure(nodes[0], nodes[1], at: link.address, negotiation: .automatic)
            }
            #expect((2.0..<2.9).contains(count), "\(count) round trips")
            try await link.listener.close().get()
        }
    }
}
