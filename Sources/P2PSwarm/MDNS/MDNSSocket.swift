import Glibc
import Multiformats
import NIOCore
import NIOPosix
import P2PCore

/// Opens the UDP socket of one link.
///
/// It is tied to the interface and bound to the group's address, not to the wildcard: packets to the group that arrive
/// on this interface reach it, and nothing else does. So it is known where a packet came in, and a packet sent to
/// this host's own port 5353 reaches the resolver that waits for it there. Address and port are shared, because
/// avahi or systemd-resolved may have them too. Sending takes the interface's own address. Hop limit 255 both ways.
enum MDNSSocket {
    /// - Parameters:
    ///   - source: the address to send from; nil leaves it to the kernel, which finds none on the loopback interface.
    ///   - onPacket: called on the event loop for each packet, with its source.
    static func open(
        _ link: MDNSLink, source: IPAddress?, on eventLoop: any EventLoop,
        onPacket: @escaping @Sendable ([UInt8], MDNSEndpoint) -> Void
    ) -> EventLoopFuture<any Channel> {
        let address: SocketAddress
        do {
            address = try socketAddress(link.family.group, port: MDNSMachine<SystemRandomNumberGenerator>.port)
        } catch {
            return eventLoop.makeFailedFuture(error)
        }
        let handler = MDNSPacketHandler(onPacket: onPacket)
        var bootstrap = DatagramBootstrap(group: eventLoop)
            // One byte more than is read, so that a longer packet is seen to be too long.
            .channelOption(
                .recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: DNSMessage.maximumLength + 1))
        for (level, name, value) in options(of: link) {
            let option = ChannelOptions.Types.SocketOption(level: level, name: name)
            bootstrap = bootstrap.channelOption(option, value: value)
        }
        return
            bootstrap
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(handler) }
                    .flatMap { join(link, source: source, channel) }
            }
            .bind(to: address)
    }

    /// Sends one packet at once; a packet the kernel does not take is dropped, as any datagram may be.
    ///
    /// Not through the channel: that would close itself at the first refusal (a firewall's, a route's that is not there
    /// yet, a destination's that is none), and so let a stranger silence us.
    /// - Returns: the error number of a refusal.
    static func send(_ bytes: [UInt8], on socket: any Channel, to destination: MDNSEndpoint) -> CInt? {
        guard let address = try? socketAddress(destination.address, port: destination.port) else { return EAFNOSUPPORT }
        let operations = socket.pipeline.syncOperations
        let refusal = try? operations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { handle -> CInt in
            address.withSockAddr { pointer, size in
                let sent = sendto(handle, bytes, bytes.count, Int32(MSG_DONTWAIT), pointer, socklen_t(size))
                return sent < 0 ? errno : 0
            }
        }
        guard let refusal else { return EBADF }
        return refusal == 0 ? nil : refusal
    }

    private static func socketAddress(_ ip: IPAddress, port: UInt16) throws -> SocketAddress {
        try SocketAddress(packedIPAddress: ByteBuffer(bytes: ip.bytes), port: Int(port))
    }

    private static func options(
        of link: MDNSLink
    ) -> [(NIOBSDSocket.OptionLevel, NIOBSDSocket.Option, SocketOptionValue)] {
        func socket(_ name: CInt) -> NIOBSDSocket.Option { NIOBSDSocket.Option(rawValue: name) }
        // SO_BINDTOIFINDEX of <asm-generic/socket.h>, Linux 5.0; open to all users since 5.7.
        let bindToInterface: CInt = 62
        let index = SocketOptionValue(truncatingIfNeeded: link.interface)
        var options: [(NIOBSDSocket.OptionLevel, NIOBSDSocket.Option, SocketOptionValue)] = [
            (.socket, .so_reuseaddr, 1), (.socket, socket(SO_REUSEPORT), 1), (.socket, socket(bindToInterface), index),
        ]
        switch link.family {
        case .v4:
            options += [
                (.ip, socket(IP_MULTICAST_TTL), 255), (.ip, socket(IP_TTL), 255), (.ip, socket(IP_MULTICAST_LOOP), 1),
            ]
        case .v6:
            options += [
                (.ipv6, .ipv6_v6only, 1), (.ipv6, socket(IPV6_MULTICAST_IF), index),
                (.ipv6, socket(IPV6_MULTICAST_HOPS), 255), (.ipv6, socket(IPV6_UNICAST_HOPS), 255),
                (.ipv6, socket(IPV6_MULTICAST_LOOP), 1),
            ]
        }
        return options
    }

    /// Joins the group by the interface's number; the structs are spelt out as tuples of the same layout.
    private static func join(
        _ link: MDNSLink, source: IPAddress?, _ channel: any Channel
    ) -> EventLoopFuture<Void> {
        guard let provider = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
        }
        switch link.family.group {
        case .v4(let group):
            // struct ip_mreqn: group and source in network order, interface number.
            var sourceValue: UInt32 = 0
            if case .v4(let value)? = source { sourceValue = value }
            let request: (UInt32, UInt32, UInt32) = (group.bigEndian, sourceValue.bigEndian, link.interface)
            return provider.unsafeSetSocketOption(
                level: .ip, name: .init(rawValue: IP_MULTICAST_IF), value: request
            ).flatMap {
                provider.unsafeSetSocketOption(
                    level: .ip, name: .init(rawValue: IP_ADD_MEMBERSHIP), value: request)
            }
        case .v6(let high, let low):
            // struct ipv6_mreq: group in network order, interface number; four bytes of padding do no harm.
            let request: (UInt64, UInt64, UInt32, UInt32) = (high.bigEndian, low.bigEndian, link.interface, 0)
            return provider.unsafeSetSocketOption(
                level: .ipv6, name: .init(rawValue: IPV6_JOIN_GROUP), value: request)
        }
    }
}

/// Hands on each packet with its source.
private final class MDNSPacketHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let onPacket: @Sendable ([UInt8], MDNSEndpoint) -> Void

    init(onPacket: @escaping @Sendable ([UInt8], MDNSEndpoint) -> Void) { self.onPacket = onPacket }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = Self.unwrapInboundIn(data)
        guard let address = Self.ipAddress(envelope.remoteAddress),
            let port = envelope.remoteAddress.port.flatMap(UInt16.init(exactly:))
        else { return }
        onPacket(Array(envelope.data.readableBytesView), MDNSEndpoint(address, port: port))
    }

    private static func ipAddress(_ address: SocketAddress) -> IPAddress? {
        address.withSockAddr { pointer, size in
            let bytes = UnsafeRawBufferPointer(start: pointer, count: size)
            switch address {
            case .v4: return size >= 8 ? IPAddress(bytes: bytes[4..<8]) : nil
            case .v6: return size >= 24 ? IPAddress(bytes: bytes[8..<24]) : nil
            case .unixDomainSocket: return nil
            }
        }
    }
}
