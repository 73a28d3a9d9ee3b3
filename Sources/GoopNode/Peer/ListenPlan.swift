import LibP2P
import NIOCore

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

    /// Why an address cannot be had, for a person: the system's words without the name of its call.
    static func reason(_ error: any Error) -> String {
        let cause = (error as? P2PError)?.cause ?? error
        guard let error = cause as? IOError else { return String("\(error)".prefix(300)) }
        return String(cString: strerror(error.errnoCode))
    }
}
