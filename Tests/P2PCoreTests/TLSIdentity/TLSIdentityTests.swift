import Crypto
import Foundation
import GoopTestKit
import PeerIdentity
import SwiftASN1
import Testing
import X509

@testable import P2PCore

private let now: Int64 = 1_760_000_000

/// A certificate made rule by rule, so that each can be broken.
private struct Draft {
    var key = Certificate.PrivateKey(P256.Signing.PrivateKey())
    var signingKey: Certificate.PrivateKey?
    var notBefore = now - 60
    var notAfter = now + 60
    var algorithm = Certificate.SignatureAlgorithm.ecdsaWithSHA256
    var extensions: [Certificate.Extension] = []

    mutating func addIdentity(_ identity: PeerIdentity.PrivateKey, critical: Bool = false) throws {
        let signed = try SignedKey(
            identity: identity, subjectPublicKeyInfo: key.publicKey.subjectPublicKeyInfo())
        try add(SignedKey.objectIdentifier, value: signed.der(), critical: critical)
    }

    mutating func add(_ identifier: ASN1ObjectIdentifier, value: [UInt8], critical: Bool) {
        extensions.append(Certificate.Extension(oid: identifier, critical: critical, value: value[...]))
    }

    func der() throws -> [UInt8] {
        let name = try DistinguishedName { CommonName("draft") }
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(7), publicKey: key.publicKey,
            notValidBefore: Date(timeIntervalSince1970: Double(notBefore)),
            notValidAfter: Date(timeIntervalSince1970: Double(notAfter)), issuer: name, subject: name,
            signatureAlgorithm: algorithm, extensions: Certificate.Extensions(extensions),
            issuerPrivateKey: signingKey ?? key)
        var serializer = DER.Serializer()
        try serializer.serialize(certificate)
        return serializer.serializedBytes
    }
}

@Suite("TLS identity")
struct TLSIdentityTests {
    private let anyone = TLSPeerVerifier(expectedPeer: nil)
    private let identity = PeerIdentity.PrivateKey.generate()

    @Test("the specification's certificates name their peers")
    func vectors() throws {
        let verifier = anyone
        #expect(
            try verifier.verify(certificates: [TLSVectors.ed25519], now: now).peerID.description
                == TLSVectors.ed25519Peer)
        #expect(
            try verifier.verify(certificates: [TLSVectors.ecdsa], now: now).peerID.description == TLSVectors.ecdsaPeer)
        #expect(throws: TLSIdentityError.signatureMismatch) {
            try verifier.verify(certificates: [TLSVectors.invalid], now: now)
        }
        // Signatures of this kind cannot be checked here, but the peer is still named rightly.
        #expect(throws: TLSIdentityError.identityKey(.unsupported(.secp256k1))) {
            try verifier.verify(certificates: [TLSVectors.secp256k1], now: now)
        }
        let parsed = try Certificate(derEncoded: TLSVectors.secp256k1)
        let value = try #require(parsed.extensions[oid: SignedKey.objectIdentifier]?.value)
        let key = try PeerIdentity.PublicKey(protobuf: SignedKey(der: value).publicKey)
        #expect(key.peerID.description == TLSVectors.secp256k1Peer)
    }

    @Test("our own certificate is accepted for an hour before and for decades, with identities of both kinds")
    func ownCertificate() throws {
        for identity in [identity, .generateECDSA()] {
            var generator = SeededGenerator(seed: 1)
            let made = try TLSIdentity(identity: identity, now: now, using: &generator)
            let verifier = TLSPeerVerifier(expectedPeer: identity.peerID)
            for time in [now - 3599, now, now + 50 * 365 * 86400] {
                #expect(try verifier.verify(certificates: [made.certificate], now: time) == identity.publicKey)
            }
            #expect(throws: TLSIdentityError.notYetValid) {
                try verifier.verify(certificates: [made.certificate], now: now - 3601)
            }
            #expect(throws: TLSIdentityError.expired) {
                try verifier.verify(certificates: [made.certificate], now: now + 101 * 366 * 86400)
            }
            #expect("\(made)" == "TLSIdentity(redacted)")
            _ = try P256.Signing.PrivateKey(derRepresentation: made.privateKey)
        }
    }

    @Test("two certificates have different keys")
    func fresh() throws {
        var generator = SystemRandomNumberGenerator()
        let first = try TLSIdentity(identity: identity, now: now, using: &generator)
        let second = try TLSIdentity(identity: identity, now: now, using: &generator)
        #expect(first.privateKey != second.privateKey)
        #expect(first.certificate != second.certificate)
    }

    @Test("the draft the tests break is itself accepted, with the extension critical or not")
    func draft() throws {
        for critical in [false, true] {
            var draft = Draft()
            try draft.addIdentity(identity, critical: critical)
            draft.add([1, 2, 3, 4], value: [5, 0], critical: false)
            #expect(try anyone.verify(certificates: [draft.der()], now: now) == identity.publicKey)
        }
    }

    @Test("certificate keys of other kinds are accepted")
    func otherKeys() throws {
        for (key, algorithm) in [
            (Certificate.PrivateKey(Curve25519.Signing.PrivateKey()), .ed25519),
            (Certificate.PrivateKey(P384.Signing.PrivateKey()), .ecdsaWithSHA384),
        ] as [(Certificate.PrivateKey, Certificate.SignatureAlgorithm)] {
            var draft = Draft(key: key, algorithm: algorithm)
            try draft.addIdentity(identity)
            #expect(try anyone.verify(certificates: [draft.der()], now: now) == identity.publicKey)
        }
    }

    @Test("exactly one certificate")
    func count() throws {
        var draft = Draft()
        try draft.addIdentity(identity)
        let der = try draft.der()
        #expect(throws: TLSIdentityError.certificateCount(0)) { try anyone.verify(certificates: [], now: now) }
        #expect(throws: TLSIdentityError.certificateCount(2)) { try anyone.verify(certificates: [der, der], now: now) }
    }

    @Test("validity")
    func validity() throws {
        var draft = Draft(notBefore: now - 60, notAfter: now - 1)
        try draft.addIdentity(identity)
        #expect(throws: TLSIdentityError.expired) { try anyone.verify(certificates: [draft.der()], now: now) }
        draft.notBefore = now + 1
        draft.notAfter = now + 60
        #expect(throws: TLSIdentityError.notYetValid) { try anyone.verify(certificates: [draft.der()], now: now) }
    }

    @Test("a certificate signed by another key")
    func foreignSelfSignature() throws {
        var draft = Draft(signingKey: Certificate.PrivateKey(P256.Signing.PrivateKey()))
        try draft.addIdentity(identity)
        #expect(throws: TLSIdentityError.selfSignatureMismatch) {
            try anyone.verify(certificates: [draft.der()], now: now)
        }
    }

    @Test("an extension moved over from another certificate")
    func stolenExtension() throws {
        var victim = Draft()
        try victim.addIdentity(identity)
        let thief = Draft(extensions: victim.extensions)
        #expect(throws: TLSIdentityError.signatureMismatch) {
            try anyone.verify(certificates: [thief.der()], now: now)
        }
    }

    @Test("a missing, misnamed, empty, cut or padded extension")
    func badExtensions() throws {
        #expect(throws: TLSIdentityError.missingExtension) {
            try anyone.verify(certificates: [Draft().der()], now: now)
        }
        var valid = Draft()
        try valid.addIdentity(identity)
        let value = Array(valid.extensions[0].value)
        var misnamed = Draft(key: valid.key)
        misnamed.add([1, 3, 6, 1, 4, 1, 53594, 1, 2], value: value, critical: false)
        #expect(throws: TLSIdentityError.missingExtension) {
            try anyone.verify(certificates: [misnamed.der()], now: now)
        }
        for bad in [[], [0x30, 0], Array(value.dropLast()), value + [0]] as [[UInt8]] {
            var draft = Draft(key: valid.key)
            draft.add(SignedKey.objectIdentifier, value: bad, critical: false)
            #expect(throws: TLSIdentityError.malformedExtension) {
                try anyone.verify(certificates: [draft.der()], now: now)
            }
        }
    }

    @Test("an unknown critical extension is named")
    func unknownCritical() throws {
        var draft = Draft()
        try draft.addIdentity(identity)
        draft.add([1, 2, 3, 4], value: [5, 0], critical: true)
        #expect(throws: TLSIdentityError.unknownCriticalExtension("1.2.3.4")) {
            try anyone.verify(certificates: [draft.der()], now: now)
        }
    }

    @Test("known critical extensions do no harm")
    func knownCritical() throws {
        var draft = Draft()
        try draft.addIdentity(identity)
        draft.extensions.append(contentsOf: [
            try Critical(KeyUsage(digitalSignature: true)).makeCertificateExtension(),
            try Critical(BasicConstraints.notCertificateAuthority).makeCertificateExtension(),
        ])
        #expect(try anyone.verify(certificates: [draft.der()], now: now) == identity.publicKey)
    }

    @Test("the wrong peer")
    func wrongPeer() throws {
        var draft = Draft()
        try draft.addIdentity(identity)
        let other = PeerIdentity.PrivateKey.generate().peerID
        #expect(throws: TLSIdentityError.wrongPeer(expected: other, actual: identity.peerID)) {
            try TLSPeerVerifier(expectedPeer: other).verify(certificates: [draft.der()], now: now)
        }
    }

    @Test("sizes and bytes that are no certificate")
    func malformed() throws {
        #expect(throws: TLSIdentityError.tooLarge(size: 16385, limit: 16384)) {
            try anyone.verify(certificates: [[UInt8](repeating: 0x30, count: 16385)], now: now)
        }
        for bad in [[], [0x30], TLSVectors.ed25519 + [0], Array(TLSVectors.ed25519.dropLast())] as [[UInt8]] {
            #expect(throws: TLSIdentityError.malformedCertificate) { try anyone.verify(certificates: [bad], now: now) }
        }
    }

    @Test("no changed byte is accepted, and none traps")
    func flippedBytes() throws {
        for position in TLSVectors.ed25519.indices {
            var changed = TLSVectors.ed25519
            changed[position] ^= 0x10
            #expect(throws: TLSIdentityError.self, "byte \(position)") {
                try anyone.verify(certificates: [changed], now: now)
            }
        }
    }
}
