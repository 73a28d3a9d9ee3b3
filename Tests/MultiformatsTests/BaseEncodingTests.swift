import GoopTestKit
import Multiformats
import Testing

@Suite struct BaseEncodingTests {
    static let peer = hex("0024080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e")

    @Test func base58Vectors() throws {
        for (bytes, text) in [
            ([], ""), ([0], "1"), ([0, 0, 1], "112"), (Array("Hello World!".utf8), "2NEpo7TZRRrLZSi2U"),
            (hex("0000287fb4cd"), "11233QC4"),
            (Self.peer, "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"),
        ] {
            #expect(Base58.encode(bytes) == text)
            #expect(try Base58.decode(text) == bytes)
        }
    }

    @Test func multibaseVectors() throws {
        let yes = Array("yes mani !".utf8)
        for (encoding, text) in [
            (Multibase.Encoding.base16, "f796573206d616e692021"), (.base16Upper, "F796573206D616E692021"),
            (.base32, "bpfsxgidnmfxgsibb"), (.base32Upper, "BPFSXGIDNMFXGSIBB"), (.base36, "k2lcpzo5yikidynfl"),
            (.base36Upper, "K2LCPZO5YIKIDYNFL"), (.base58btc, "z7paNL19xttacUY"), (.base64, "meWVzIG1hbmkgIQ"),
            (.base64Padded, "MeWVzIG1hbmkgIQ=="), (.base64url, "ueWVzIG1hbmkgIQ"),
            (.base64urlPadded, "UeWVzIG1hbmkgIQ=="),
        ] {
            #expect(Multibase.encode(yes, as: encoding) == text)
            #expect(try Multibase.decode(text) == yes)
        }
        #expect(try Base64.decode("+/+/", as: .standard) == [0xfb, 0xff, 0xbf])
        #expect(Base64.encode([0xfb, 0xff, 0xbf], as: .url) == "-_-_")
    }

    @Test func everyEncodingRoundTrips() throws {
        var random = SeededGenerator(seed: 58)
        for length in 0..<120 {
            for zeros in [0, 1, 3] {
                let bytes = [UInt8](repeating: 0, count: zeros) + random.bytes(length)
                for encoding in Multibase.Encoding.allCases {
                    #expect(try Multibase.decode(Multibase.encode(bytes, as: encoding)) == bytes)
                }
            }
        }
    }

    @Test func refusals() {
        #expect(throws: MultibaseError.invalidCharacter(offset: 1)) { try Base58.decode("10") }
        #expect(throws: MultibaseError.tooLong(limit: 512)) { try Base58.decode(String(repeating: "z", count: 513)) }
        #expect(throws: MultibaseError.empty) { try Multibase.decode("") }
        #expect(throws: MultibaseError.unknownPrefix("x")) { try Multibase.decode("xyz") }
        #expect(throws: MultibaseError.invalidLength) { try Hex.decode("abc") }
        #expect(throws: MultibaseError.invalidCharacter(offset: 1)) { try Hex.decode("ag") }
        #expect(throws: MultibaseError.trailingBits) { try Base64.decode("QR==") }
        #expect(throws: MultibaseError.invalidLength) { try Base64.decode("QQ=") }
        #expect(throws: MultibaseError.invalidLength) { try Base64.decode("====") }
        #expect(throws: MultibaseError.invalidLength) { try Base64.decode("Q", as: .url) }
        #expect(throws: MultibaseError.invalidCharacter(offset: 2)) { try Base64.decode("QQ==", as: .url) }
        #expect(throws: MultibaseError.invalidLength) { try Base32.decode("a") }
    }

    @Test func multihash() throws {
        let hash = try Multihash(bytes: Self.peer)
        #expect(hash.code == Multihash.identity && hash.digest.count == 36)
        #expect(hash.bytes == Self.peer)
        #expect(throws: MultihashError.lengthMismatch(declared: 36, actual: 35)) {
            try Multihash(bytes: Array(Self.peer.dropLast()))
        }
        #expect(throws: MultihashError.invalidDigestLength(code: 0x12, length: 2)) {
            try Multihash(bytes: hex("1202aabb"))
        }
        #expect(throws: MultihashError.varint(.truncated)) { try Multihash(bytes: []) }
    }

    @Test func contentIdentifiers() throws {
        let zero = try CID(text: "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N")
        #expect(zero.version == 0 && zero.text() == "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N")
        #expect(try CID(bytes: zero.bytes[...]) == zero)
        let one = try CID(text: "bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe")
        #expect(one.version == 1 && one.codec == CID.libp2pKey && one.multihash.code == Multihash.sha256)
        #expect(one.text() == "bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe")
        #expect(throws: CIDError.unsupportedVersion(2)) { try CID(bytes: [2, 0x72, 0, 0]) }
        #expect(throws: CIDError.varint(.truncated)) { try CID(bytes: [1]) }
        #expect(throws: CIDError.tooLong(limit: 512)) { try CID(text: "b" + String(repeating: "a", count: 512)) }
    }
}
