import GoopTestKit
import Multiformats
import Testing

@Suite struct ProtobufTests {
    @Test func roundTrip() throws {
        var inner = ProtobufWriter()
        inner.append(1, varint: .max)
        var writer = ProtobufWriter()
        writer.append(1, varint: 150)
        writer.append(2, string: "testing")
        writer.append(3, message: inner)
        writer.append(4, bool: true)
        writer.append(5, fixed64: 0x0102_0304_0506_0708)
        writer.append(0x1fff_ffff, bytes: [UInt8]())
        // 150 and "testing" are the examples of the encoding documentation.
        #expect(writer.bytes.starts(with: hex("089601 120774657374696e67")))

        var reader = ProtobufReader(writer.bytes)
        var fields: [ProtobufField] = []
        while let field = try reader.next() { fields.append(field) }
        #expect(fields.map(\.number) == [1, 2, 3, 4, 5, 0x1fff_ffff])
        #expect(fields[0].varint == 150)
        #expect(fields[1].string == "testing")
        #expect(fields[2].bytes == inner.bytes[...])
        #expect(fields[3].bool == true)
        #expect(fields[4].value == .fixed64(0x0102_0304_0506_0708))
        #expect(fields[5].bytes == [])
        #expect(fields.flatMap { Array($0.encoded) } == writer.bytes)
        #expect(fields[0].bytes == nil && fields[1].varint == nil && fields[1].bool == nil)
    }

    @Test func paddedNumbersAreRead() throws {
        var reader = ProtobufReader(hex("0880808080808080808000"))
        #expect(try reader.next()?.varint == 0)
        reader = ProtobufReader(hex("0d01000000"))
        #expect(try reader.next()?.value == .fixed32(1))
    }

    @Test(arguments: [
        ("08", ProtobufError.truncated), ("0880", .truncated), ("0a05aabb", .truncated), ("09aabb", .truncated),
        ("0affffffffffffffffff01", .truncated), ("0880808080808080808002", .varintOverflow),
        ("088080808080808080808000", .varintOverflow), ("00", .invalidFieldNumber),
        ("8080808010 00", .invalidFieldNumber), ("0b", .unsupportedWireType(3)), ("0c", .unsupportedWireType(4)),
        ("0f", .unsupportedWireType(7)),
    ]) func refusal(text: String, error: ProtobufError) {
        var reader = ProtobufReader(hex(text))
        #expect(throws: error) { while try reader.next() != nil {} }
    }

    @Test func invalidTextIsNoString() throws {
        var reader = ProtobufReader(hex("0a02c328"))
        let field = try #require(try reader.next())
        #expect(field.string == nil)
        #expect(field.bytes == [0xc3, 0x28])
    }

    @Test func randomBytesNeverTrap() {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<20_000 {
            var reader = ProtobufReader(random.bytes(Int.random(in: 0...40, using: &random)))
            while let field = try? reader.next() { #expect(field.number > 0) }
        }
    }
}
