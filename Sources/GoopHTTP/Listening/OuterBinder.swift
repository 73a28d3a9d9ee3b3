import GoopCore
import HummingbirdCore
import Logging
import Multiformats
import NIOCore
import NIOPosix
import NIOSSL

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Makes the listening socket of the outer door, with TLS if the viewer itself encrypts.
struct OuterBinder: Sendable {
    let http: HTTP1Channel
    let registry: ConnectionRegistry
    let access: OuterAccess
    /// Nil: a proxy does the encryption.
    let tls: NIOSSLContext?
    let eventLoopGroup: any EventLoopGroup
    let logger: Logger

    /// Every address means both families at one port, where the system has them.
    func bind() async throws(ViewerListenError) -> ViewerListener {
        do {
            guard let ip = access.address.ip else {
                do { return try await bind(ip: "::") } catch let error as IOError
                    where Self.meansNoIPv6(error.errnoCode)
                {
                    return try await bind(ip: "0.0.0.0")
                }
            }
            return try await bind(ip: "\(ip)")
        } catch {
            throw ViewerListenError(port: access.address.port, reason: .outerAddress("\(error)"))
        }
    }

    private func bind(ip: String) async throws -> ViewerListener {
        let binder = self
        let socket: ViewerListener.Socket = try await ServerBootstrap(group: eventLoopGroup)
            .serverChannelOption(.backlog, value: 128)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .bind(to: SocketAddress(ipAddress: ip, port: access.address.port)) { channel in
                guard binder.registry.admit(channel, from: binder.countedAddress(of: channel)) else {
                    return channel.eventLoop.makeSucceededFuture(.turnedAway(channel))
                }
                return channel.eventLoop.makeCompletedFuture {
                    guard let tls = binder.tls else { return }
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
                }.flatMap {
                    binder.http.setup(channel: channel, logger: binder.logger).map { .http($0) }
                }
            }
        return ViewerListener(port: socket.channel.localAddress?.port ?? access.address.port, sockets: [socket])
    }

    /// A proxy stands for many.
    private func countedAddress(of channel: any Channel) -> IPAddress? {
        guard let ip = channel.remoteAddress.flatMap(OuterDoor.ip) else { return nil }
        if access.proxies.contains(where: { $0.contains(ip) }) { return nil }
        return ip
    }

    private static func meansNoIPv6(_ code: CInt) -> Bool {
        code == EADDRNOTAVAIL || code == EAFNOSUPPORT || code == EPROTONOSUPPORT
    }

    /// Reads certificate and key; nil if a proxy encrypts.
    /// - Throws: `ViewerListenError` if a file is not there, is not PEM, the key is open to every user, or the two do not
    ///   belong together.
    static func context(of access: OuterAccess) throws(ViewerListenError) -> NIOSSLContext? {
        guard access.isEncrypted else { return nil }
        do {
            var status = stat()
            guard stat(access.key, &status) == 0 else { throw CertificateFault("\(access.key) cannot be read") }
            guard status.st_mode & 0o007 == 0 else {
                throw CertificateFault("\(access.key) is open to every user of this computer; chmod 600 closes it")
            }
            let chain = try NIOSSLCertificate.fromPEMFile(access.certificate)
            guard !chain.isEmpty else { throw CertificateFault("\(access.certificate) holds no certificate") }
            let key = try NIOSSLPrivateKey(file: access.key, format: .pem)
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
            configuration.minimumTLSVersion = .tlsv12
            configuration.applicationProtocols = ["http/1.1"]
            return try NIOSSLContext(configuration: configuration)
        } catch {
            let text = (error as? CertificateFault)?.text ?? "\(access.certificate), \(access.key): \(error)"
            throw ViewerListenError(port: access.address.port, reason: .certificate(String(text.prefix(400))))
        }
    }

    private struct CertificateFault: Error {
        let text: String
        init(_ text: String) { self.text = text }
    }
}
