import Crypto
import Multiformats
import PeerIdentity

/// What libp2p puts into the second and third handshake message.
///
/// Wire shape: protobuf with 1 identity key (bytes), 2 its signature (bytes), 4 extensions; extensions hold 2 the names of
/// the muxers (repeated string). Unknown fields are skipped.
///
/// Source: libp2p specifications, noise/README.md, section "The libp2p Handshake Payload".
struct NoisePayload: Sendable, Equatable {
    static let signaturePrefix = Array("noise-libp2p-static-key:".utf8)
    /// Longer muxer lists are ignored, as go-libp2p does.
    static let maximumMuxers = 100

    var identityKey: [UInt8]
    var signature: [UInt8]
    var muxers: [ProtocolID]

    init(identity: PrivateKey, staticKey: [UInt8], muxers: [ProtocolID]) throws(NoiseError) {
        identityKey = identity.publicKey.protobuf
        do {
            signature = try identity.sign(Self.signaturePrefix + staticKey)
        } catch {
            throw .identityKey(error)
        }
        self.muxers = muxers
    }

    /// What a key that is signed already says.
    init(_ signed: SignedNoiseKey, muxers: [ProtocolID]) {
        identityKey = signed.identityKey
        signature = signed.signature
        self.muxers = muxers
    }

    init(protobuf bytes: [UInt8]) throws(NoiseError) {
        var identityKey: [UInt8]?
        var signature: [UInt8]?
        var muxers: [ProtocolID] = []
        do {
            var reader = ProtobufReader(bytes)
            while let field = try reader.next() {
                switch field.number {
                case 1: identityKey = field.bytes.map(Array.init)
                case 2: signature = field.bytes.map(Array.init)
                case 4:
                    var extensions = ProtobufReader(field.bytes ?? [])
                    while let field = try extensions.next() {
                        guard field.number == 2, let name = field.string else { continue }
                        muxers.append(ProtocolID(name))
                    }
                default: continue
                }
            }
        } catch {
            throw .malformedPayload
        }
        guard let identityKey, let signature else { throw .malformedPayload }
        self.identityKey = identityKey
        self.signature = signature
        self.muxers = muxers.count <= Self.maximumMuxers ? muxers : []
    }

    var protobuf: [UInt8] {
        var writer = ProtobufWriter()
        writer.append(1, bytes: identityKey)
        writer.append(2, bytes: signature)
        if !muxers.isEmpty {
            var extensions = ProtobufWriter()
            for muxer in muxers { extensions.append(2, string: muxer.name) }
            writer.append(4, message: extensions)
        }
        return writer.bytes
    }

    /// Checks that the identity key signed `staticKey`, and gives that key.
    func verifiedKey(signing staticKey: [UInt8]) throws(NoiseError) -> PublicKey {
        do throws(KeyError) {
            let key = try PublicKey(protobuf: identityKey)
            if try key.verify(signature, over: Self.signaturePrefix + staticKey) { return key }
        } catch {
            throw .identityKey(error)
        }
        throw .signatureMismatch
    }
}
