import Glibc
import Multiformats
import NIOCore
import NIOPosix

/// A listening TCP socket with two doors, of which one is open at a time.
///
/// Behind the ordinary door are the loops that everything else is on. A connection stays on its loop for life, so strangers
/// who come in a crowd would be in one line with whoever is connected: each handshake is half a millisecond of the processor, and
/// hundreds that end at once are many. Behind the door for crowds is a loop of its own, on a thread that the others of this
/// process go before.
struct TCPListener: TransportListener {
    let address: Multiaddr
    private let ordinary: any Channel
    private let crowd: any Channel

    /// The real one.
    var port: UInt16 { self.address.tcpPort ?? 0 }
    /// Ends with the listener.
    var closeFuture: EventLoopFuture<Void> { self.ordinary.closeFuture }

    func keepsStrangersApart(_ isApart: Bool) {
        // Both later, also if this is one of their loops: a door that opens may take somebody in at once.
        for (door, isOpen) in [(self.ordinary, !isApart), (self.crowd, isApart)] {
            door.eventLoop.execute { door.setOption(.autoRead, value: isOpen).whenFailure { _ in } }
        }
    }

    func close() -> EventLoopFuture<Void> {
        let other = self.crowd.close().flatMapErrorThrowing { _ in }
        return self.ordinary.close().flatMapErrorThrowing { _ in }.flatMap { other.hop(to: self.ordinary.eventLoop) }
    }

    /// Binds and listens; fails with the system's error.
    static func open(
        on local: SocketAddress, _ ip: IPAddress, group: any EventLoopGroup,
        accept: @escaping @Sendable (TransportLink) -> EventLoopFuture<Void>
    ) -> EventLoopFuture<TCPListener> {
        let socket: ListeningSocket
        do { socket = try ListeningSocket(boundTo: local) } catch { return group.any().makeFailedFuture(error) }
        return Self.door(of: socket, group: group, isOpen: true, accept: accept).flatMap { ordinary in
            Self.door(of: socket, group: Self.crowdGroup, isOpen: false, accept: accept).flatMapThrowing { crowd in
                do { try socket.listen() } catch {
                    crowd.close(promise: nil)
                    throw error
                }
                let port = UInt16(clamping: ordinary.localAddress?.port ?? 0)
                return TCPListener(address: Multiaddr(ip: ip, tcpPort: port), ordinary: ordinary, crowd: crowd)
            }.flatMapErrorThrowing { error in
                ordinary.close(promise: nil)
                throw error
            }.hop(to: ordinary.eventLoop)
        }
    }

    private static func door(
        of socket: ListeningSocket, group: any EventLoopGroup, isOpen: Bool,
        accept: @escaping @Sendable (TransportLink) -> EventLoopFuture<Void>
    ) -> EventLoopFuture<any Channel> {
        let descriptor: CInt
        do { descriptor = try socket.duplicate() } catch { return group.any().makeFailedFuture(error) }
        return ServerBootstrap(group: group)
            .serverChannelOption(.autoRead, value: isOpen)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(TCPTransport.keepAliveIdle, value: 30)
            .childChannelInitializer { channel in
                guard let remote = channel.remoteAddress.flatMap(Multiaddr.init(socketAddress:)),
                    let own = channel.localAddress.flatMap(Multiaddr.init(socketAddress:))
                else { return channel.eventLoop.makeFailedFuture(ChannelError.alreadyClosed) }
                return accept(
                    TransportLink(channel: channel, localAddress: own, remoteAddress: remote, usesListeningPort: true))
            }
            .withBoundSocket(descriptor)
    }

    /// The loop for crowds, one for the process, as long as it runs. Ten steps of niceness are a ninth of the processor where the
    /// others want all of it, and as much as anybody wants where they do not.
    private static let crowdGroup: MultiThreadedEventLoopGroup = {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        // On Linux it is of the calling thread alone. Where it fails, crowds are still on a loop of their own.
        group.next().execute { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10) }
        return group
    }()
}
