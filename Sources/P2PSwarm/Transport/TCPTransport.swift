import Glibc
public import Multiformats
public import NIOCore
import NIOPosix
import P2PCore
import Synchronization

/// TCP over IPv4 and IPv6: `/ip4/…/tcp/…`, `/ip6/…/tcp/…`.
///
/// Listeners share their port (SO_REUSEADDR and SO_REUSEPORT) with our own connections towards the internet, so that a NAT
/// keeps one mapping for both and observers see where we can be reached. Towards loopback, link-local and private
/// addresses, where neighbours find and dial each other in the same instant, the port is the system's choice: two dials
/// that cross between listening ports become one connection (RFC 9293 §3.5, simultaneous open) with two initiators. When the
/// system refuses the listening port (the same pair of ends is in use), its choice serves too, and the link says so. No
/// Nagle delay, keep-alive after 30 s.
public final class TCPTransport: Transport {
    private struct Listening {
        let number: UInt64
        let ip: IPAddress
        let port: UInt16
    }

    private let listening = Mutex<(next: UInt64, all: [Listening])>((next: 0, all: []))

    /// A transport without listeners.
    public init() {}

    /// True for `/ip4|ip6/…/tcp/…` with a port, and for nothing else.
    public func canDial(_ address: Multiaddr) -> Bool {
        Self.socketAddress(address).map { $0.port != 0 } ?? false
    }

    /// True for `/ip4|ip6/…/tcp/…`; port 0 takes a free one.
    public func canListen(on address: Multiaddr) -> Bool { Self.socketAddress(address) != nil }

    // MARK: Dialing

    /// Connects; fails with a `DialFailureReason`.
    public func dial(_ request: DialRequest) -> EventLoopFuture<TransportLink> {
        let loop = request.eventLoop
        guard let remote = Self.socketAddress(request.address), let ip = request.address.ipAddress else {
            return loop.makeFailedFuture(DialFailureReason.noTransport)
        }
        guard request.reusesListeningPort, let source = self.source(for: ip) else {
            return self.connect(request, to: remote, from: nil)
        }
        return self.connect(request, to: remote, from: source).flatMapError { error in
            guard Self.isSourceConflict(error) else { return loop.makeFailedFuture(error) }
            return self.connect(request, to: remote, from: nil)
        }.flatMapErrorThrowing { throw Self.reason(for: $0) }
    }

    private func connect(
        _ request: DialRequest, to remote: SocketAddress, from source: SocketAddress?
    ) -> EventLoopFuture<TransportLink> {
        var bootstrap = ClientBootstrap(group: request.eventLoop)
            .connectTimeout(request.timeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(Self.keepAliveIdle, value: 30)
            // The peer may speak before this future's callbacks have run: nothing is read until the upgrade takes over.
            .channelOption(.autoRead, value: false)
            .channelInitializer { channel in
                request.created(channel)
                    ? channel.eventLoop.makeSucceededVoidFuture()
                    : channel.eventLoop.makeFailedFuture(DialFailureReason.abandoned)
            }
        if let source {
            bootstrap =
                bootstrap
                .channelOption(.socketOption(.so_reuseaddr), value: 1)
                .channelOption(Self.reusePort, value: 1)
                .bind(to: source)
        }
        return bootstrap.connect(to: remote).flatMapThrowing { channel in
            guard let local = channel.localAddress.flatMap(Multiaddr.init(socketAddress:)) else {
                throw ChannelError.alreadyClosed
            }
            return TransportLink(
                channel: channel, localAddress: local, remoteAddress: request.address,
                usesListeningPort: source != nil)
        }.flatMapErrorThrowing { error in
            throw source == nil ? Self.reason(for: error) : error
        }
    }

    /// The address to dial `remote` from: a listener of the same family that can have a route there. Nil for a neighbour.
    func source(for remote: IPAddress) -> SocketAddress? {
        guard !remote.isLoopback, !remote.isLinkLocal, !remote.isPrivate else { return nil }
        let match = self.listening.withLock { state in
            let family = state.all.filter { $0.ip.bytes.count == remote.bytes.count && !$0.ip.isLoopback }
            return family.first(where: \.ip.isUnspecified) ?? family.first
        }
        return match.flatMap { Self.socketAddress(Multiaddr(ip: $0.ip, tcpPort: $0.port)) }
    }

    private static func isSourceConflict(_ error: any Error) -> Bool {
        guard let error = error as? IOError else { return false }
        return [EADDRNOTAVAIL, EADDRINUSE, EACCES, EINVAL, EPERM].contains(error.errnoCode)
    }

    private static func reason(for error: any Error) -> DialFailureReason {
        switch error {
        case let reason as DialFailureReason: return reason
        case ChannelError.connectTimeout: return .timedOut
        case let error as IOError:
            switch error.errnoCode {
            case ECONNREFUSED: return .refused
            case ETIMEDOUT: return .timedOut
            default: return .unreachable(code: error.errnoCode)
            }
        case let error as NIOConnectionError:
            return error.connectionErrors.first.map { self.reason(for: $0.error) } ?? .other("connection failed")
        default: return .other(String(String(describing: error).prefix(200)))
        }
    }

    // MARK: Listening

    /// Binds and listens; fails where somebody else listens already. IPv6 sockets take IPv6 only, so that both wildcards can share
    /// a port, and listeners of this transport may share one, too.
    public func listen(
        on address: Multiaddr, group: any EventLoopGroup,
        accept: @escaping @Sendable (TransportLink) -> EventLoopFuture<Void>
    ) -> EventLoopFuture<any TransportListener> {
        guard let local = Self.socketAddress(address), let ip = address.ipAddress else {
            return group.any().makeFailedFuture(DialFailureReason.noTransport)
        }
        return self.requireFree(local, ip, group: group).flatMap {
            self.listen(on: local, ip, group: group, accept: accept)
        }
    }

    private func listen(
        on local: SocketAddress, _ ip: IPAddress, group: any EventLoopGroup,
        accept: @escaping @Sendable (TransportLink) -> EventLoopFuture<Void>
    ) -> EventLoopFuture<any TransportListener> {
        TCPListener.open(on: local, ip, group: group, accept: accept).map { listener in
            let number = self.listening.withLock { state in
                let number = state.next
                state.next += 1
                state.all.append(Listening(number: number, ip: ip, port: listener.port))
                return number
            }
            listener.closeFuture.whenComplete { _ in
                self.listening.withLock { state in state.all.removeAll { $0.number == number } }
            }
            return listener
        }
    }

    /// The system lets any process of the same user share a port that all of them share, and spreads the strangers over them: two
    /// peers would take each other's visitors, and neither would know. A socket that does not share shows whether somebody
    /// listens there. It is closed at once, with whoever came meanwhile; who comes between it and the listener is not seen.
    private func requireFree(
        _ address: SocketAddress, _ ip: IPAddress, group: any EventLoopGroup
    ) -> EventLoopFuture<Void> {
        let port = address.port ?? 0
        let isOurs = self.listening.withLock { state in
            state.all.contains { Int($0.port) == port && $0.ip.bytes.count == ip.bytes.count }
        }
        guard port != 0, !isOurs else { return group.any().makeSucceededVoidFuture() }
        var bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { $0.eventLoop.makeFailedFuture(ChannelError.alreadyClosed) }
        if ip.bytes.count == 16 { bootstrap = bootstrap.serverChannelOption(Self.onlyIPv6, value: 1) }
        return bootstrap.bind(to: address).flatMap { $0.close() }
    }

    // MARK: Addresses

    private static let onlyIPv6 = ChannelOptions.Types.SocketOption(level: .ipv6, name: .init(rawValue: IPV6_V6ONLY))
    private static let reusePort = ChannelOptions.Types.SocketOption(
        level: .socket, name: .init(rawValue: SO_REUSEPORT))
    static let keepAliveIdle = ChannelOptions.Types.SocketOption(
        level: .tcp, name: .init(rawValue: TCP_KEEPIDLE))

    /// Exactly `/ip4|ip6/…/tcp/…`, nil for everything else.
    private static func socketAddress(_ address: Multiaddr) -> SocketAddress? {
        let bare = address.withoutPeerID
        guard bare.components.count == 2, let ip = bare.ipAddress, let port = bare.tcpPort else { return nil }
        return try? SocketAddress(packedIPAddress: ByteBuffer(bytes: ip.bytes), port: Int(port))
    }
}

extension Multiaddr {
    /// The multiaddr of a TCP end; nil unless it is IPv4 or IPv6. IPv4-mapped IPv6 addresses become IPv4.
    public init?(socketAddress: SocketAddress) {
        guard let port = socketAddress.port, let text = socketAddress.ipAddress,
            let ip = IPAddress(String(text.prefix { $0 != "%" }))
        else { return nil }
        self.init(ip: ip.unmapped, tcpPort: UInt16(clamping: port))
    }
}
