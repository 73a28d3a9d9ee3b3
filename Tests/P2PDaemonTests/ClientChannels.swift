import Multiformats
import NIOCore
import NIOPosix

@testable import P2PDaemon

/// A connection with a client, either way around; one direction may be closed before the other.
typealias ControlChannel = NIOAsyncChannel<ByteBuffer, ByteBuffer>

/// A client's side of the connections with a daemon.
enum ClientChannels {
    /// Listens for clients.
    static func listen(
        on address: ControlAddress, group: any EventLoopGroup
    ) async throws -> NIOAsyncChannel<ControlChannel, Never> {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1_024)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
        switch address {
        case .unix(let path):
            return try await bootstrap.bind(
                unixDomainSocketPath: path, cleanupExistingSocketFile: true, childChannelInitializer: wrap)
        case .tcp(let ip, let port):
            return try await bootstrap.serverChannelOption(.socketOption(.so_reuseaddr), value: 1).bind(
                host: ip.description, port: Int(port), childChannelInitializer: wrap)
        }
    }

    /// Connects to a client, or to another daemon.
    static func connect(
        to address: ControlAddress, group: any EventLoopGroup, timeout: Duration = .seconds(5)
    ) async throws -> ControlChannel {
        let bootstrap = ClientBootstrap(group: group)
            .connectTimeout(TimeAmount(timeout))
            .channelOption(.allowRemoteHalfClosure, value: true)
        switch address {
        case .unix(let path):
            return try await bootstrap.connect(unixDomainSocketPath: path, channelInitializer: wrap)
        case .tcp(let ip, let port):
            return try await bootstrap.connect(
                host: ip.description, port: Int(port), channelInitializer: wrap)
        }
    }

    /// Waits until all that was written has been handed to the system: closing a channel drops what is still in it.
    ///
    /// A client that does not read delays this; cancellation closes the channel and ends the wait.
    static func flush(_ channel: any Channel) async throws {
        try await withTaskCancellationHandler {
            // Writes are in order, so an empty one is done when those before it are.
            try await channel.writeAndFlush(ByteBuffer()).get()
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    @Sendable private static func wrap(_ channel: any Channel) -> EventLoopFuture<ControlChannel> {
        channel.eventLoop.makeCompletedFuture {
            try ControlChannel(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        }
    }
}
