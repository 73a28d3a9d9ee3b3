import Glibc

/// `unix:PATH` or `tcp:PORT` on loopback.
enum RelayEnd {
    case unix(String)
    case tcp(UInt16)

    init?(_ text: String) {
        if text.hasPrefix("unix:") {
            self = .unix(String(text.dropFirst(5)))
        } else if text.hasPrefix("tcp:"), let port = UInt16(text.dropFirst(4)) {
            self = .tcp(port)
        } else {
            return nil
        }
    }

    /// A socket bound to this end, or connected to it.
    func open(_ call: String, _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32) throws -> Int32 {
        var on: Int32 = 1
        switch self {
        case .unix(let path):
            let descriptor = try check("socket", socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0))
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
            let result = withUnsafePointer(to: address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            try check(call, result)
            return descriptor
        case .tcp(let port):
            let descriptor = try check("socket", socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, 4)
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            let result = withUnsafePointer(to: address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            try check(call, result)
            return descriptor
        }
    }
}

/// The least that a daemon could do: one loop that reads from one socket and writes to the other, without a protocol.
///
/// What a benchmark measures through two of these is the floor of its driver and of the kernel.
struct Relay {
    let from: RelayEnd
    let to: RelayEnd

    func run() throws {
        if case .unix(let path) = from { unlink(path) }
        let listener = try from.open("bind", bind)
        try check("listen", listen(listener, 128))
        print("ready")
        fflush(nil)
        let size = 256 * 1024
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
        var others: [Int32: Int32] = [:]
        var watched = [listener, 0].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        while true {
            poll(&watched, nfds_t(watched.count), -1)
            var gone: Set<Int32> = []
            var new: [Int32] = []
            for descriptor in watched.filter({ $0.revents != 0 }).map(\.fd) where !gone.contains(descriptor) {
                if descriptor == 0 { return }
                if descriptor == listener {
                    let accepted = try check("accept", accept(listener, nil, nil))
                    var on: Int32 = 1
                    setsockopt(accepted, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4)
                    let onward = try to.open("connect", connect)
                    (others[accepted], others[onward]) = (onward, accepted)
                    new += [accepted, onward]
                } else if let other = others[descriptor] {
                    let length = read(descriptor, buffer, size)
                    var written = 0
                    while written < length {
                        let more = write(other, buffer + written, length - written)
                        guard more > 0 else { break }
                        written += more
                    }
                    guard length <= 0 else { continue }
                    close(descriptor)
                    close(other)
                    (others[descriptor], others[other]) = (nil, nil)
                    gone.formUnion([descriptor, other])
                }
            }
            if !gone.isEmpty { watched.removeAll { gone.contains($0.fd) } }
            watched += new.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        }
    }
}
