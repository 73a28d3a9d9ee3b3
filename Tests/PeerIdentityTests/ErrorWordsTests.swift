import GoopTestKit
import Multiformats
import PeerIdentity
import Testing

@Suite("Identities: errors in words") struct ErrorWordsTests {
    @Test func peerID() {
        let told: [(PeerIDError, String)] = [
            (.base58(.invalidCharacter(offset: 2)), "byte 2"), (.cid(.unsupportedVersion(5)), "version 5"),
            (.wrongCodec(0x70), "0x70"), (.multihash(.varint(.truncated)), "end inside a number"),
            (.unsupportedHash(code: 0x13, length: 64), "0x13 with 64 bytes; accepted are SHA-256"),
            (.tooLong(limit: 128), "128 bytes"),
        ]
        for (error, words) in told {
            #expect(isInWords(error) && error.description.contains(words), "\(error)")
        }
    }

    @Test func envelope() {
        let (record, signer) = (PrivateKey.generate().peerID, PrivateKey.generate().peerID)
        let told: [(EnvelopeError, String)] = [
            (.tooLong(limit: 65_536), "65536 bytes"), (.protobuf(.truncated), "ends inside a field"),
            (.missingField(5), "lacks field 5"), (.key(.unsupported(.secp256k1)), "secp256k1"),
            (.invalidSignature, "signature"), (.unexpectedPayloadType([0x03, 0x0a]), "3 a"),
            (.wrongPeer(record: record, signer: signer), "\(record), and \(signer) signed"),
            (.peerID(.tooLong(limit: 44)), "44 bytes"),
        ]
        for (error, words) in told {
            #expect(isInWords(error) && error.description.contains(words), "\(error)")
        }
    }

    @Test func key() {
        let told: [(KeyError, String)] = [
            (.protobuf(.truncated), "ends inside a field"), (.missingField(1), "lacks field 1"),
            (.unknownKind(9), "kind 9"), (.invalidData(.rsa), "rsa"), (.tooLong(limit: 2048), "2048"),
            (.rsaSize(bits: 512), "512 bits"), (.unsupported(.secp256k1), "accepted are"),
            (.signingFailed(.rsa), "not sign"),
        ]
        for (error, words) in told {
            // What it is made of is in words too: a reason in brackets begins behind a space.
            #expect(isInWords(error) && error.description.contains(words), "\(error)")
        }
    }
}
