import Dispatch
import Glibc
import Multiformats
import NIOCore
import NIOPosix
import P2PCore
import Testing

@testable import P2PSwarm

@Suite(.timeLimit(.minutes(1))) struct TCPTransportTests {
    private let group = MultiThreadedEventLoopGroup.singleton

    @Test("a neighbour is dialled from a port of the system's choice, so that crossing dials stay two connections")
    func neighbours() async throws {
        let transport = TCPTransport()
        let (accepted, arrivals) = AsyncStream.makeStream(of: Multiaddr.self)
        let listener = try await transport.listen(on: Multiaddr(text: "/ip4/127.0.0.1/tcp/0"), group: self.group) {
            link in
            arrivals.yield(link.remoteAddress)
            return link.channel.eventLoop.makeSucceededVoidFuture()
        }.get()
        let link = try await transport.dial(
            DialRequest(
                address: listener.address, eventLoop: self.group.next(), timeout: .seconds(10),
                reusesListeningPort: true
            ) { _ in true }
        ).get()
        #expect(!link.usesListeningPort)
        #expect(link.localAddress.tcpPort != listener.address.tcpPort)
        #expect(await accepted.first { _ in true } == link.localAddress)
        try await link.channel.close()
        try await listener.close().get()
    }

    @Test(
        "only what may lie behind a NAT is dialled from the listening port",
        arguments: [
            ("8.8.8.8", true), ("203.0.113.7", true), ("127.0.0.1", false), ("10.1.2.3", false), ("172.16.0.1", false),
            ("192.168.7.7", false), ("169.254.1.1", false), ("100.64.0.9", false),
        ])
    func source(remote: String, shares: Bool) async throws {
        let transport = TCPTransport()
        let loopback = try await transport.listen(
            on: Multiaddr(text: "/ip4/127.0.0.1/tcp/0"), group: self.group, accept: Self.refuse
        ).get()
        #expect(transport.source(for: try #require(IPAddress(remote))) == nil)
        let everywhere = try await transport.listen(
            on: Multiaddr(text: "/ip4/0.0.0.0/tcp/0"), group: self.group, accept: Self.refuse
        ).get()
        let source = transport.source(for: try #require(IPAddress(remote)))
        #expect(source?.port == (shares ? everywhere.address.tcpPort.map(Int.init) : nil))
        try await everywhere.close().get()
        try await loopback.close().get()
    }

    @Test("where somebody else listens, we do not: the system would give each of the two half of the strangers")
    func taken() async throws {
        let (first, second) = (TCPTransport(), TCPTransport())
        // One loop: with two NIO may learn that a listener is closed before it has quite let in whom it told us of, and drops them.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let (accepted, arrivals) = AsyncStream.makeStream(of: TransportLink.self)
        let listener = try await first.listen(on: Multiaddr(text: "/ip4/127.0.0.1/tcp/0"), group: group) { link in
            arrivals.yield(link)
            return link.channel.eventLoop.makeSucceededVoidFuture()
        }.get()
        let error = await #expect(throws: IOError.self) {
            _ = try await second.listen(on: listener.address, group: self.group, accept: Self.refuse).get()
        }
        #expect(error?.errnoCode == EADDRINUSE)
        // Ours may share it with ours.
        let beside = try await first.listen(on: listener.address, group: self.group, accept: Self.refuse).get()
        try await beside.close().get()
        // Connections that are left of a listener are none.
        let visitor = try await ClientBootstrap(group: self.group)
            .connect(host: "127.0.0.1", port: Int(try #require(listener.address.tcpPort))).get()
        let link = try #require(await accepted.first { _ in true })
        try await link.channel.eventLoop.submit {}.get()
        try await listener.close().get()
        let next = try await second.listen(on: listener.address, group: self.group, accept: Self.refuse).get()
        #expect(next.address == listener.address)
        try await next.close().get()
        try await link.channel.close()
        // By itself, unless it has not noticed yet.
        try? await visitor.close()
        try await group.shutdownGracefully()
    }

    @Test("strangers are kept for us while the loop is busy: more than the 128 that NIO would have kept")
    func backlog() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let listener = try await TCPTransport().listen(
            on: Multiaddr(text: "/ip4/127.0.0.1/tcp/0"), group: group, accept: Self.refuse
        ).get()
        let port = Int(try #require(listener.address.tcpPort))
        let mayGoOn = DispatchSemaphore(value: 0)
        group.next().execute { mayGoOn.wait() }
        var strangers: [any Channel] = []
        for _ in 0..<200 {
            strangers.append(try await ClientBootstrap(group: self.group).connect(host: "127.0.0.1", port: port).get())
        }
        mayGoOn.signal()
        for stranger in strangers { try? await stranger.close() }
        try await listener.close().get()
        try await group.shutdownGracefully()
    }

    private static func refuse(_ link: TransportLink) -> EventLoopFuture<Void> {
        link.channel.eventLoop.makeFailedFuture(ChannelError.alreadyClosed)
    }
}
