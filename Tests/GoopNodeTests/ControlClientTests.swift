import GoopCore
import LibP2P
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import GoopNode

/// What the peer that a command asks tells, and what the command tells when it does not answer.
@Suite(.timeLimit(.minutes(1))) struct ControlClientTests {
    let temporary = TemporaryFolder()

    /// Ends a connection with what comes first and leaves the rest unread, which the system tells the sender as an error.
    private final class Closer: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.close(promise: nil) }
    }

    @Test func aPeerThatBreaksOffIsToldWithANextStep() async throws {
        let folder = PeerFolder(temporary.path + "/host")
        try PreparedPeer.open(folder, options: .init(createsMissing: true, label: "host")).release()
        let lock = try FolderLock(path: folder.lockFile)
        defer { lock.release() }
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 16))
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Closer()) }
            }
            .bind(unixDomainSocketPath: folder.controlSocket).get()
        let commands = PeerCommands(folder: folder, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let told = await failure { try await commands.ping(String(repeating: "x", count: 4096)) }
        #expect(told?.kind == .unavailable && told?.nextStep.isEmpty == false)
        #expect(told?.cause.hasPrefix("the peer that runs on \(folder.path) broke off: ") == true)
        try await server.close()
    }

    /// What `scripts/soak` compares.
    @Test func aRunningPeerTellsItsConnectionsAndStreams() async throws {
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        let (node, _) = try await ada.visitor()
        let told = try await ada.commands.client.ask(.status).object
        #expect(told?["connections"]?.int64 == 1)
        #expect(told?["streams"]?.int64 != nil)
        await node.stop()
        try await ada.stop()
    }
}
