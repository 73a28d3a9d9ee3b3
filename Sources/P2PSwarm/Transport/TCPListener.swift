import Glibc
import Multiformats
import NIOCore
import NIOPosix
import Synchronization

/// A listening TCP socket with two doors, of which one is open at a time.
///
/// Behind the ordinary door are the loops that everything else is on. A connection stays on its loop for life, so strangers
/// who come in a crowd would be in one line with whoever is connected: each handshake is half a millisecond of the processor, and
/// hundreds that end at once are many. Behind the door for crowds is a loop of its own, on a thread that the others of this
/// process go before.
final class TCPListener: TransportListener {
    let address: Multiaddr
    private let ordinary: any Channel
    private let crowd: any Channel
    /// Succeeds when the doors are as they were last asked to be.
    private let lastChange: Mutex<EventLoopFuture<Void>>

    private init(address: Multiaddr, ordinary: any Channel, crowd: any Channel) {
        self.address = address
        self.ordinary = ordinary
        self.crowd = crowd
        self.lastChange = Mutex(ordinary.eventLoop.makeSucceededVoidFuture())
    }

    /// The real one.
    var port: UInt16 { self.address.tcpPort ?? 0 }
    /// Ends with the listener.
    var closeFuture: EventLoopFuture<Void> { self.ordinary.closeFuture }

    /// One door closes before the other opens, in all changes together: NIO takes for a fault of its own (in debug builds it stops
    /// there) that it is told of somebody whom another channel has let in meanwhile.
    func keepsStrangersApart(_ isApart: Bool) {
        guard self.crowd.isActive else { return }
        let (closing, opening) = isApart ? (self.ordinary, self.crowd) : (self.crowd, self.ordinary)
        self.lastChange.withLock { last in
            last = last.hop(to: closing.eventLoop).flatMap {
                Self.set(closing, isOpen: false)
            }.hop(to: opening.eventLoop).flatMap {
                Self.set(opening, isOpen: true)
            }
        }
    }

    /// Later, also on the door's own loop: what is under way there must not be cut in two. Of a door that has ended nothing is asked.
    private static func set(_ door: any Channel, isOpen: Bool) -> EventLoopFuture<Void> {
        door.eventLoop.flatSubmit { door.setOption(.autoRead, value: isOpen) }.recover { _ in }
    }

    func close() -> EventLoopFuture<Void> {
        self.lastChange.withLock { $0 }.hop(to: self.ordinary.eventLoop).flatMap {
            let other = self.crowd.close().hop(to: self.ordinary.eventLoop).recover { _ in }
            return self.ordinary.close().recover { _ in }.and(other).map { _ in }
        }
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
                // Open here, it would go on listening when the doors are closed.
                defer { socket.close() }
                do { try socket.listen() } catch {
                    crowd.close(promise: nil)
                    throw error
                }
                // A door that ends by itself must not leave a socket that listens and lets nobody in.
                ordinary.closeFuture.whenComplete { _ in crowd.close(promise: nil) }
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

    /// The loop for crowds, one for the process, as long as it runs. By Linux's weights ten steps of niceness are a ninth of what
    /// another thread has where the processor is all in use, and as much as anybody wants where it is not.
    private static let crowdGroup: MultiThreadedEventLoopGroup = {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        // On Linux it is of the calling thread alone. Where it fails, crowds are still on a loop of their own.
        group.next().execute { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10) }
        return group
    }()
}
