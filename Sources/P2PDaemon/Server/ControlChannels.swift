import Multiformats
import NIOCore
import NIOPosix

/// Connections with clients, either way around; one direction may be closed before the other.
enum ControlChannels {
    /// Listens for clients.
    ///
    /// - Parameter prepare: adds a new connection's handlers, before anything is read.
    static func listen(
        on address: ControlAddress, group: any EventLoopGroup,
        prepare: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1_024)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer(prepare)
        switch address {
        case .unix(let path):
            return try await bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
        case .tcp(let ip, let port):
            return try await bootstrap.serverChannelOption(.socketOption(.so_reuseaddr), value: 1).bind(
                host: ip.description, port: Int(port)
            ).get()
        }
    }

    /// Connects to a client, or to another daemon.
    static func connect(
        to address: ControlAddress, group: any EventLoopGroup, timeout: TimeAmount = .seconds(5),
        prepare: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) -> EventLoopFuture<any Channel> {
        let bootstrap = ClientBootstrap(group: group)
            .connectTimeout(timeout)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer(prepare)
        switch address {
        case .unix(let path): return bootstrap.connect(unixDomainSocketPath: path)
        case .tcp(let ip, let port): return bootstrap.connect(host: ip.description, port: Int(port))
        }
    }
}
