import GoopTestKit
import Multiformats
import PeerIdentity
import Testing

@Suite struct PeerIDTests {
    static let ids: [(file: String, base58: String, base36: String)] = [
        (
            "ed25519", "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq",
            "k51qzi5uqu5dgy8qsq67hbz73jqkw87l3fgf4a91qb0d9b5173tir7n4vxk1oe"
        ),
        (
            "secp256k1", "16Uiu2HAmLhLvBoYaoZfaMUKuibM6ac163GwKY74c5kiSLg5KvLpY",
            "kzwfwjn5ji4put13uvtwtc7azzwk42cq2o8ctfnxa6q8n90e72o3pjqbrp3lpcp"
        ),
        (
            "ecdsa", "QmVMT29id3TUASyfZZ6k9hmNyc2nYabCo4uMSpDw4zrgDk",
            "k2k4r8m0iploq6r25jp915xawtnx0qdr0je62jws2kki6votbj5191x3"
        ),
    ]

    @Test(arguments: ids) func vector(file: String, base58: String, base36: String) throws {
        let vector = try TestVector.load("keys/\(file).txt")
        let key = try PublicKey(protobuf: hex(try #require(vector["public"])))
        let id = key.peerID
        #expect(id.base58 == base58)
        #expect(id.base36 == base36)
        #expect(try PeerID(text: base58) == id)
        #expect(try PeerID(text: base36) == id)
        #expect(try PeerID(multihash: id.bytes) == id)
        #expect(id.matches(key))
        #expect(id.publicKey == (file == "ecdsa" ? nil : key))
        for encoding in Multibase.Encoding.allCases {
            #expect(try PeerID(text: id.cidText(as: encoding)) == id)
        }
    }

    @Test func specExamples() throws {
        let id = try PeerID(text: "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq")
        #expect(id.cidText(as: .base32) == "bafzaajaiaejcahwr5d5ofrfbis4l5d6uwr57hu5tjodrypfm6yaq6dsc2r2pzyt6")
        #expect(id.bytes == hex("0024080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e"))
        #expect(
            try PeerID(text: "bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe").base58
                == "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N")
        #expect(try PeerID(text: "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA").publicKey?.kind == .ed25519)
    }

    @Test func refusals() throws {
        #expect(throws: PeerIDError.cid(.multibase(.empty))) { try PeerID(text: "") }
        #expect(throws: PeerIDError.tooLong(limit: 128)) { try PeerID(text: String(repeating: "1", count: 129)) }
        #expect(throws: PeerIDError.base58(.invalidCharacter(offset: 2))) { try PeerID(text: "120") }
        #expect(throws: PeerIDError.wrongCodec(0x70)) {
            let other = CID(codec: 0x70, multihash: try Multihash(bytes: [0, 1, 1]))
            _ = try PeerID(text: other.text())
        }
        #expect(throws: PeerIDError.unsupportedHash(code: 0x11, length: 1)) { try PeerID(multihash: [0x11, 1, 0]) }
        #expect(throws: PeerIDError.unsupportedHash(code: 0, length: 43)) {
            try PeerID(multihash: [0, 43] + [UInt8](repeating: 1, count: 43))
        }
        #expect(throws: PeerIDError.unsupportedHash(code: 0, length: 0)) { try PeerID(multihash: [0, 0]) }
        #expect(throws: PeerIDError.multihash(.lengthMismatch(declared: 2, actual: 1))) {
            try PeerID(multihash: [0, 2, 1])
        }
        #expect(PeerID("not a peer") == nil)
        #expect(try PeerID(multihash: [0, 1, 7]).publicKey == nil)
    }

    /// A slip in a text of another length can be an id, and nobody's.
    @Test func anIdThatHoldsNoKeyIsNobodys() throws {
        for text in ["12D3KooWrong", "12D3KooWronh"] {
            let id = try PeerID(text: text)
            #expect(id.publicKey == nil && !id.canBeOfAKey, "\(text)")
        }
        let key = PrivateKey.generate().publicKey
        #expect(key.peerID.canBeOfAKey)
        // Both fields the other way round: the same key, and an id that no key has.
        let turned = Array(key.protobuf.dropFirst(2) + key.protobuf.prefix(2))
        let other = try PeerID(multihash: [0, UInt8(turned.count)] + turned)
        #expect(other.publicKey == key && !other.canBeOfAKey)
        // A hash tells nothing about its key.
        #expect(try PeerID(multihash: [0x12, 0x20] + [UInt8](repeating: 7, count: 32)).canBeOfAKey)
    }

    @Test func addresses() throws {
        let id = PrivateKey.generate().peerID
        let address = try Multiaddr(text: "/ip4/127.0.0.1/tcp/4001")
        #expect(address.peerID == nil)
        #expect(address.appending(id).peerID == id)
        #expect(address.appending(id).description == "/ip4/127.0.0.1/tcp/4001/p2p/\(id)")
        #expect(Multiaddr(peer: id).peerID == id)
    }

    @Test func orderIsThatOfTheBytes() throws {
        let low = try PeerID(multihash: [0, 1, 1])
        let high = try PeerID(multihash: [0, 1, 2])
        #expect(low < high && !(high < low))
    }
}
