import NIOConcurrencyHelpers
public import NIOCore
import NIOSSL
public import P2PCore
public import PeerIdentity

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// TLS 1.3 as libp2p uses it: a self-signed certificate on both sides, judged by us alone, the muxer chosen by ALPN.
///
/// One value serves all connections of a process with one certificate. The contexts of the TLS library are made once for
/// each list of muxers and kept.
///
/// Safe to use from any thread.
public final class TLSLayer: TLSProvider {
    /// How many lists of muxers have their contexts kept; further lists make theirs anew for each connection.
    static let maximumContexts = 8

    /// What we offer when we dial. When we are dialled, the hybrid of X25519 and ML-KEM comes before them, for those who ask for it:
    /// docs/decisions/0006 says why we do not.
    private static let classicalGroups: [NIOTLSCurve] = [.x25519, .secp256r1, .secp384r1]

    private struct Contexts {
        let client: NIOSSLContext
        let server: NIOSSLContext
    }

    private let certificate: NIOSSLCertificate
    private let privateKey: NIOSSLPrivateKey
    private let now: @Sendable () -> Int64
    private let contexts = NIOLockedValueBox<[[ProtocolID]: Contexts]>([:])

    /// How many lists of muxers have their contexts kept now.
    var keptContexts: Int { contexts.withLockedValue { $0.count } }

    /// Makes a layer around a certificate.
    ///
    /// - Parameters:
    ///   - identity: our certificate and its key.
    ///   - muxers: a list whose contexts are made now, so that the first connection need not wait for them.
    ///   - now: seconds since the UNIX epoch, to judge the peers' certificates by; nil for the system's clock.
    /// - Throws: when the TLS library refuses the certificate or the key.
    public init(identity: TLSIdentity, muxers: [ProtocolID]? = nil, now: (@Sendable () -> Int64)? = nil) throws {
        certificate = try NIOSSLCertificate(bytes: identity.certificate, format: .der)
        privateKey = try NIOSSLPrivateKey(bytes: identity.privateKey, format: .der)
        self.now = now ?? Self.systemTime
        if let muxers { _ = try contexts(for: muxers) }
    }

    /// Makes a layer with a fresh certificate for `identity`.
    public convenience init(identity: PrivateKey, muxers: [ProtocolID]? = nil) throws {
        var generator = SystemRandomNumberGenerator()
        let made = try TLSIdentity(identity: identity, now: Self.systemTime(), using: &generator)
        try self.init(identity: made, muxers: muxers)
    }

    /// Adds the TLS handlers in front of everything in `pipeline`; if the channel is active, a client sends its first
    /// message at once.
    ///
    /// A refused certificate is fired on as `UpgradeError.tls`, other failures as the TLS library's own errors; the channel
    /// is closed by the TLS library in both cases.
    ///
    /// - Parameters:
    ///   - pipeline: the channel's, used on its event loop.
    ///   - role: `.initiator` is the TLS client.
    ///   - expectedPeer: the only identity to accept, or nil for any that proves one.
    ///   - muxers: what ALPN offers before `libp2p`, best first.
    ///   - presumption: for a client whose peer has not agreed to TLS yet; it goes between the layer and the socket.
    ///   - established: called once, on the event loop, before any opened byte is fired on.
    public func addHandlers(
        to pipeline: ChannelPipeline.SynchronousOperations, role: ConnectionRole, expectedPeer: PeerID?,
        muxers: [ProtocolID], presumption: TLSPresumption? = nil, established: @escaping (TLSEstablished) -> Void
    ) throws {
        let contexts = try contexts(for: muxers)
        let handshake = TLSHandshakeHandler(established: established)
        let verifier = TLSPeerVerifier(expectedPeer: expectedPeer)
        let verify: NIOSSLCustomVerificationCallback = { [now] chain, promise in
            do {
                let certificates = try chain.map { try $0.toDERBytes() }
                handshake.verified(try verifier.verify(certificates: certificates, now: now()))
                promise.succeed(.certificateVerified)
            } catch {
                handshake.refused(error)
                promise.succeed(.failed)
            }
        }
        try pipeline.addHandler(handshake, position: .first)
        var position = ChannelPipeline.SynchronousOperations.Position.first
        if let presumption {
            // In its place before the TLS handler, which writes as soon as it is added.
            let presumptionHandler = TLSPresumptionHandler(presumption)
            try pipeline.addHandler(presumptionHandler, position: .first)
            position = .after(presumptionHandler)
        }
        switch role {
        case .initiator:
            try pipeline.addHandler(
                NIOSSLClientHandler(
                    context: contexts.client, serverHostname: nil, customVerificationCallback: verify),
                position: position)
        case .responder:
            try pipeline.addHandler(
                NIOSSLServerHandler(context: contexts.server, customVerificationCallback: verify), position: position)
        }
    }

    @Sendable private static func systemTime() -> Int64 { Int64(time(nil)) }

    private func contexts(for muxers: [ProtocolID]) throws -> Contexts {
        if let known = contexts.withLockedValue({ $0[muxers] }) { return known }
        let made = Contexts(
            client: try NIOSSLContext(
                configuration: configure(.makeClientConfiguration(), muxers, groups: Self.classicalGroups)),
            server: try NIOSSLContext(
                configuration: configure(
                    .makeServerConfiguration(
                        certificateChain: [.certificate(certificate)], privateKey: .privateKey(privateKey)),
                    muxers, groups: [.x25519_MLKEM768] + Self.classicalGroups)))
        contexts.withLockedValue { contexts in
            if contexts.count < Self.maximumContexts { contexts[muxers] = made }
        }
        return made
    }

    private func configure(
        _ base: TLSConfiguration, _ muxers: [ProtocolID], groups: [NIOTLSCurve]
    ) -> TLSConfiguration {
        var configuration = base
        configuration.certificateChain = [.certificate(certificate)]
        configuration.privateKey = .privateKey(privateKey)
        configuration.minimumTLSVersion = .tlsv13
        // A server asks for a client certificate only if it verifies; the callback replaces what it would verify.
        configuration.certificateVerification = .noHostnameVerification
        // Without this the library reads the system's whole trust store for every context.
        configuration.trustRoots = .certificates([])
        configuration.verifySignatureAlgorithms = [
            .ecdsaSecp256R1Sha256, .ed25519, .ecdsaSecp384R1Sha384, .ecdsaSecp521R1Sha512, .rsaPssRsaeSha256,
            .rsaPssRsaeSha384, .rsaPssRsaeSha512,
        ]
        configuration.curves = groups
        configuration.applicationProtocols =
            muxers.map(\.name) + [ConnectionUpgrade.tlsFallbackApplicationProtocol]
        configuration.shutdownTimeout = .seconds(1)
        return configuration
    }
}
