import Glibc
import Multiformats
import NIOCore
import NIOPosix
import P2PCore

/// Turns `/dns…` addresses into `/ip4` and `/ip6` ones by asking the system's resolver, off the event loops.
///
/// `/dns` asks for both families, `/dns4` and `/dns6` for one. `/dnsaddr` needs TXT records, which the system's resolver does
/// not give: such addresses yield nothing.
enum NameResolver {
    /// Addresses taken of one name.
    static let maximumAddresses = 16

    /// Its own two threads: a slow name server must not hold up anything but names.
    private static let threads: NIOThreadPool = {
        let threads = NIOThreadPool(numberOfThreads: 2)
        threads.start()
        return threads
    }()

    /// The address with its leading name replaced by each of the name's addresses; itself if it begins with none.
    static func resolve(_ address: Multiaddr, on loop: any EventLoop) -> EventLoopFuture<[Multiaddr]> {
        guard let first = address.first, let name = first.text else { return loop.makeSucceededFuture([address]) }
        let family: CInt
        switch first.protocol {
        case .dns: family = AF_UNSPEC
        case .dns4: family = AF_INET
        case .dns6: family = AF_INET6
        case .dnsaddr: return loop.makeSucceededFuture([])
        default: return loop.makeSucceededFuture([address])
        }
        guard let port = address.tcpPort else { return loop.makeSucceededFuture([]) }
        return self.threads.runIfActive(eventLoop: loop) {
            self.lookUp(name, family).prefix(self.maximumAddresses).map { Multiaddr(ip: $0, tcpPort: port) }
        }
    }

    private static func lookUp(_ name: String, _ family: CInt) -> [IPAddress] {
        var hints = addrinfo()
        hints.ai_family = family
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var found: [IPAddress] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ai_next
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let outcome = getnameinfo(
                entry.ai_addr, entry.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
            guard outcome == 0 else { continue }
            let plain = String(
                decoding: text.prefix { $0 != 0 && $0 != CChar(UInt8(ascii: "%")) }.map(UInt8.init), as: UTF8.self)
            if let address = IPAddress(plain), !found.contains(address) { found.append(address) }
        }
        return found
    }
}
