import GoopTestKit
import Multiformats
import P2PCore
import Testing

@Suite struct LengthPrefixedReaderTests {
    private static func frame(_ message: [UInt8]) -> [UInt8] { Varint.encode(UInt64(message.count)) + message }

    private static func messages(_ reader: inout LengthPrefixedReader) throws -> [[UInt8]] {
        var messages: [[UInt8]] = []
        while let message = try reader.next() { messages.append(Array(message)) }
        return messages
    }

    @Test("messages are the same however they are cut; empty ones are messages too", arguments: [1, 2, 3, 4])
    func pieces(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let all = (0..<50).map { _ in
            random.bytes(Bool.random(using: &random) ? Int.random(in: 0...3, using: &random) : 300)
        }
        var rest = all.flatMap(Self.frame)[...]
        var reader = LengthPrefixedReader(limit: 300)
        var found: [[UInt8]] = []
        while !rest.isEmpty {
            let piece = rest.prefix(Int.random(in: 1...400, using: &random))
            rest = rest.dropFirst(piece.count)
            reader.append(piece)
            found += try Self.messages(&reader)
            #expect(reader.isEmpty == (reader.heldBytes == 0))
        }
        #expect(found == all)
        #expect(reader.isEmpty)
    }

    @Test("a length past the limit is refused as soon as it is known, and for good")
    func tooLong() throws {
        var reader = LengthPrefixedReader(limit: 300)
        reader.append(Self.frame([7]) + [0xAD])
        let first = try Self.messages(&reader)
        #expect(first == [[7]])
        reader.append([0x02])
        for _ in 0..<2 {
            #expect(throws: LengthPrefixError.tooLong(length: 301, limit: 300)) { try reader.next() }
        }
        reader.append([UInt8](repeating: 0, count: 400))
        #expect(throws: LengthPrefixError.tooLong(length: 301, limit: 300)) { try reader.next() }

        reader = LengthPrefixedReader(limit: .max)
        reader.append([UInt8](repeating: 0xFF, count: 8) + [0x7F])
        #expect(try reader.next() == nil, "as long as there can be, and it has only begun")
        #expect(reader.heldBytes < 4_096)
    }

    @Test("what is no length is no message")
    func malformed() {
        var reader = LengthPrefixedReader(limit: 300)
        reader.append([0x80, 0x00])
        #expect(throws: LengthPrefixError.malformedLength(.notMinimal)) { try reader.next() }
        reader = LengthPrefixedReader(limit: 300)
        reader.append([UInt8](repeating: 0x80, count: 9))
        #expect(throws: LengthPrefixError.malformedLength(.tooLong)) { try reader.next() }
    }

    @Test("what follows the last message is handed over, and the next bytes begin anew")
    func remaining() throws {
        var reader = LengthPrefixedReader(limit: 300)
        reader.append(Self.frame([1, 2]) + [9, 9, 9])
        let first = try reader.next().map { Array($0) }
        let rest = Array(reader.takeRemaining())
        #expect(first == [1, 2] && rest == [9, 9, 9])
        #expect(reader.isEmpty && reader.heldBytes == 0)
        reader.append(Self.frame([3]))
        let next = try Self.messages(&reader)
        #expect(next == [[3]])
    }

    @Test("one message at a time can be taken while more come, and those that were read are not kept")
    func oneAtATime() throws {
        var reader = LengthPrefixedReader(limit: 1_000)
        let message = [UInt8](repeating: 5, count: 1_000)
        reader.append(Self.frame(message))
        for _ in 0..<100 {
            reader.append(Self.frame(message))
            let next = try reader.next().map { Array($0) }
            #expect(next == message)
        }
        #expect(reader.heldBytes < 4 * Self.frame(message).count)
    }

    @Test("of a long message twice what has come is held, at most, and never more than the whole")
    func growth() throws {
        let stream = Self.frame([UInt8](repeating: 7, count: 900_000))
        var reader = LengthPrefixedReader(limit: 1 << 20)
        for start in stride(from: 0, to: stream.count, by: 10_000) {
            let received = min(start + 10_000, stream.count)
            reader.append(stream[start..<received])
            let messages = try Self.messages(&reader)
            #expect(messages.count == (received == stream.count ? 1 : 0))
            // What the allocator adds is at most a page or so.
            #expect(reader.heldBytes <= min(2 * received, stream.count) + 8_192, "\(received)")
        }
        #expect(reader.heldBytes == 0)
    }
}
