public import Multiformats

/// Why a signed envelope, or the record in it, was refused.
public enum EnvelopeError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Longer than is read, in bytes.
    case tooLong(limit: Int)
    /// The message is no protobuf.
    case protobuf(ProtobufError)
    /// A field is missing, or of the wrong wire type.
    case missingField(Int)
    /// The signer's key was refused, or cannot be used.
    case key(KeyError)
    /// The signature does not belong to key, domain, type and payload.
    case invalidSignature
    /// The payload is of another type.
    case unexpectedPayloadType([UInt8])
    /// The record names another peer than the one who signed it.
    case wrongPeer(record: PeerID, signer: PeerID)
    /// The peer id in the record is malformed.
    case peerID(PeerIDError)

    /// For people and logs.
    public var description: String {
        switch self {
        case .tooLong(let limit): "the signed record is longer than \(limit) bytes"
        case .protobuf(let error): "the signed record cannot be read: \(error)"
        case .missingField(let number): "the signed record lacks field \(number), or has it in another form"
        case .key(let error): "the signer's key cannot be used: \(error)"
        case .invalidSignature: "the signature belongs to another record, purpose or key"
        case .unexpectedPayloadType(let type):
            "the signed record is of another type: \(type.map { String($0, radix: 16) }.joined(separator: " "))"
        case .wrongPeer(let record, let signer): "the record is about \(record), and \(signer) signed it"
        case .peerID(let error): "the record names no peer: \(error)"
        }
    }
}

/// A payload with its type, the signer's key and a signature over a domain, the type and the payload.
///
/// Wire shape: protobuf, 1 public key (message), 2 payload type (bytes), 3 payload (bytes), 5 signature (bytes). The domain
/// does not travel: both sides must know it. Source: libp2p RFC 0002, "Signed Envelopes".
public struct SignedEnvelope: Hashable, Sendable {
    /// The longest envelope that is read, in bytes.
    public static let maximumLength = 65_536

    /// The signer's key.
    public let publicKey: PublicKey
    /// Tells what the payload is.
    public let payloadType: [UInt8]
    /// What was signed.
    public let payload: [UInt8]
    /// The signature.
    public let signature: [UInt8]

    /// Signs a payload.
    public static func seal(
        payload: [UInt8], type: [UInt8], domain: String, key: PrivateKey
    ) throws(KeyError) -> SignedEnvelope {
        let signature = try key.sign(signedBytes(domain: domain, type: type, payload: payload))
        return SignedEnvelope(
            publicKey: key.publicKey, payloadType: type, payload: payload, signature: signature)
    }

    private init(publicKey: PublicKey, payloadType: [UInt8], payload: [UInt8], signature: [UInt8]) {
        self.publicKey = publicKey
        self.payloadType = payloadType
        self.payload = payload
        self.signature = signature
    }

    /// Reads an envelope without checking the signature: call `verify(domain:)` before trusting it.
    public init(protobuf: some Collection<UInt8>) throws(EnvelopeError) {
        guard protobuf.count <= Self.maximumLength else { throw .tooLong(limit: Self.maximumLength) }
        var reader = ProtobufReader(Array(protobuf))
        var fields: [Int: ArraySlice<UInt8>] = [:]
        do {
            while let field = try reader.next() {
                if [1, 2, 3, 5].contains(field.number), let bytes = field.bytes { fields[field.number] = bytes }
            }
        } catch {
            throw .protobuf(error)
        }
        guard let key = fields[1] else { throw .missingField(1) }
        guard let signature = fields[5] else { throw .missingField(5) }
        do { publicKey = try PublicKey(protobuf: key) } catch { throw .key(error) }
        payloadType = Array(fields[2] ?? [])
        payload = Array(fields[3] ?? [])
        self.signature = Array(signature)
    }

    /// The wire form.
    public var protobuf: [UInt8] {
        var writer = ProtobufWriter()
        writer.append(1, bytes: publicKey.protobuf)
        writer.append(2, bytes: payloadType)
        writer.append(3, bytes: payload)
        writer.append(5, bytes: signature)
        return writer.bytes
    }

    /// Checks the signature for a domain.
    /// - Throws: `.invalidSignature`, or `.key` if the key's kind cannot be checked.
    public func verify(domain: String) throws(EnvelopeError) {
        let message = Self.signedBytes(domain: domain, type: payloadType, payload: payload)
        let isValid: Bool
        do { isValid = try publicKey.verify(signature, over: message) } catch { throw .key(error) }
        guard isValid else { throw .invalidSignature }
    }

    private static func signedBytes(domain: String, type: [UInt8], payload: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        for part in [Array(domain.utf8), type, payload] {
            Varint.append(UInt64(part.count), to: &bytes)
            bytes.append(contentsOf: part)
        }
        return bytes
    }
}
