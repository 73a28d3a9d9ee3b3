/// An entry of a tar archive (POSIX ustar, with pax headers for long names): a file or a folder.
///
/// An entry is one or more blocks of 512 bytes, then the content, filled up to whole blocks. Two blocks of zeros end the
/// archive. Source: IEEE Std 1003.1, pax interchange format.
package struct TarHeader: Sendable, Hashable {
    /// Every part of an archive is a multiple of it.
    package static let blockBytes = 512
    /// The largest content that the size field can say.
    package static let maximumBytes: Int64 = 0o77777777777
    /// The longest path in bytes.
    package static let maximumPathBytes = 4000

    /// From the root of the archive, with slashes, no slash at the end.
    package var path: String
    package var size: Int64
    /// The nine bits of rights.
    package var mode: UInt32
    /// Seconds since 1970.
    package var modified: Int64
    package var isFolder: Bool

    package init(path: String, size: Int64, mode: UInt32, modified: Int64, isFolder: Bool = false) {
        self.path = path
        self.size = size
        self.mode = mode
        self.modified = modified
        self.isFolder = isFolder
    }

    /// How many zeros follow a content of so many bytes.
    package static func padding(after size: Int64) -> Int { Int((512 - size % 512) % 512) }

    /// The blocks in front of the content.
    package var encoded: [UInt8] {
        let name = Array(path.utf8) + (isFolder ? [0x2F] : [])
        guard name.count > 100 || name.contains(where: { $0 >= 0x80 }) else {
            return TarHeader.block(name: name, size: size, mode: mode, modified: modified, kind: isFolder ? "5" : "0")
        }
        // A pax record holds its own length: adding its digits may make it longer.
        let content = Array(" path=".utf8) + name + [0x0A]
        var length = content.count + 1
        while String(length).utf8.count + content.count != length { length = String(length).utf8.count + content.count }
        let record = Array(String(length).utf8) + content
        let zeros = [UInt8](repeating: 0, count: TarHeader.padding(after: Int64(record.count)))
        return TarHeader.block(
            name: Array("pax".utf8), size: Int64(record.count), mode: 0o600, modified: modified, kind: "x")
            + record + zeros
            + TarHeader.block(
                name: Array(name.suffix(100).drop { $0 & 0xC0 == 0x80 }), size: size, mode: mode, modified: modified,
                kind: isFolder ? "5" : "0")
    }

    private static func block(name: [UInt8], size: Int64, mode: UInt32, modified: Int64, kind: Character) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: blockBytes)
        func put(_ bytes: some Sequence<UInt8>, at start: Int) {
            for (index, byte) in bytes.enumerated() { block[start + index] = byte }
        }
        func octal(_ value: Int64, digits: Int) -> [UInt8] {
            let text = String(max(0, value), radix: 8).suffix(digits)
            return Array(repeating: 0x30, count: digits - text.count) + Array(text.utf8)
        }
        put(name.prefix(100), at: 0)
        put(octal(Int64(mode), digits: 7), at: 100)
        put(octal(0, digits: 7), at: 108)
        put(octal(0, digits: 7), at: 116)
        put(octal(size, digits: 11), at: 124)
        put(octal(modified, digits: 11), at: 136)
        put([UInt8](repeating: 0x20, count: 8), at: 148)
        put(String(kind).utf8, at: 156)
        put("ustar\0".utf8, at: 257)
        put("00".utf8, at: 263)
        put(octal(block.reduce(0) { $0 + Int64($1) }, digits: 6) + [0, 0x20], at: 148)
        return block
    }
}

/// Why bytes are no archive that we read.
package enum TarError: Error, Sendable, Hashable {
    case truncated
    case wrongChecksum
    case malformedNumber
    /// A link, a device, or another kind of entry.
    case unsupportedKind(UInt8)
    /// A path that is empty, absolute, leaves its folder, or is too long.
    case unsafePath(String)
}

/// Reads the blocks in front of each content, one after the other.
package struct TarHeaderReader: Sendable {
    /// The path that a pax header gave for the entry behind it.
    private var longPath: String?

    package init() {}

    /// What a block says.
    package enum Block: Sendable, Hashable {
        /// The archive ends here.
        case end
        /// A pax header: its content, of so many bytes, belongs to `read(record:)`.
        case record(size: Int)
        case entry(TarHeader)
    }

    /// Reads a block of 512 bytes.
    package mutating func read(block: [UInt8]) throws(TarError) -> Block {
        guard block.count == TarHeader.blockBytes else { throw .truncated }
        if block.allSatisfy({ $0 == 0 }) { return .end }
        var sum: Int64 = 0
        for (index, byte) in block.enumerated() { sum += (148..<156).contains(index) ? 0x20 : Int64(byte) }
        guard try number(block[148..<156]) == sum else { throw .wrongChecksum }
        let size = try number(block[124..<136])
        let kind = block[156]
        if kind == UInt8(ascii: "x") {
            guard size <= 1 << 16 else { throw .unsafePath("") }
            return .record(size: Int(size))
        }
        guard kind == UInt8(ascii: "0") || kind == 0 || kind == UInt8(ascii: "5") else { throw .unsupportedKind(kind) }
        var name = longPath ?? text(block[0..<100])
        if longPath == nil, block[257..<262].elementsEqual("ustar".utf8) {
            let prefix = text(block[345..<500])
            if !prefix.isEmpty { name = prefix + "/" + name }
        }
        longPath = nil
        let isFolder = kind == UInt8(ascii: "5")
        return .entry(
            TarHeader(
                path: try TarHeaderReader.safe(name), size: isFolder ? 0 : size,
                mode: UInt32(truncatingIfNeeded: try number(block[100..<108])) & 0o777,
                modified: try number(block[136..<148]), isFolder: isFolder))
    }

    /// Reads the content of a pax header; only `path` matters.
    package mutating func read(record: [UInt8]) throws(TarError) {
        var rest = record[...]
        while let space = rest.firstIndex(of: 0x20) {
            guard let length = Int(String(decoding: rest[..<space], as: UTF8.self)),
                length > space - rest.startIndex + 1,
                length <= rest.count
            else { throw .malformedNumber }
            let line = rest[(space + 1)..<(rest.startIndex + length - 1)]
            if line.starts(with: "path=".utf8) { longPath = String(decoding: line.dropFirst(5), as: UTF8.self) }
            rest = rest.dropFirst(length)
        }
    }

    private static func safe(_ name: String) throws(TarError) -> String {
        // By bytes, as the system reads it: see `FolderPath`.
        let slash = UInt8(ascii: "/")
        var bytes = Array(name.utf8)[...]
        if bytes.starts(with: "./".utf8) { bytes = bytes.dropFirst(2) }
        while bytes.last == slash { bytes.removeLast() }
        let parts = bytes.split(separator: slash, omittingEmptySubsequences: false)
        guard !bytes.isEmpty, bytes.count <= TarHeader.maximumPathBytes, !bytes.contains(0),
            parts.allSatisfy({ !$0.isEmpty && $0 != [0x2E] && $0 != [0x2E, 0x2E] && $0.count <= 255 })
        else { throw .unsafePath(String(name.prefix(200))) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func text(_ field: ArraySlice<UInt8>) -> String {
        String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
    }

    private func number(_ field: ArraySlice<UInt8>) throws(TarError) -> Int64 {
        let digits = field.filter { $0 != 0 && $0 != 0x20 }
        guard let value = Int64(String(decoding: digits, as: UTF8.self), radix: 8), value >= 0 else {
            throw .malformedNumber
        }
        return value
    }
}
