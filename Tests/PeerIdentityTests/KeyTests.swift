import GoopTestKit
import Multiformats
import PeerIdentity
import Testing

@Suite struct KeyTests {
    @Test(arguments: ["ed25519", "ecdsa"]) func vector(file: String) throws {
        let vector = try TestVector.load("keys/\(file).txt")
        let secret = hex(try #require(vector["private"]))
        let key = try PrivateKey(protobuf: secret)
        #expect(key.publicKey.protobuf == hex(try #require(vector["public"])))
        #expect(key.protobuf == secret)
        let message = Array("message".utf8)
        let signature = try key.sign(message)
        #expect(try key.publicKey.verify(signature, over: message))
        #expect(try !key.publicKey.verify(signature, over: message + [0]))
        for index in signature.indices {
            var broken = signature
            broken[index] ^= 1
            #expect(try !key.publicKey.verify(broken, over: message))
        }
        for count in 0..<signature.count {
            #expect(try !key.publicKey.verify(signature.prefix(count), over: message))
        }
    }

    @Test(arguments: ["rsa", "ecdsa-openssl"]) func madeByOpenSSL(file: String) throws {
        let vector = try TestVector.load("keys/\(file).txt")
        let key = try PrivateKey(protobuf: hex(try #require(vector["private"])))
        #expect(key.protobuf == hex(try #require(vector["private"])))
        #expect(key.publicKey.protobuf == hex(try #require(vector["public"])))
        #expect(key.peerID.base58 == vector["peer"])
        #expect(key.peerID.publicKey == nil)
        let message = Array(try #require(vector["message"]).utf8)
        let signature = hex(try #require(vector["signature"]))
        let publicKey = try PublicKey(protobuf: key.publicKey.protobuf)
        #expect(try publicKey.verify(signature, over: message))
        #expect(try publicKey.verify(key.sign(message), over: message))
        #expect(try !publicKey.verify(signature, over: message + [0]))
        #expect(try !publicKey.verify(signature.dropLast(), over: message))
        #expect(try !publicKey.verify([], over: message))
    }

    @Test func smallRSAIsRefused() throws {
        let vector = try TestVector.load("keys/rsa-1024.txt")
        #expect(throws: KeyError.rsaSize(bits: 1024)) { try PublicKey(protobuf: hex(try #require(vector["public"]))) }
    }

    @Test func secp256k1IsNamedButNotUsed() throws {
        let vector = try TestVector.load("keys/secp256k1.txt")
        let key = try PublicKey(protobuf: hex(try #require(vector["public"])))
        #expect(key.kind == .secp256k1)
        #expect(throws: KeyError.unsupported(.secp256k1)) { try key.verify([UInt8](), over: [UInt8]()) }
        #expect(throws: KeyError.unsupported(.secp256k1)) {
            try PrivateKey(protobuf: hex(try #require(vector["private"])))
        }
    }

    @Test func longEd25519Form() throws {
        let vector = try TestVector.load("keys/ed25519.txt")
        let short = hex(try #require(vector["private"]))
        let long = [0x08, 0x01, 0x12, 0x60] + short.dropFirst(4) + short.suffix(32)
        #expect(try PrivateKey(protobuf: long).protobuf == short)
        var broken = long
        broken[long.count - 1] ^= 1
        #expect(throws: KeyError.invalidData(.ed25519)) { try PrivateKey(protobuf: broken) }
        broken = short
        broken[10] ^= 1
        #expect(throws: KeyError.invalidData(.ed25519)) { try PrivateKey(protobuf: broken) }
    }

    @Test func lenientInCanonicalOut() throws {
        let point = hex("1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e")
        // Data first, a padded number, an unknown field.
        let key = try PublicKey(protobuf: [0x12, 0x20] + point + hex("08 8100 1a00"))
        #expect(key.protobuf == hex("08011220") + point)
        #expect(try key == PublicKey(kind: .ed25519, data: point))
    }

    @Test(arguments: [
        ("", KeyError.missingField(1)), ("0801", .missingField(2)), ("1200", .missingField(1)),
        ("08041200", .unknownKind(4)), ("08011200", .invalidData(.ed25519)), ("08001200", .invalidData(.rsa)),
        ("08031201aa", .invalidData(.ecdsa)), ("08021201aa", .invalidData(.secp256k1)), ("08", .protobuf(.truncated)),
    ]) func refusal(text: String, error: KeyError) {
        #expect(throws: error) { try PublicKey(protobuf: hex(text)) }
    }

    @Test func tooLong() {
        #expect(throws: KeyError.tooLong(limit: 2048)) { try PublicKey(protobuf: [UInt8](repeating: 0, count: 2049)) }
        #expect(throws: KeyError.tooLong(limit: 8192)) { try PrivateKey(protobuf: [UInt8](repeating: 0, count: 8193)) }
    }

    @Test func nothingSecretIsPrinted() throws {
        let key = try PrivateKey(ed25519Seed: [UInt8](repeating: 0xab, count: 32))
        for text in ["\(key)", String(reflecting: key), String(describing: Optional(key))] {
            #expect(!text.contains("171") && !text.lowercased().contains("abab"))
            #expect(text.contains("redacted"))
        }
        var dumped = ""
        dump(key, to: &dumped)
        #expect(!dumped.contains("171"))
    }

    @Test func randomBytesNeverTrap() {
        var random = SeededGenerator(seed: 3)
        for round in 0..<3_000 {
            let body = random.bytes(Int.random(in: 0...120, using: &random))
            let message = [0x08, UInt8(round & 3), 0x12, UInt8(body.count)] + body
            _ = try? PublicKey(protobuf: message)
            _ = try? PrivateKey(protobuf: message)
            _ = try? PeerID(multihash: body)
            _ = try? SignedEnvelope(protobuf: body)
            _ = try? PeerRecord(protobuf: body)
        }
    }
}
