import GoopTestKit
import Multiformats
import Testing

/// The switches behind the words are exhaustive; here each case says what a person needs.
@Suite("Multiformats: errors in words") struct ErrorWordsTests {
    @Test func varint() {
        let told: [(VarintError, String)] = [
            (.truncated, "end inside"), (.tooLong, "nine bytes"), (.notMinimal, "more bytes than it needs"),
        ]
        for (error, words) in told {
            #expect(isInWords(error) && error.description.contains(words), "\(error)")
        }
    }

    @Test func protobuf() {
        let told: [(ProtobufError, String)] = [
            (.truncated, "ends inside"), (.varintOverflow, "64 bits"), (.invalidFieldNumber, "536870911"),
            (.unsupportedWireType(3), "wire type 3"),
        ]
        for (error, words) in told {
            #expect(isInWords(error) && error.description.contains(words), "\(error)")
        }
    }

    @Test func multihash() {
        let told: [(MultihashError, String)] = [
            (.varint(.truncated), "end inside a number"),
            (.lengthMismatch(declared: 32, actual: 5), "says it has 32 bytes, and has 5"),
            (.invalidDigestLength(code: 0x12, length: 31), "0x12 has no 31 bytes"),
        ]
        for (error, words) in told {
            #expect(isInWords(error) && error.description.contains(words), "\(error)")
        }
    }

    @Test func multibase() {
        let told: [(MultibaseError, String)] = [
            (.empty, "no text"), (.unknownPrefix("\u{1b}"), "U+1B"), (.invalidCharacter(offset: 7), "byte 7"),
            (.invalidLength, "copied"), (.trailingBits, "copied"), (.tooLong(limit: 9), "9 characters"),
        ]
        for (error, words) in told {
            #expect(isInWords(error) && error.description.contains(words), "\(error)")
        }
    }

    @Test func cid() {
        let told: [(CIDError, String)] = [
            (.multibase(.empty), "no text"), (.varint(.tooLong), "nine bytes"),
            (.unsupportedVersion(7), "version 7"),
            (.multihash(.varint(.truncated)), "end inside"), (.tooLong(limit: 512), "512"),
        ]
        for (error, words) in told {
            #expect(isInWords(error) && error.description.contains(words), "\(error)")
        }
    }

    @Test func multiaddr() {
        let told: [(MultiaddrError, String)] = [
            (.empty, "/ip4/192.0.2.1/tcp/4001"), (.missingLeadingSlash, "begins with a slash"),
            (.tooLong(limit: 4096), "4096 bytes"), (.unknownName("ip5\n"), #"ip5\n;"#), (.unknownCode(9), "code 9"),
            (.missingValue(.p2pCircuit), "/p2p-circuit"), (.invalidValue(.tcp), "/tcp"),
            (.varint(.notMinimal), "than it needs"),
        ]
        for (error, words) in told {
            #expect(isInWords(error) && error.description.contains(words), "\(error)")
        }
    }
}
