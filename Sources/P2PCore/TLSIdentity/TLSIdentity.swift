import Crypto
public import PeerIdentity
import SwiftASN1
import X509

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A self-signed certificate that proves our identity in a TLS handshake, and its key.
///
/// The certificate's key is a fresh P-256 key, unrelated to the identity. One value may serve all connections of a process.
///
/// Source: libp2p specifications, tls/tls.md, section "Peer Authentication".
public struct TLSIdentity: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The certificate in DER.
    public let certificate: [UInt8]
    /// The certificate's private key, PKCS #8 in DER. A secret.
    public let privateKey: [UInt8]

    /// Makes a certificate that is valid from an hour before `now`, for clocks that differ, to a hundred years after it.
    ///
    /// - Parameters:
    ///   - identity: signs the certificate's key.
    ///   - now: seconds since the UNIX epoch.
    ///   - generator: source of the key and of the serial number; must be a cryptographic one outside of tests.
    /// - Throws: `TLSIdentityError.identityKey` or `.creationFailed`.
    public init(
        identity: PrivateKey, now: Int64, using generator: inout some RandomNumberGenerator
    ) throws(TLSIdentityError) {
        let key = try Self.drawKey(&generator)
        let wrapped = Certificate.PrivateKey(key)
        let signed = try SignedKey(
            identity: identity, subjectPublicKeyInfo: wrapped.publicKey.subjectPublicKeyInfo())
        let value = try signed.der()
        do {
            let name = try DistinguishedName { CommonName("libp2p") }
            let made = try Certificate(
                version: .v3,
                serialNumber: Certificate.SerialNumber(generator.next() >> 2 | 1),
                publicKey: wrapped.publicKey,
                notValidBefore: Date(timeIntervalSince1970: Double(now) - 3600),
                notValidAfter: Date(timeIntervalSince1970: Double(now) + 100 * 365 * 86400),
                issuer: name, subject: name,
                signatureAlgorithm: .ecdsaWithSHA256,
                extensions: Certificate.Extensions([
                    Certificate.Extension(oid: SignedKey.objectIdentifier, critical: false, value: value[...])
                ]),
                issuerPrivateKey: wrapped)
            var serializer = DER.Serializer()
            try serializer.serialize(made)
            certificate = serializer.serializedBytes
            privateKey = Array(key.derRepresentation)
        } catch {
            throw .creationFailed
        }
    }

    private static func drawKey(
        _ generator: inout some RandomNumberGenerator
    ) throws(TLSIdentityError) -> P256.Signing.PrivateKey {
        // A random scalar is out of range once in 2^32 draws.
        for _ in 0..<8 {
            var bytes: [UInt8] = []
            while bytes.count < 32 {
                withUnsafeBytes(of: generator.next()) { bytes.append(contentsOf: $0) }
            }
            if let key = try? P256.Signing.PrivateKey(rawRepresentation: bytes) { return key }
        }
        throw .creationFailed
    }

    /// Names the type only: keys never reach a log.
    public var description: String { "TLSIdentity(redacted)" }
    /// Names the type only: keys never reach a log.
    public var debugDescription: String { description }
    /// Shows no members: keys never reach a log.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
