import LibP2P
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// A TCP relay that holds every byte back for a fixed time, and counts flights.
///
/// What an end sends belongs to the flight behind the latest that has arrived there: bytes that wait for nothing are one flight,
/// however many segments they are. The time only keeps flights apart; no figure is made of it.
private struct SlowLink {
    /// How deep in each other's answers the two ends of one connection are.
    final class Flights: Sendable {
        private let arrived = Mutex((dialler: 0, listener: 0))

        /// The flight that bytes belong to which one of the ends sends now; the dialler's first one is 1.
        func sent(byDialler: Bool) -> Int {
            self.arrived.withLock { byDialler ? $0.dialler : $0.listener } + 1
        }

        /// Bytes of this flight arrive at the other end.
        func arrived(_ flight: Int, fromDialler: Bool) {
            self.arrived.withLock { arrived in
                if fromDialler {
                    arrived.listener = max(arrived.listener, flight)
                } else {
                    arrived.dialler = max(arrived.dialler, flight)
                }
            }
        }

        /// Flights there and back until what has last arrived at the dialler.
        var roundTrips: Int { self.arrived.withLock { $0.dialler } / 2 }
    }

    /// The flights of the connection that came last.
    final class Latest: Sendable {
        private let latest = Mutex(Flights())
        var flights: Flights { self.latest.withLock { $0 } }

        func begin() -> Flights {
            self.latest.withLock { latest in
                latest = Flights()
                return latest
            }
        }
    }

    let address: Multiaddr
    let listener: any Channel
    let latest: Latest

    static func open(to target: Multiaddr, oneWay: TimeAmount) async throws -> SlowLink {
        let port = Int(try #require(target.tcpPort))
        let latest = Latest()
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { near in
                let flights = latest.begin()
                return ClientBootstrap(group: near.eventLoop)
                    .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                    .channelInitializer { far in
                        far.eventLoop.makeCompletedFuture {
                            try far.pipeline.syncOperations.addHandler(
                                Delay(other: near, oneWay: oneWay, flights: flights, isDialler: false))
                        }
                    }
                    .connect(host: "127.0.0.1", port: port).flatMapThrowing { far in
                        try near.pipeline.syncOperations.addHandler(
                            Delay(other: far, oneWay: oneWay, flights: flights, isDialler: true))
                    }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let own = UInt16(try #require(listener.localAddress?.port))
        return SlowLink(
            address: Multiaddr(ip: try #require(IPAddress("127.0.0.1")), tcpPort: own), listener: listener,
            latest: latest)
    }

    private final class Delay: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let other: any Channel
        private let oneWay: TimeAmount
        private let flights: Flights
        private let isDialler: Bool

        init(other: any Channel, oneWay: TimeAmount, flights: Flights, isDialler: Bool) {
            self.other = other
            self.oneWay = oneWay
            self.flights = flights
            self.isDialler = isDialler
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = Self.unwrapInboundIn(data)
            let flight = self.flights.sent(byDialler: self.isDialler)
            context.eventLoop.scheduleTask(in: self.oneWay) { [other, flights, isDialler] in
                // Before the bytes are there to be answered.
                flights.arrived(flight, fromDialler: isDialler)
                other.writeAndFlush(bytes, promise: nil)
            }
        }

        func channelInactive(context: ChannelHandlerContext) {
            context.eventLoop.scheduleTask(in: self.oneWay) { [other] in other.close(promise: nil) }
        }
    }
}

@Suite("Round trips to the first answer", .timeLimit(.minutes(1)), .serialized)
struct RoundTripTests {
    /// Long enough that what belongs to one flight leaves within it, also on a busy machine.
    private static let oneWay = TimeAmount.milliseconds(150)

    /// Round trips from the dial to the first byte of the answer. The link's ends answer TCP at once: its own is added.
    private func measure(
        _ client: Node, _ server: Node, over link: SlowLink, negotiation: StreamOptions.Negotiation
    ) async throws -> Int {
        var options = StreamOptions()
        options.negotiation = negotiation
        try await client.connect(to: server.peerID, addresses: [link.address])
        let stream = try await client.openStream(to: server.peerID, protocols: ["/echo/1.0.0"], options: options)
        try await stream.write("x".utf8)
        _ = try await stream.readExactly(1)
        let count = link.latest.flights.roundTrips
        await stream.close()
        return count + 1
    }

    /// The least of up to eight counts: on a busy machine a flight may be torn in two, and the next may arrive before anybody looks,
    /// but fewer flights than there are cannot be counted. Ends at the first that is `expected` or less.
    private func least(_ expected: Int, _ measure: () async throws -> Int) async throws -> Int {
        var least = Int.max
        for _ in 0..<8 {
            least = min(least, try await measure())
            if least <= expected { break }
        }
        return least
    }

    private func first(_ security: ProtocolID) async throws -> Int {
        try await withNodes(2, configure: { $0.security = [security] }) { nodes in
            nodes[1].serveEcho()
            let target = try #require(nodes[1].listenAddresses().first)
            let link = try await SlowLink.open(to: target, oneWay: Self.oneWay)
            let count = try await self.measure(nodes[0], nodes[1], over: link, negotiation: .lazy)
            try await link.listener.close().get()
            return count
        }
    }

    @Test("an unknown peer: four, TCP's own among them", arguments: ["/noise", "/tls/1.0.0"] as [ProtocolID])
    func unknown(security: ProtocolID) async throws {
        #expect(try await self.least(4) { try await self.first(security) } == 4)
    }

    @Test(
        "a peer known to speak Noise or TLS: three, TCP's own among them",
        arguments: ["/noise", "/tls/1.0.0"] as [ProtocolID])
    func known(security: ProtocolID) async throws {
        try await withNodes(2, configure: { $0.security = [security] }) { nodes in
            nodes[1].serveEcho()
            let target = try #require(nodes[1].listenAddresses().first)
            let link = try await SlowLink.open(to: target, oneWay: Self.oneWay)
            let events = nodes[0].events()
            try await nodes[0].connect(to: nodes[1].peerID, addresses: [link.address])
            _ = try await LibP2PTests.first(of: events) { event -> Bool? in
                if case .identified = event { true } else { nil }
            }
            let count = try await self.least(3) {
                await nodes[0].disconnect(nodes[1].peerID)
                // The short way, which identify has named, must not be taken.
                nodes[0].removeAddresses([target], of: nodes[1].peerID, upTo: .configured)
                return try await self.measure(nodes[0], nodes[1], over: link, negotiation: .automatic)
            }
            #expect(count == 3)
            try await link.listener.close().get()
        }
    }
}
