import GoopCore
import Multiformats

@testable import GoopNode

/// An archive somebody hands over as a backup: headers, records for long names, contents.
///
/// Blocks of 512 bytes with the right checksum are rare among random bytes, so most of them are put together here.
func fuzzTar(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    var reader = TarHeaderReader()
    while !input.isAtEnd {
        let choice = input.byte()
        do throws(TarError) {
            switch try reader.read(block: block(choice, &input)) {
            case .end: return
            case .record(let size):
                require((0...1 << 16).contains(size), "records are bounded")
                try reader.read(
                    record: choice & 0x10 == 0 ? Array(input.longPiece()) : record(of: Array(input.longPiece())))
            case .entry(let header): check(header)
            }
        } catch {
            return
        }
    }
}

private func block(_ choice: UInt8, _ input: inout FuzzInput) -> [UInt8] {
    var block = [UInt8](repeating: 0, count: TarHeader.blockBytes)
    func put(_ bytes: some Collection<UInt8>, at start: Int, most: Int) {
        for (index, byte) in bytes.prefix(most).enumerated() { block[start + index] = byte }
    }
    switch choice & 15 {
    case 0: return Array(input.take(TarHeader.blockBytes))
    case 1: put(input.take(TarHeader.blockBytes), at: 0, most: TarHeader.blockBytes)
    default:
        put(input.piece(), at: 0, most: 100)
        put("0000644".utf8, at: 100, most: 7)
        put(choice & 2 == 0 ? Array("00000000017".utf8)[...] : input.take(12), at: 124, most: 12)
        put(choice & 4 == 0 ? Array("00000000001".utf8)[...] : input.take(12), at: 136, most: 12)
        put([input.byte()], at: 156, most: 1)
        if choice & 8 == 0 { put("ustar\0".utf8, at: 257, most: 6) }
        if choice & 0x20 != 0 { put(input.piece(), at: 345, most: 155) }
        if choice & 0x40 != 0 { put(input.take(8), at: 100, most: 8) }
    }
    var sum = 8 * 0x20
    for (index, byte) in block.enumerated() where !(148..<156).contains(index) { sum += Int(byte) }
    let digits = String(sum, radix: 8)
    put(Array((String(repeating: "0", count: max(0, 6 - digits.count)) + digits + "\0 ").utf8), at: 148, most: 8)
    return block
}

/// A pax record of a path, with its length in front.
private func record(of path: [UInt8]) -> [UInt8] {
    let content = Array(" path=".utf8) + path + [0x0A]
    var length = content.count + 1
    while String(length).utf8.count + content.count != length { length = String(length).utf8.count + content.count }
    return Array(String(length).utf8) + content
}

private func check(_ header: TarHeader) {
    let parts = header.path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map(Array.init)
    require(parts.allSatisfy { !$0.isEmpty && $0 != [0x2E] && $0 != [0x2E, 0x2E] }, "\(header.path) leaves its folder")
    require(!header.path.utf8.contains(0) && header.path.utf8.count <= TarHeader.maximumPathBytes, "paths are bounded")
    require(header.size >= 0 && header.modified >= 0 && header.mode <= 0o777, "numbers are bounded")
    require(!header.isFolder || header.size == 0, "a folder has no content")
    guard header.size <= TarHeader.maximumBytes, header.modified <= TarHeader.maximumBytes else { return }
    var reader = TarHeaderReader()
    var left = header.encoded[...]
    require(left.count % TarHeader.blockBytes == 0, "a header is whole blocks")
    while !left.isEmpty {
        let block = try? reader.read(block: Array(left.prefix(TarHeader.blockBytes)))
        left = left.dropFirst(TarHeader.blockBytes)
        switch block {
        case .record(let size):
            require((try? reader.read(record: Array(left.prefix(size)))) != nil, "\(header.path) has a record")
            left = left.dropFirst(size + TarHeader.padding(after: Int64(size)))
        case .entry(let again): require(again == header && left.isEmpty, "\(header) reads back as \(again)")
        default: require(false, "\(header) reads back")
        }
    }
}

/// The list at the end of a backup. Nobody guesses its checksum, so one is made and then damaged.
func fuzzBackupList(_ bytes: [UInt8]) {
    _ = BackupManifest(decoding: bytes)
    var input = FuzzInput(bytes)
    let place = Int(input.uint16())
    let change = input.byte()
    var list = BackupManifest(id: input.text(), label: input.text(), created: Int64(input.uint32()), files: [])
    while !input.isAtEnd {
        list.files.append(
            .init(path: input.text(), size: Int64(input.uint32()), sha256: Hex.encode(Array(input.take(32)))))
    }
    var text = list.encoded
    require(BackupManifest(decoding: text) == list, "a list reads back")
    guard change != 0 else { return }
    text[place % text.count] ^= change
    require(BackupManifest(decoding: text) == nil, "what was changed at \(place % text.count) is noticed")
}
