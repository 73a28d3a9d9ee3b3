import P2PCore
import Testing

@Suite struct YamuxHeaderTests {
    static let vectors: [(bytes: [UInt8], header: YamuxHeader)] = [
        ([0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0], .init(kind: .windowUpdate, flags: .syn, streamID: 1, length: 0)),
        ([0, 1, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0], .init(kind: .windowUpdate, flags: .ack, streamID: 1, length: 0)),
        ([0, 1, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0], .init(kind: .windowUpdate, flags: .fin, streamID: 1, length: 0)),
        (
            [0, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0x10, 1],
            .init(kind: .windowUpdate, flags: .rst, streamID: 1, length: 0x1001)
        ),
        ([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 5], .init(kind: .data, streamID: 1, length: 5)),
        ([0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], .init(kind: .ping, flags: .syn, streamID: 0, length: 0)),
        ([0, 2, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0], .init(kind: .ping, flags: .ack, streamID: 0, length: 0)),
        ([0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], .init(kind: .goAway, streamID: 0, length: 0)),
        (
            [0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            .init(kind: .data, flags: [.syn, .fin], streamID: .max, length: .max)
        ),
    ]

    @Test(arguments: vectors) func agreesWithTheWire(bytes: [UInt8], header: YamuxHeader) throws {
        #expect(try YamuxHeader(bytes) == header)
        #expect(header.encoded == bytes)
    }

    @Test func unknownFlagBitsAreKept() throws {
        let bytes: [UInt8] = [0, 0, 0xff, 0xf1, 0, 0, 0, 1, 0, 0, 0, 0]
        #expect(try YamuxHeader(bytes).encoded == bytes)
        #expect(try YamuxHeader(bytes).flags.contains(.syn))
    }

    @Test func refusesWhatIsNoHeader() {
        #expect(throws: YamuxError.truncatedHeader) { try YamuxHeader([UInt8](repeating: 0, count: 11)) }
        #expect(throws: YamuxError.unsupportedVersion(1)) { try YamuxHeader([1] + [UInt8](repeating: 0, count: 11)) }
        #expect(throws: YamuxError.unknownKind(4)) { try YamuxHeader([0, 4] + [UInt8](repeating: 0, count: 10)) }
    }
}
