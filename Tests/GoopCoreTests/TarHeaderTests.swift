import Testing

@testable import GoopCore

@Suite struct TarHeaderTests {
    /// Reads the blocks of one entry.
    private func read(_ bytes: [UInt8]) throws -> TarHeader? {
        var reader = TarHeaderReader()
        var rest = bytes[...]
        while !rest.isEmpty {
            let block = Array(rest.prefix(512))
            rest = rest.dropFirst(512)
            switch try reader.read(block: block) {
            case .entry(let entry): return entry
            case .record(let size):
                try reader.read(record: Array(rest.prefix(size)))
                rest = rest.dropFirst(size + TarHeader.padding(after: Int64(size)))
            case .end: return nil
            }
        }
        return nil
    }

    @Test(arguments: [
        "goop.json", "site/über uns/ä.html", "a/" + String(repeating: "x", count: 97),
        String(repeating: "y", count: 100),
        String(repeating: "z", count: 101), String(repeating: "long/", count: 700) + "end", "🦢/ ",
    ])
    func entriesReadBack(path: String) throws {
        for entry in [
            TarHeader(path: path, size: 12345, mode: 0o640, modified: 1_763_971_200),
            TarHeader(path: path, size: 0, mode: 0o755, modified: 0, isFolder: true),
            TarHeader(path: path, size: TarHeader.maximumBytes, mode: 0o600, modified: 1),
        ] {
            let bytes = entry.encoded
            #expect(bytes.count.isMultiple(of: 512))
            #expect(try read(bytes) == entry)
        }
    }

    @Test(arguments: [
        "/etc/passwd", "../x", "a/../../x", "a//b", "", "a/./b", "..", "a/..", String(repeating: "n", count: 256),
        "../\u{301}x",
    ])
    func namesThatLeadElsewhereAreRefused(path: String) {
        let bytes = TarHeader(path: path, size: 0, mode: 0o600, modified: 0).encoded
        #expect(throws: TarError.self) { try read(bytes) }
    }

    @Test func damagedAndForeignBlocksAreRefused() {
        let good = TarHeader(path: "a", size: 5, mode: 0o600, modified: 0).encoded
        for index in [0, 100, 124, 136, 148, 156, 257, 300] {
            var bytes = good
            bytes[index] ^= 1
            #expect(throws: TarError.self) { try read(bytes) }
        }
        // A link has another kind; its checksum is right.
        for kind: UInt8 in [0x31, 0x32, 0x33, 0x36, 0x67] {
            var bytes = good
            bytes[156] = kind
            let sum = Int(kind) - 0x30
            var digits = Int(String(decoding: bytes[148..<154], as: UTF8.self), radix: 8) ?? 0
            digits += sum
            let text = String(digits, radix: 8)
            bytes.replaceSubrange(148..<154, with: Array((String(repeating: "0", count: 6 - text.count) + text).utf8))
            #expect(throws: TarError.unsupportedKind(kind)) { try read(bytes) }
        }
        var reader = TarHeaderReader()
        #expect(throws: TarError.truncated) { try reader.read(block: [1, 2]) }
        for record in ["5", "9999 path=x\n", "0 path=x\n", "3 \n", "x path=y\n"] {
            _ = try? reader.read(record: Array(record.utf8))
        }
    }
}
