public import PeerIdentity

/// Why a TLS certificate was refused, or could not be made. Every case is fatal to the connection.
public enum TLSIdentityError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The peer sent `count` certificates where exactly one is allowed.
    case certificateCount(Int)
    /// The certificate of `size` bytes passes `limit`.
    case tooLarge(size: Int, limit: Int)
    /// The certificate is no X.509 certificate in DER, or uses a key that TLS 1.3 has no use for.
    case malformedCertificate
    /// The certificate is valid only from a later time on.
    case notYetValid
    /// The certificate is no longer valid.
    case expired
    /// The certificate is signed with a hash shorter than 256 bits, or has an RSA key of less than 2048 bits.
    case weakSignature
    /// The certificate was not signed by its own key.
    case selfSignatureMismatch
    /// A critical extension that we do not know, by its object identifier.
    case unknownCriticalExtension(String)
    /// The certificate lacks the extension that names the identity.
    case missingExtension
    /// The extension that names the identity cannot be read.
    case malformedExtension
    /// The identity key in the extension cannot be used.
    case identityKey(KeyError)
    /// The identity key did not sign the key of the certificate.
    case signatureMismatch
    /// The peer proved an identity other than the one that was dialed.
    case wrongPeer(expected: PeerID, actual: PeerID)
    /// Our own certificate could not be made.
    case creationFailed

    /// For people and logs.
    public var description: String {
        switch self {
        case .certificateCount(let count): "\(count) certificates, where exactly one is allowed"
        case .tooLarge(let size, let limit): "a certificate of \(size) bytes, beyond \(limit)"
        case .malformedCertificate: "the certificate cannot be read, or its key is of no use in TLS 1.3"
        case .notYetValid: "the certificate is not valid yet; compare the clocks of both machines"
        case .expired: "the certificate has expired; compare the clocks of both machines"
        case .weakSignature: "the certificate has a hash of less than 256 bits, or an RSA key of less than 2048"
        case .selfSignatureMismatch: "the certificate was not signed by its own key"
        case .unknownCriticalExtension(let oid): "the certificate has an unknown critical extension, \(oid)"
        case .missingExtension: "the certificate lacks the extension that names the identity"
        case .malformedExtension: "the certificate's extension that names the identity cannot be read"
        case .identityKey(let error): "the identity key cannot be used: \(error)"
        case .signatureMismatch: "the identity key did not sign the key of the certificate"
        case .wrongPeer(let expected, let actual): "the peer is \(actual), dialled was \(expected)"
        case .creationFailed: "our own certificate could not be made"
        }
    }
}
