/// Reads decisions and data off the front of a fuzzer's input. At the end every number is 0 and every piece empty.
struct FuzzInput {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    mutating func bool() -> Bool { byte() & 1 == 1 }

    mutating func uint16() -> UInt16 { UInt16(byte()) << 8 | UInt16(byte()) }

    mutating func uint32() -> UInt32 { UInt32(uint16()) << 16 | UInt32(uint16()) }

    /// A piece whose length is given by one byte.
    mutating func piece() -> ArraySlice<UInt8> { take(Int(byte())) }

    /// A piece whose length is given by two bytes.
    mutating func longPiece() -> ArraySlice<UInt8> { take(Int(uint16())) }

    mutating func take(_ count: Int) -> ArraySlice<UInt8> {
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    mutating func takeRest() -> [UInt8] {
        defer { rest = [] }
        return Array(rest)
    }

    /// A piece as text.
    mutating func text() -> String { String(decoding: piece(), as: UTF8.self) }

    /// One of several; they must not be none.
    mutating func one<Element>(of elements: [Element]) -> Element { elements[Int(byte()) % elements.count] }

    /// Whole milliseconds, mostly few, sometimes minutes.
    mutating func pause() -> Duration {
        let choice = Int(byte())
        return .milliseconds(choice < 0xf0 ? choice : (choice & 15 + 1) * Int(uint16()))
    }

    /// The rest, and the same in pieces, for whatever must not care how its bytes are cut. In front of it stands how many
    /// lengths there are, up to seven, and then the lengths, which take turns.
    mutating func message() -> (whole: [UInt8], pieces: [ArraySlice<UInt8>]) {
        let lengths = (0..<(byte() & 7)).map { _ in max(1, Int(byte())) }
        let whole = takeRest()
        guard !lengths.isEmpty else { return (whole, [whole[...]]) }
        var pieces: [ArraySlice<UInt8>] = []
        var left = whole[...]
        while !left.isEmpty {
            let length = lengths[pieces.count % lengths.count]
            pieces.append(left.prefix(length))
            left = left.dropFirst(length)
        }
        return (whole, pieces)
    }
}
