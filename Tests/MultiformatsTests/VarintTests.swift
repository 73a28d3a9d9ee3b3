import GoopTestKit
import Multiformats
import Testing

@Suite struct VarintTests {
    static let vectors: [(UInt64, String)] = [
        (0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (255, "ff01"), (300, "ac02"), (16384, "808001"),
        (UInt64(Int64.max), "ffffffffffffffff7f"),
    ]

    @Test(arguments: vectors) func vector(value: UInt64, text: String) throws {
        #expect(Varint.encode(value) == hex(text))
        #expect(Varint.encodedLength(value) == hex(text).count)
        var reader = ByteReader(hex(text) + [0xaa])
        #expect(try reader.readVarint() == value)
        #expect(reader.remaining == [0xaa])
    }

    @Test func everyPrefixNeedsMore() throws {
        let bytes = Varint.encode(UInt64(Int64.max))
        for count in 0..<bytes.count {
            #expect(try Varint.decodePrefix(bytes.prefix(count)) == nil)
            #expect(throws: VarintError.truncated) {
                var reader = ByteReader(bytes.prefix(count))
                _ = try reader.readVarint()
            }
        }
    }

    @Test func refusals() {
        #expect(throws: VarintError.notMinimal) { try Varint.decodePrefix([0x80, 0x00]) }
        #expect(throws: VarintError.notMinimal) { try Varint.decodePrefix([0xff, 0x80, 0x00]) }
        #expect(throws: VarintError.tooLong) { try Varint.decodePrefix(ArraySlice(repeating: 0x80, count: 9)) }
        #expect(throws: VarintError.tooLong) { try Varint.decodePrefix(ArraySlice(Varint.encode(1 << 63))) }
    }

    @Test func lengthsOfAllSizes() {
        for shift in 0..<64 {
            for value in [UInt64(1) << UInt64(shift), UInt64(1) << UInt64(shift) &- 1] {
                #expect(Varint.encode(value).count == Varint.encodedLength(value))
            }
        }
    }

    @Test func readerStopsAtTheEnd() throws {
        var reader = ByteReader([0x01, 0x02, 0x03])
        #expect(try reader.readUInt16BigEndian() == 0x0102)
        #expect(throws: VarintError.truncated) { try reader.readUInt16BigEndian() }
        #expect(throws: VarintError.truncated) { try reader.readBytes(-1) }
        #expect(reader.remaining == [0x03])
        #expect(try reader.readByte() == 3)
        #expect(reader.isAtEnd)
        #expect(throws: VarintError.truncated) { try reader.readByte() }
        var wide = ByteReader([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2])
        #expect(try wide.readUInt32BigEndian() == 1)
        #expect(try wide.readUInt64BigEndian() == 2)
        var prefixed = ByteReader([0x02, 0x09])
        #expect(throws: VarintError.truncated) { try prefixed.readLengthPrefixed() }
        #expect(prefixed.remaining == [0x02, 0x09])
    }
}
