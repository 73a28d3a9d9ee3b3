public import PeerIdentity

/// Turns a fresh connection into a secured and multiplexed one: choice of security, handshake, choice of muxer.
///
/// A value without I/O: feed it what the socket delivers, in pieces of any size, and execute the actions in order. It
/// never loses bytes: what belongs to the next layer comes back in the result.
///
/// Round trips, counted from the open socket, until the initiator's first application byte is under way:
/// two (security choice, then handshake), or one if `assumeSecurity` names Noise or TLS; with an early muxer choice in all
/// cases.
/// A peer that lists no muxer in its handshake costs one more.
///
/// Bounds: a multistream message has 1024 bytes, a handshake frame 16 KiB, a negotiation 100 proposals; buffers never
/// hold more than one frame plus the latest input. The time limit is the caller's.
///
/// Source: libp2p specifications, connections/README.md, noise/README.md, tls/tls.md, and connections/inlined-muxer.
public struct ConnectionUpgrade: Sendable {
    /// What both sides of an upgrade need to know.
    public struct Configuration: Sendable {
        /// Our identity.
        public var identity: PrivateKey
        /// The only peer accepted, or nil to accept any that proves an identity.
        public var expectedPeer: PeerID?
        /// Security protocols, best first. Known are `/noise` and `/tls/1.0.0`.
        public var security: [ProtocolID]
        /// Muxers, best first.
        public var muxers: [ProtocolID]
        /// Initiator only: a security protocol the peer is known to speak, `/noise` or `/tls/1.0.0`. Its first handshake
        /// message goes out together with the proposal, which saves a round trip. If the peer turns out not to speak it, the
        /// upgrade fails, mostly with `UpgradeError.assumptionRefused`: dial again without. Values that are not in `security`
        /// are ignored.
        public var assumeSecurity: ProtocolID?

        /// Creates a configuration for Noise and yamux, the pair every peer has.
        public init(
            identity: PrivateKey, expectedPeer: PeerID? = nil, security: [ProtocolID] = [NoiseHandshake.protocolID],
            muxers: [ProtocolID] = ["/yamux/1.0.0"], assumeSecurity: ProtocolID? = nil
        ) {
            self.identity = identity
            self.expectedPeer = expectedPeer
            self.security = security
            self.muxers = muxers
            self.assumeSecurity = assumeSecurity
        }
    }

    /// What the owner of the socket has to do.
    public enum Action: Sendable {
        /// Write these bytes to the socket, or into the TLS layer once that was started.
        case send([UInt8])
        /// Put a TLS layer on the connection, in the same role, and feed it `leftover` first: bytes that came behind the
        /// last negotiation message. Then report `tlsEstablished`.
        case startTLS(leftover: [UInt8])
        /// Put a TLS layer on the connection as the client, with the presumption between it and the socket. Then report
        /// `tlsEstablished`.
        case presumeTLS(TLSPresumption)
        /// The connection is ready. No further actions follow.
        case finished(Result)
        /// The connection must be closed. No further actions follow.
        case failed(UpgradeError)
    }

    /// The upgraded connection.
    public struct Result: Sendable {
        /// The peer, proved.
        public let peer: PeerID
        /// The peer's identity key.
        public let peerKey: PublicKey
        /// The security protocol in use.
        public let security: ProtocolID
        /// The muxer in use.
        public let muxer: ProtocolID
        /// The ciphers that seal and open from here on, or nil over TLS.
        public let noise: NoiseSession?
        /// Bytes received behind the handshake as they came off the socket: sealed frames, perhaps an incomplete last one.
        /// Empty over TLS.
        public let leftover: [UInt8]
        /// Opened bytes that belong to the muxer; they come before those in `leftover`.
        public let plaintextLeftover: [UInt8]
    }

    /// The name of the TLS security protocol.
    public static let tlsProtocolID: ProtocolID = "/tls/1.0.0"
    /// The TLS application protocol that leaves the muxer to multistream.
    public static let tlsFallbackApplicationProtocol = "libp2p"

    private enum Phase {
        case idle
        case proposingSecurity(MultistreamInitiator, assumed: NoiseHandshake?)
        case answeringSecurity(MultistreamResponder)
        case handshaking(NoiseHandshake)
        case awaitingTLS
        case choosingMuxer(MuxerChoice)
        case over
    }

    private let role: ConnectionRole
    private let configuration: Configuration
    private let keys: NoiseKeys
    private let earlyMuxers: [ProtocolID]
    private var phase = Phase.idle

    /// Prepares an upgrade.
    ///
    /// - Parameters:
    ///   - role: who dialed.
    ///   - configuration: identity, expectation, and what we offer.
    ///   - keys: this connection's own X25519 keys, used if Noise is chosen.
    public init(role: ConnectionRole, configuration: Configuration, keys: NoiseKeys) {
        self.init(role: role, configuration: configuration, keys: keys, offersEarlyMuxer: true)
    }

    /// With `offersEarlyMuxer` false, plays a peer that knows no early muxer choice.
    init(role: ConnectionRole, configuration: Configuration, keys: NoiseKeys, offersEarlyMuxer: Bool) {
        self.role = role
        self.configuration = configuration
        self.keys = keys
        earlyMuxers = offersEarlyMuxer ? configuration.muxers : []
    }

    /// Whether the result was given or the upgrade failed.
    public var isOver: Bool {
        if case .over = phase { true } else { false }
    }

    /// Begins. Call once, when the socket is open; later calls give nothing.
    public mutating func start() -> [Action] {
        guard case .idle = phase else { return [] }
        var actions: [Action] = []
        run(&actions) { upgrade, actions throws(UpgradeError) in
            switch upgrade.role {
            case .initiator: try upgrade.propose(&actions)
            case .responder:
                // Our header goes out with the first answer: the initiator has to speak first anyway, and is woken once.
                upgrade.phase = .answeringSecurity(
                    MultistreamResponder(supported: Set(upgrade.configuration.security)))
            }
        }
        return actions
    }

    /// Takes bytes off the socket, or out of the TLS layer once that was started. Begins if `start` was not called.
    public mutating func received(_ bytes: ArraySlice<UInt8>) -> [Action] {
        var actions = start()
        guard !bytes.isEmpty else { return actions }
        run(&actions) { upgrade, actions throws(UpgradeError) in try upgrade.process(bytes, &actions) }
        return actions
    }

    /// Reports that the TLS layer finished its handshake with a peer whose certificate was verified.
    ///
    /// - Parameters:
    ///   - key: the identity key from the peer's certificate.
    ///   - applicationProtocol: what ALPN chose, or nil if nothing.
    public mutating func tlsEstablished(peerKey key: PublicKey, applicationProtocol: String?) -> [Action] {
        var actions: [Action] = []
        guard case .awaitingTLS = phase else { return actions }
        run(&actions) { upgrade, actions throws(UpgradeError) in
            try upgrade.beginMuxer(key, applicationProtocol, &actions)
        }
        return actions
    }

    private mutating func run(
        _ actions: inout [Action], _ body: (inout Self, inout [Action]) throws(UpgradeError) -> Void
    ) {
        do throws(UpgradeError) {
            try body(&self, &actions)
        } catch {
            phase = .over
            actions.append(.failed(error))
        }
    }

    private mutating func process(_ bytes: ArraySlice<UInt8>, _ actions: inout [Action]) throws(UpgradeError) {
        switch phase {
        case .proposingSecurity(var initiator, let assumed):
            let step = initiator.received(bytes)
            phase = .proposingSecurity(initiator, assumed: assumed)
            try securityStep(step, assumed: assumed, &actions)
        case .answeringSecurity(var responder):
            let step = responder.received(bytes)
            phase = .answeringSecurity(responder)
            try securityStep(step, assumed: nil, &actions)
        case .handshaking(let handshake):
            try advance(handshake, bytes, &actions)
        case .choosingMuxer(let choice):
            try advance(choice, bytes, &actions)
        case .idle, .awaitingTLS, .over:
            return
        }
    }

    // MARK: Security

    private mutating func propose(_ actions: inout [Action]) throws(UpgradeError) {
        if configuration.assumeSecurity == Self.tlsProtocolID, configuration.security.contains(Self.tlsProtocolID) {
            phase = .awaitingTLS
            return actions.append(.presumeTLS(TLSPresumption()))
        }
        let noise = NoiseHandshake.protocolID
        guard configuration.assumeSecurity == noise, configuration.security.contains(noise) else {
            var initiator = MultistreamInitiator(candidates: configuration.security)
            let step = initiator.start()
            phase = .proposingSecurity(initiator, assumed: nil)
            return try securityStep(step, assumed: nil, &actions)
        }
        var initiator = MultistreamInitiator(lazily: noise)
        var bytes = initiator.start().send
        do {
            var handshake = try makeHandshake()
            bytes += try handshake.start()
            phase = .proposingSecurity(initiator, assumed: handshake)
        } catch {
            throw .noise(error)
        }
        actions.append(.send(bytes))
    }

    private mutating func securityStep(
        _ step: MultistreamStep, assumed: NoiseHandshake?, _ actions: inout [Action]
    ) throws(UpgradeError) {
        if !step.send.isEmpty { actions.append(.send(step.send)) }
        switch step.outcome {
        case nil: return
        case .failed(.refused) where assumed != nil: throw .assumptionRefused(NoiseHandshake.protocolID)
        case .failed(let error): throw .securityNegotiation(error)
        case .agreed(NoiseHandshake.protocolID, let leftover):
            var handshake: NoiseHandshake
            do throws(NoiseError) {
                if let assumed { handshake = assumed } else { handshake = try makeHandshake() }
                let first = try handshake.start()
                if !first.isEmpty { actions.append(.send(first)) }
            } catch {
                throw .noise(error)
            }
            try advance(handshake, leftover[...], &actions)
        case .agreed(Self.tlsProtocolID, let leftover):
            phase = .awaitingTLS
            actions.append(.startTLS(leftover: leftover))
        case .agreed(let other, _): throw .unsupportedSecurity(other)
        }
    }

    private func makeHandshake() throws(NoiseError) -> NoiseHandshake {
        try NoiseHandshake(
            role: role, identity: configuration.identity, expectedPeer: configuration.expectedPeer,
            muxers: earlyMuxers, keys: keys)
    }

    private mutating func advance(
        _ handshake: NoiseHandshake, _ bytes: ArraySlice<UInt8>, _ actions: inout [Action]
    ) throws(UpgradeError) {
        var handshake = handshake
        let step: NoiseHandshake.Step
        do {
            step = try handshake.received(bytes)
        } catch {
            throw .noise(error)
        }
        phase = .handshaking(handshake)
        if !step.send.isEmpty { actions.append(.send(step.send)) }
        guard let (session, leftover) = step.session else { return }
        if let muxer = session.muxer {
            finish(
                Result(
                    peer: session.peer, peerKey: session.peerKey, security: NoiseHandshake.protocolID, muxer: muxer,
                    noise: session, leftover: leftover, plaintextLeftover: []), &actions)
            return
        }
        var choice = MuxerChoice(role: role, muxers: configuration.muxers, noise: session)
        let first = try choice.start()
        if !first.isEmpty { actions.append(.send(first)) }
        try advance(choice, leftover[...], &actions)
    }

    // MARK: Muxer

    private mutating func beginMuxer(
        _ key: PublicKey, _ applicationProtocol: String?, _ actions: inout [Action]
    ) throws(UpgradeError) {
        let peer = key.peerID
        if let expected = configuration.expectedPeer, expected != peer {
            throw .tls(.wrongPeer(expected: expected, actual: peer))
        }
        if let muxer = configuration.muxers.first(where: { $0.name == applicationProtocol }) {
            finish(
                Result(
                    peer: peer, peerKey: key, security: Self.tlsProtocolID, muxer: muxer, noise: nil, leftover: [],
                    plaintextLeftover: []), &actions)
            return
        }
        guard applicationProtocol == Self.tlsFallbackApplicationProtocol else {
            throw .unexpectedApplicationProtocol(applicationProtocol.map { String($0.prefix(64)) })
        }
        var choice = MuxerChoice(role: role, muxers: configuration.muxers, tlsPeer: (peer, key))
        let first = try choice.start()
        if !first.isEmpty { actions.append(.send(first)) }
        phase = .choosingMuxer(choice)
    }

    private mutating func advance(
        _ choice: MuxerChoice, _ bytes: ArraySlice<UInt8>, _ actions: inout [Action]
    ) throws(UpgradeError) {
        var choice = choice
        let (send, result) = try choice.received(bytes)
        phase = .choosingMuxer(choice)
        if !send.isEmpty { actions.append(.send(send)) }
        if let result { finish(result, &actions) }
    }

    private mutating func finish(_ result: Result, _ actions: inout [Action]) {
        phase = .over
        actions.append(.finished(result))
    }
}
