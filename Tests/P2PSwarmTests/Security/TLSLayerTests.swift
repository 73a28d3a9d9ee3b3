import NIOCore
import NIOEmbedded
import NIOPosix
import NIOSSL
import P2PCore
import PeerIdentity
import Testing

@testable import P2PSwarm

/// Collects what comes out behind the TLS layer.
private final class PlainEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    var established: [TLSEstablished] = []
    var received: [UInt8] = []
    /// How many bytes had come when the handshake was reported; more than 0 would be an error of order.
    var receivedAtEstablished = 0
    var errors: [any Error] = []
    var inputClosed = false

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent { inputClosed = true }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += Array(unwrapInboundIn(data).readableBytesView)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        errors.append(error)
    }

    func wasEstablished(_ outcome: TLSEstablished) {
        receivedAtEstablished = received.count
        established.append(outcome)
    }
}

/// Two embedded channels whose bytes are carried to and fro.
private final class Link {
    let client = EmbeddedChannel()
    let server = EmbeddedChannel()
    let clientEnd = PlainEnd()
    let serverEnd = PlainEnd()

    init() throws {
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: 1)
        for (channel, end) in [(client, clientEnd), (server, serverEnd)] {
            channel.pipeline.connect(to: address, promise: nil)
            try channel.pipeline.syncOperations.addHandler(end)
        }
    }

    func add(
        _ layer: TLSLayer, _ role: ConnectionRole, expecting peer: PeerID? = nil,
        muxers: [ProtocolID] = ["/yamux/1.0.0"]
    ) throws {
        let (channel, end) = role == .initiator ? (client, clientEnd) : (server, serverEnd)
        try layer.addHandlers(
            to: channel.pipeline.syncOperations, role: role, expectedPeer: peer, muxers: muxers,
            established: end.wasEstablished)
    }

    /// Carries bytes until there are none, in pieces of `chunk`.
    func settle(chunk: Int = .max) throws {
        for _ in 0..<20 {
            let moved = try carry(from: client, to: server, chunk) + carry(from: server, to: client, chunk)
            client.embeddedEventLoop.run()
            server.embeddedEventLoop.run()
            if moved == 0 { break }
        }
    }

    private func carry(from sender: EmbeddedChannel, to receiver: EmbeddedChannel, _ chunk: Int) throws -> Int {
        var moved = 0
        while var bytes = try sender.readOutbound(as: ByteBuffer.self) {
            moved += bytes.readableBytes
            while let piece = bytes.readSlice(length: min(chunk, bytes.readableBytes)), piece.readableBytes > 0 {
                guard receiver.isActive else { break }
                receiver.pipeline.fireChannelRead(piece)
                receiver.pipeline.fireChannelReadComplete()
            }
        }
        return moved
    }

    /// Closes both ends; a peer that does not answer the farewell is given up after the shutdown timeout.
    func finish() {
        client.pipeline.close(promise: nil)
        server.pipeline.close(promise: nil)
        try? settle()
        client.embeddedEventLoop.advanceTime(by: .seconds(2))
        server.embeddedEventLoop.advanceTime(by: .seconds(2))
    }
}

@Suite("TLS layer")
struct TLSLayerTests {
    private let first = PrivateKey.generate()
    private let second = PrivateKey.generate()

    @Test("both sides prove themselves and agree on the muxer, in pieces of any size", arguments: [1, 7, 1000, .max])
    func handshake(chunk: Int) throws {
        let link = try Link()
        defer { link.finish() }
        try link.add(try TLSLayer(identity: second), .responder)
        try link.add(try TLSLayer(identity: first), .initiator, expecting: second.peerID)
        link.client.pipeline.writeAndFlush(ByteBuffer(string: "early"), promise: nil)
        try link.settle(chunk: chunk)
        #expect(link.clientEnd.established.map(\.peerKey) == [second.publicKey])
        #expect(link.serverEnd.established.map(\.peerKey) == [first.publicKey])
        #expect(link.clientEnd.established.first?.applicationProtocol == "/yamux/1.0.0")
        #expect(link.serverEnd.established.first?.applicationProtocol == "/yamux/1.0.0")
        #expect(link.serverEnd.received == Array("early".utf8))
        #expect(link.serverEnd.receivedAtEstablished == 0)
        link.server.pipeline.writeAndFlush(ByteBuffer(string: "late"), promise: nil)
        try link.settle(chunk: chunk)
        #expect(link.clientEnd.received == Array("late".utf8))
        #expect(link.clientEnd.errors.isEmpty && link.serverEnd.errors.isEmpty)
    }

    @Test("without a common muxer the fallback is agreed")
    func fallback() throws {
        let link = try Link()
        defer { link.finish() }
        try link.add(try TLSLayer(identity: second), .responder, muxers: ["/mplex/6.7.0"])
        try link.add(try TLSLayer(identity: first), .initiator)
        try link.settle()
        #expect(link.clientEnd.established.first?.applicationProtocol == "libp2p")
        #expect(link.serverEnd.established.first?.applicationProtocol == "libp2p")
    }

    @Test("contexts of a few lists of muxers are kept; further lists are served all the same")
    func keptContexts() throws {
        let (server, client) = (try TLSLayer(identity: second), try TLSLayer(identity: first))
        for number in 0..<(TLSLayer.maximumContexts + 2) {
            let link = try Link()
            defer { link.finish() }
            let muxers = [ProtocolID("/muxer/\(number)")]
            try link.add(server, .responder, muxers: muxers)
            try link.add(client, .initiator, muxers: muxers)
            try link.settle()
            #expect(link.clientEnd.established.first?.applicationProtocol == "/muxer/\(number)")
        }
        #expect(server.keptContexts == 8 && client.keptContexts == 8)
    }

    @Test("a client that dialed someone else refuses, with both names")
    func wrongServer() throws {
        let link = try Link()
        defer { link.finish() }
        let expected = PrivateKey.generate().peerID
        try link.add(try TLSLayer(identity: second), .responder)
        try link.add(try TLSLayer(identity: first), .initiator, expecting: expected)
        try link.settle()
        #expect(link.clientEnd.established.isEmpty && link.serverEnd.established.isEmpty)
        #expect(
            link.clientEnd.errors.first as? UpgradeError
                == .tls(.wrongPeer(expected: expected, actual: second.peerID)))
        #expect(!link.client.isActive)
    }

    @Test("a server refuses an expired client certificate")
    func expiredClient() throws {
        let link = try Link()
        defer { link.finish() }
        var generator = SystemRandomNumberGenerator()
        let old = try TLSIdentity(identity: first, now: -101 * 366 * 86400, using: &generator)
        try link.add(try TLSLayer(identity: second), .responder)
        try link.add(try TLSLayer(identity: old), .initiator)
        try link.settle()
        #expect(link.serverEnd.established.isEmpty)
        #expect(link.serverEnd.errors.first as? UpgradeError == .tls(.expired))
        #expect(!link.server.isActive)
    }

    @Test(
        "a peer that offers the hybrid with ML-KEM gets it, others X25519, in the same flight",
        arguments: [true, false])
    func keyAgreement(hybrid: Bool) throws {
        let link = try Link()
        defer { link.finish() }
        try link.add(try TLSLayer(identity: second), .responder)
        if hybrid {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.certificateVerification = .none
            configuration.curves = [.x25519_MLKEM768, .x25519]
            configuration.applicationProtocols = ["libp2p"]
            try link.client.pipeline.syncOperations.addHandler(
                NIOSSLClientHandler(context: try NIOSSLContext(configuration: configuration), serverHostname: nil),
                position: .first)
        } else {
            try link.add(try TLSLayer(identity: first), .initiator)
        }
        link.server.pipeline.fireChannelRead(try #require(try link.client.readOutbound(as: ByteBuffer.self)))
        link.server.pipeline.fireChannelReadComplete()
        var answer: [UInt8] = []
        while let bytes = try link.server.readOutbound(as: ByteBuffer.self) { answer += bytes.readableBytesView }
        // The extension key_share of a ServerHello: type, length, group.
        let share: [UInt8] = hybrid ? [0, 0x33, 4, 0x64, 0x11, 0xec] : [0, 0x33, 0, 0x24, 0, 0x1d]
        #expect(answer.indices.contains { answer[$0...].starts(with: share) })
    }

    @Test("a client without a certificate is refused")
    func noCertificate() throws {
        let link = try Link()
        defer { link.finish() }
        try link.add(try TLSLayer(identity: second), .responder)
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        configuration.applicationProtocols = ["libp2p"]
        let context = try NIOSSLContext(configuration: configuration)
        try link.client.pipeline.syncOperations.addHandler(
            NIOSSLClientHandler(context: context, serverHostname: nil), position: .first)
        try link.settle()
        #expect(link.serverEnd.established.isEmpty)
        #expect(!link.serverEnd.errors.isEmpty)
        #expect(!link.server.isActive)
    }

    @Test("TLS 1.2 is refused")
    func oldVersion() throws {
        let link = try Link()
        defer { link.finish() }
        try link.add(try TLSLayer(identity: second), .responder)
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        configuration.maximumTLSVersion = .tlsv12
        let context = try NIOSSLContext(configuration: configuration)
        try link.client.pipeline.syncOperations.addHandler(
            NIOSSLClientHandler(context: context, serverHostname: nil), position: .first)
        try link.settle()
        #expect(link.serverEnd.established.isEmpty)
        #expect(!link.server.isActive)
    }

    @Test("garbage instead of a handshake closes the channel and establishes nothing")
    func garbage() throws {
        let link = try Link()
        defer { link.finish() }
        try link.add(try TLSLayer(identity: second), .responder)
        link.server.pipeline.fireChannelRead(ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n"))
        link.server.embeddedEventLoop.run()
        #expect(link.serverEnd.established.isEmpty)
        #expect(!link.serverEnd.errors.isEmpty)
        #expect(!link.server.isActive)
    }

    @Test("a peer that ends without a farewell is no error once the handshake is over, and one before it")
    func unannouncedEnd() throws {
        let link = try Link()
        defer { link.finish() }
        try link.add(try TLSLayer(identity: second), .responder)
        try link.add(try TLSLayer(identity: first), .initiator)
        try link.settle()
        #expect(link.clientEnd.established.count == 1)
        link.client.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(link.clientEnd.errors.isEmpty)
        #expect(link.clientEnd.inputClosed)

        let early = try Link()
        defer { early.finish() }
        try early.add(try TLSLayer(identity: second), .responder)
        early.server.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(!early.serverEnd.errors.isEmpty)
    }
}
