import PeerIdentity
import SwiftASN1
import X509

/// The certificate extension that ties an identity key to the key of a TLS certificate.
///
/// Wire shape: DER `SEQUENCE { publicKey OCTET STRING, signature OCTET STRING }`. The public key is the libp2p message of
/// the identity key; the signature covers `libp2p-tls-handshake:` and the certificate's SubjectPublicKeyInfo in DER.
///
/// Source: libp2p specifications, tls/tls.md, section "libp2p Public Key Extension".
struct SignedKey: Sendable, Equatable {
    static let objectIdentifier: ASN1ObjectIdentifier = [1, 3, 6, 1, 4, 1, 53594, 1, 1]
    private static let signaturePrefix = Array("libp2p-tls-handshake:".utf8)

    var publicKey: [UInt8]
    var signature: [UInt8]

    init(identity: PrivateKey, subjectPublicKeyInfo: [UInt8]) throws(TLSIdentityError) {
        publicKey = identity.publicKey.protobuf
        do {
            signature = try identity.sign(Self.signaturePrefix + subjectPublicKeyInfo)
        } catch {
            throw .identityKey(error)
        }
    }

    init(der: ArraySlice<UInt8>) throws(TLSIdentityError) {
        do {
            (publicKey, signature) = try DER.sequence(try DER.parse(der), identifier: .sequence) { nodes in
                let key = try ASN1OctetString(derEncoded: &nodes)
                let signature = try ASN1OctetString(derEncoded: &nodes)
                return (Array(key.bytes), Array(signature.bytes))
            }
        } catch {
            throw .malformedExtension
        }
    }

    func der() throws(TLSIdentityError) -> [UInt8] {
        var serializer = DER.Serializer()
        do {
            try serializer.appendConstructedNode(identifier: .sequence) { content in
                try content.serialize(ASN1OctetString(contentBytes: publicKey[...]))
                try content.serialize(ASN1OctetString(contentBytes: signature[...]))
            }
        } catch {
            throw .creationFailed
        }
        return serializer.serializedBytes
    }

    /// Checks that the identity key signed the certificate's key, and gives it.
    func verifiedKey(signing subjectPublicKeyInfo: some Collection<UInt8>) throws(TLSIdentityError) -> PublicKey {
        do throws(KeyError) {
            let key = try PublicKey(protobuf: publicKey)
            if try key.verify(signature, over: Self.signaturePrefix + subjectPublicKeyInfo) { return key }
        } catch {
            throw .identityKey(error)
        }
        throw .signatureMismatch
    }
}

extension Certificate.PublicKey {
    /// The SubjectPublicKeyInfo in DER, which is what an identity key signs. The property of the library that sounds like
    /// it gives the bare key instead.
    func subjectPublicKeyInfo() throws(TLSIdentityError) -> [UInt8] {
        var serializer = DER.Serializer()
        do {
            try serializer.serialize(self)
        } catch {
            throw .malformedCertificate
        }
        return serializer.serializedBytes
    }
}
