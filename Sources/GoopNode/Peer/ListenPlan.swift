import LibP2P
import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Which addresses a peer tries to listen on, in order, until one set can be had.
struct ListenPlan: Sendable {
    /// Each an attempt: the port (0: any) and whether IPv6 is wanted too.
    let attempts: [(port: Int, isDual: Bool)]

    /// - Parameters:
    ///   - configured: `p2p.listen_port`; a written one is never replaced by another.
    ///   - remembered: the port chosen earlier, or 0.
    init(configured: Int, remembered: Int) {
        let ports = configured != 0 ? [configured] : remembered != 0 ? [remembered, 0] : [0]
        attempts = ports.flatMap { [($0, true), ($0, false)] }
    }

    /// The addresses of an attempt.
    /// - Parameter isLocal: loopback instead of all addresses of the machine.
    static func addresses(port: Int, isDual: Bool, isLocal: Bool) -> [Multiaddr] {
        let port = UInt16(clamping: port)
        let v4 = Multiaddr(ip: .v4(isLocal ? 0x7f00_0001 : 0), tcpPort: port)
        return isDual ? [v4, Multiaddr(ip: .v6(high: 0, low: isLocal ? 1 : 0), tcpPort: port)] : [v4]
    }

    /// The node shares its port with its own dialling sockets, and the system lets any process of the same user share it
    /// then: two peers would take each other's visitors. An ordinary socket shows whether somebody listens there.
    /// - Throws: the system's error for the first address that cannot be had.
    static func requireFree(_ addresses: [Multiaddr], group: any EventLoopGroup) async throws {
        for address in addresses {
            guard let ip = address.ipAddress, let port = address.tcpPort, port != 0 else { continue }
            let probe = try await ServerBootstrap(group: group)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .bind(to: SocketAddress(ipAddress: ip.description, port: Int(port)))
                .get()
            try await probe.close()
        }
    }

    /// Why an address cannot be had, for a person: the system's words without the name of its call.
    static func reason(_ error: any Error) -> String {
        guard let error = error as? IOError else { return String("\(error)".prefix(300)) }
        return String(cString: strerror(error.errnoCode))
    }
}
