public import PeerIdentity
import SwiftASN1
import X509

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Judges the certificates a peer shows in a TLS handshake.
///
/// Replaces the checks of the TLS library, which know nothing of self-signed peers: no trust roots, no host names. That
/// the peer holds the certificate's private key is checked by the handshake itself.
///
/// Source: libp2p specifications, tls/tls.md, section "Peer Authentication".
public struct TLSPeerVerifier: Sendable {
    /// The longest certificate we read, in bytes. With an RSA identity of 8192 bits one has about 3 KiB.
    public static let maximumCertificateBytes = 16 * 1024

    /// The only identity accepted, or nil to accept any proved one.
    public var expectedPeer: PeerID?

    /// Creates a verifier.
    public init(expectedPeer: PeerID?) {
        self.expectedPeer = expectedPeer
    }

    /// Checks everything the specification asks for and gives the peer's identity key.
    ///
    /// - Parameters:
    ///   - certificates: what the peer sent, leaf first, in DER.
    ///   - now: seconds since the UNIX epoch.
    /// - Throws: the first rule that does not hold.
    public func verify(certificates: [[UInt8]], now: Int64) throws(TLSIdentityError) -> PublicKey {
        guard certificates.count == 1, let der = certificates.first else {
            throw .certificateCount(certificates.count)
        }
        guard der.count <= Self.maximumCertificateBytes else {
            throw .tooLarge(size: der.count, limit: Self.maximumCertificateBytes)
        }
        let certificate: Certificate
        do {
            certificate = try Certificate(derEncoded: der)
        } catch {
            throw .malformedCertificate
        }
        guard Double(now) >= certificate.notValidBefore.timeIntervalSince1970 else { throw .notYetValid }
        guard Double(now) <= certificate.notValidAfter.timeIntervalSince1970 else { throw .expired }
        let value = try identityExtension(of: certificate)
        let keyInfo = try certificate.publicKey.subjectPublicKeyInfo()
        try checkStrength(of: certificate, keyInfo: keyInfo)
        guard certificate.publicKey.isValidSignature(certificate.signature, for: certificate) else {
            throw .selfSignatureMismatch
        }
        let key = try SignedKey(der: value).verifiedKey(signing: keyInfo)
        let peer = key.peerID
        if let expectedPeer, expectedPeer != peer { throw .wrongPeer(expected: expectedPeer, actual: peer) }
        return key
    }

    /// Extensions whose meaning has no bearing on us, so that they may be critical.
    private static let harmless: Set<ASN1ObjectIdentifier> = [
        .X509ExtensionID.basicConstraints, .X509ExtensionID.keyUsage, .X509ExtensionID.extendedKeyUsage,
    ]

    private func identityExtension(of certificate: Certificate) throws(TLSIdentityError) -> ArraySlice<UInt8> {
        var value: ArraySlice<UInt8>?
        for entry in certificate.extensions {
            if entry.oid == SignedKey.objectIdentifier {
                value = entry.value
            } else if entry.critical, !Self.harmless.contains(entry.oid) {
                throw .unknownCriticalExtension(String("\(entry.oid)".prefix(64)))
            }
        }
        guard let value else { throw .missingExtension }
        return value
    }

    private func checkStrength(of certificate: Certificate, keyInfo: [UInt8]) throws(TLSIdentityError) {
        switch certificate.signatureAlgorithm {
        case .ecdsaWithSHA256, .ecdsaWithSHA384, .ecdsaWithSHA512, .ed25519: return
        case .sha256WithRSAEncryption, .sha384WithRSAEncryption, .sha512WithRSAEncryption:
            // Identity keys of this kind have the same form and the same limits.
            do {
                _ = try PublicKey(kind: .rsa, data: keyInfo)
            } catch {
                throw .weakSignature
            }
        default: throw .weakSignature
        }
    }
}
