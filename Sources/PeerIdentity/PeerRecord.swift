public import Multiformats

/// What a peer says about its own addresses, at a point of its own history.
///
/// Wire shape: protobuf, 1 peer id (bytes), 2 sequence (varint), 3 repeated { 1 multiaddr (bytes) }; travels in a signed
/// envelope. Source: libp2p RFC 0003, "Peer Routing Records".
public struct PeerRecord: Hashable, Sendable {
    /// The domain of the envelope's signature.
    public static let domain = "libp2p-peer-record"
    /// The envelope's payload type.
    public static let payloadType: [UInt8] = [0x03, 0x01]
    /// The most addresses that are read; further ones are ignored.
    public static let maximumAddresses = 500

    /// Whose record it is.
    public let peer: PeerID
    /// Rises with every change; peers usually take UNIX nanoseconds. A record replaces those of a lower number only.
    public let sequence: UInt64
    /// The addresses, without `/p2p/…`.
    public let addresses: [Multiaddr]

    /// A record of these parts.
    public init(peer: PeerID, sequence: UInt64, addresses: [Multiaddr]) {
        self.peer = peer
        self.sequence = sequence
        self.addresses = addresses
    }

    /// Reads the payload. A malformed address costs only itself.
    public init(protobuf: some Collection<UInt8>) throws(EnvelopeError) {
        guard protobuf.count <= SignedEnvelope.maximumLength else {
            throw .tooLong(limit: SignedEnvelope.maximumLength)
        }
        var peer: ArraySlice<UInt8>?
        var sequence: UInt64 = 0
        var addresses: [Multiaddr] = []
        do {
            var reader = ProtobufReader(Array(protobuf))
            while let field = try reader.next() {
                switch field.number {
                case 1: peer = field.bytes ?? peer
                case 2: sequence = field.varint ?? sequence
                case 3 where addresses.count < Self.maximumAddresses:
                    if let address = try Self.address(in: field) { addresses.append(address) }
                default: continue
                }
            }
        } catch {
            throw .protobuf(error)
        }
        guard let peer else { throw .missingField(1) }
        do { self.peer = try PeerID(multihash: peer) } catch { throw .peerID(error) }
        self.sequence = sequence
        self.addresses = addresses
    }

    /// Checks an envelope's type and signature, reads the record, and checks that the signer speaks for itself.
    public init(verifying envelope: SignedEnvelope) throws(EnvelopeError) {
        guard envelope.payloadType == Self.payloadType else {
            throw .unexpectedPayloadType(Array(envelope.payloadType.prefix(16)))
        }
        try envelope.verify(domain: Self.domain)
        try self.init(protobuf: envelope.payload)
        let signer = envelope.publicKey.peerID
        guard signer == peer else { throw .wrongPeer(record: peer, signer: signer) }
    }

    /// The payload.
    public var protobuf: [UInt8] {
        var writer = ProtobufWriter()
        writer.append(1, bytes: peer.bytes)
        writer.append(2, varint: sequence)
        for address in addresses {
            var info = ProtobufWriter()
            info.append(1, bytes: address.bytes)
            writer.append(3, message: info)
        }
        return writer.bytes
    }

    /// The record in an envelope signed by its peer's key.
    public func sealed(with key: PrivateKey) throws(KeyError) -> SignedEnvelope {
        try SignedEnvelope.seal(payload: protobuf, type: Self.payloadType, domain: Self.domain, key: key)
    }

    private static func address(in field: ProtobufField) throws(ProtobufError) -> Multiaddr? {
        guard let message = field.bytes else { return nil }
        var reader = ProtobufReader(message)
        var bytes: ArraySlice<UInt8>?
        while let inner = try reader.next() {
            if inner.number == 1 { bytes = inner.bytes ?? bytes }
        }
        return bytes.flatMap { try? Multiaddr(bytes: $0) }
    }
}
