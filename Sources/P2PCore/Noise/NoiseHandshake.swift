public import PeerIdentity

/// The secured channel that a handshake leads to.
public struct NoiseSession: Sendable {
    /// Seals what we send.
    public var sender: NoiseCipher
    /// Opens what we receive.
    public var receiver: NoiseCipher
    /// The peer, proved by its signature.
    public let peer: PeerID
    /// The peer's identity key.
    public let peerKey: PublicKey
    /// The muxer that both sides named in their payloads, or nil if it has to be negotiated. If set, no multistream round
    /// follows: the first sealed frame belongs to the muxer.
    public let muxer: ProtocolID?
    /// Unique to this handshake and equal on both sides: by it tests see that both went through the same one.
    public let handshakeHash: [UInt8]
}

/// The libp2p Noise handshake of one side, from the first frame to the session.
///
/// Wire shape of a frame: 16-bit big-endian length, then a Noise message. The initiator sends frames 1 and 3, the
/// responder frame 2; after its last frame each side may send sealed frames at once.
///
/// Bounds: a handshake frame of the peer has at most `maximumFrameBytes`; larger ones are refused by their length field.
/// Time limits are the caller's.
///
/// Source: libp2p specifications, noise/README.md, and the Noise protocol framework revision 34.
public struct NoiseHandshake: Sendable {
    /// The name under which this protocol is negotiated.
    public static let protocolID: ProtocolID = "/noise"
    /// The longest handshake message we accept. Real ones stay below 700 bytes, or 1.5 KiB with RSA keys.
    public static let maximumFrameBytes = 16 * 1024
    /// Bytes of the length field in front of every frame.
    public static let lengthPrefix = 2

    /// What to do after bytes were received.
    public struct Step: Sendable {
        /// Whole frames to send now.
        public var send: [UInt8] = []
        /// Set once the peer is proved. `leftover` holds bytes received behind the peer's last handshake frame: sealed
        /// frames as they came off the wire.
        public var session: (NoiseSession, leftover: [UInt8])?
    }

    private let role: ConnectionRole
    private let expectedPeer: PeerID?
    private let muxers: [ProtocolID]
    private let identity: PrivateKey
    private let signed: SignedNoiseKey?
    private var pattern: NoisePattern
    private var buffer = NoiseFrameBuffer()
    private var isOver = false
    private var hasStarted = false

    /// Prepares a handshake.
    ///
    /// - Parameters:
    ///   - role: who dialed.
    ///   - identity: signs our static key.
    ///   - expectedPeer: the only identity accepted, or nil to accept any proved one.
    ///   - muxers: names for the early muxer choice in order of preference; empty to leave the choice to multistream.
    ///   - keys: this connection's X25519 keys. A static key that another identity has signed is signed anew.
    /// - Throws: `NoiseError.invalidOwnKey`.
    public init(
        role: ConnectionRole, identity: PrivateKey, expectedPeer: PeerID?, muxers: [ProtocolID], keys: NoiseKeys
    ) throws(NoiseError) {
        self.role = role
        self.identity = identity
        self.expectedPeer = expectedPeer
        self.muxers = muxers
        signed = keys.signed.flatMap { $0.identity == identity.peerID ? $0 : nil }
        pattern = try NoisePattern(role: role, keys: keys)
    }

    /// The initiator's first frame; nothing for a responder, and nothing when called again.
    public mutating func start() throws(NoiseError) -> [UInt8] {
        guard role == .initiator, !hasStarted else { return [] }
        hasStarted = true
        return try frame(pattern.write([]))
    }

    /// Takes bytes from the peer, in pieces of any size.
    ///
    /// - Throws: any `NoiseError`; the handshake is over then and the connection must be closed.
    public mutating func received(_ bytes: ArraySlice<UInt8>) throws(NoiseError) -> Step {
        var step = Step()
        guard !isOver else { return step }
        buffer.append(bytes)
        do throws(NoiseError) {
            while step.session == nil, let message = try buffer.next(limit: Self.maximumFrameBytes) {
                try process(message, into: &step)
            }
        } catch {
            isOver = true
            buffer = NoiseFrameBuffer()
            throw error
        }
        return step
    }

    private mutating func process(_ message: ArraySlice<UInt8>, into step: inout Step) throws(NoiseError) {
        let bytes = try pattern.read(message)
        if pattern.peerStatic == nil {
            // Message 1 carries no payload in libp2p; what an initiator puts there is unauthenticated and is ignored.
            step.send += try frame(pattern.write(ownPayload()))
            return
        }
        let payload = try NoisePayload(protobuf: bytes)
        let key = try payload.verifiedKey(signing: pattern.peerStaticBytes)
        let peer = key.peerID
        if let expectedPeer, expectedPeer != peer { throw .wrongPeer(expected: expectedPeer, actual: peer) }
        if role == .initiator { step.send += try frame(pattern.write(ownPayload())) }
        let ciphers = try pattern.split()
        let session = NoiseSession(
            sender: ciphers.sender, receiver: ciphers.receiver, peer: peer, peerKey: key,
            muxer: chosenMuxer(peerMuxers: payload.muxers), handshakeHash: pattern.handshakeHash)
        isOver = true
        step.session = (session, leftover: buffer.rest)
        buffer = NoiseFrameBuffer()
    }

    /// The first muxer of the initiator's list that the responder has too.
    private func chosenMuxer(peerMuxers: [ProtocolID]) -> ProtocolID? {
        switch role {
        case .initiator: muxers.first { peerMuxers.contains($0) }
        case .responder: peerMuxers.first { muxers.contains($0) }
        }
    }

    private func ownPayload() throws(NoiseError) -> [UInt8] {
        if let signed { return NoisePayload(signed, muxers: muxers).protobuf }
        return try NoisePayload(identity: identity, staticKey: pattern.ownStatic, muxers: muxers).protobuf
    }

    private func frame(_ message: [UInt8]) throws(NoiseError) -> [UInt8] {
        guard let size = UInt16(exactly: message.count) else {
            throw .messageTooLarge(size: message.count, limit: NoiseCipher.maximumMessage)
        }
        return [UInt8(size >> 8), UInt8(truncatingIfNeeded: size)] + message
    }
}
