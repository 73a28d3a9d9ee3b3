import Glibc
import NIOCore
import Synchronization

/// A TCP socket that listens, as long as this or one of its duplicates is open.
///
/// NIO gives a listening socket of its own making to one channel on one loop. This one can be given to several. It is closed at the
/// latest when nobody holds it any more.
final class ListeningSocket: Sendable {
    /// Strangers that the system keeps until we take them.
    private static let backlog: CInt = 1_024

    private let descriptor: CInt
    private let isClosed = Mutex(false)

    /// Binds and listens. The port may be shared with other sockets of this user (SO_REUSEADDR, SO_REUSEPORT); IPv6 sockets take IPv6
    /// only.
    ///
    /// - Throws: `IOError` of the system.
    init(boundTo address: SocketAddress) throws {
        let family = address.protocol == .inet6 ? AF_INET6 : AF_INET
        let descriptor = socket(family, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
        self.descriptor = descriptor
        try self.switchOn(SOL_SOCKET, SO_REUSEADDR)
        try self.switchOn(SOL_SOCKET, SO_REUSEPORT)
        if family == AF_INET6 { try self.switchOn(CInt(IPPROTO_IPV6), IPV6_V6ONLY) }
        try address.withSockAddr { pointer, size in
            guard bind(descriptor, pointer, socklen_t(size)) == 0 else {
                throw IOError(errnoCode: errno, reason: "bind")
            }
        }
        try self.listen()
    }

    deinit { self.close() }

    /// Leaves the socket to its duplicates; neither `listen` nor `duplicate` may follow.
    func close() {
        self.isClosed.withLock { isClosed in
            if !isClosed { _ = Glibc.close(self.descriptor) }
            isClosed = true
        }
    }

    /// Listens with our backlog. Also to be called when a channel has taken a duplicate, for that sets NIO's own, a shorter one.
    func listen() throws {
        guard Glibc.listen(self.descriptor, Self.backlog) == 0 else {
            throw IOError(errnoCode: errno, reason: "listen")
        }
    }

    /// Another descriptor of the same socket, the caller's to close.
    func duplicate() throws -> CInt {
        let copy = fcntl(self.descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw IOError(errnoCode: errno, reason: "fcntl") }
        return copy
    }

    private func switchOn(_ level: CInt, _ option: CInt) throws {
        var on: CInt = 1
        guard setsockopt(self.descriptor, level, option, &on, socklen_t(MemoryLayout<CInt>.size)) == 0 else {
            throw IOError(errnoCode: errno, reason: "setsockopt")
        }
    }
}
