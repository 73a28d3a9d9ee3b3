import GoopTestKit
import Testing

@testable import GoopCore

/// Pictures of peers: what is taken for one, and the line in front of it.
@Suite struct AvatarTests {
    static func png(_ width: Int, _ height: Int, rest: [UInt8] = []) -> [UInt8] {
        [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13] + Array("IHDR".utf8) + big(width, 4)
            + big(height, 4) + [8, 6, 0, 0, 0] + rest
    }

    static func jpeg(_ width: Int, _ height: Int) -> [UInt8] {
        // A thumbnail in the first segment has a frame header of its own.
        [0xFF, 0xD8, 0xFF, 0xE0, 0, 8, 0xFF, 0xC0, 0, 9, 9, 9, 0xFF, 0xFF, 0xC4, 0, 2, 0xFF, 0xC2, 0, 17, 8]
            + big(height, 2) + big(width, 2) + [3]
    }

    static func gif(_ width: Int, _ height: Int, frame: (Int, Int)? = nil) -> [UInt8] {
        var bytes = Array("GIF89a".utf8) + little(width, 2) + little(height, 2) + [0x80, 0, 0, 1, 2, 3, 4, 5, 6]
        bytes += [0x21, 0xF9, 4, 0, 0, 0, 0, 0]
        let (across, down) = frame ?? (width, height)
        bytes += [0x2C, 0, 0, 0, 0] + little(across, 2) + little(down, 2) + [0, 2, 2, 0x4C, 1, 0]
        return bytes + [0x3B]
    }

    static func webp(_ chunk: String, _ data: [UInt8]) -> [UInt8] {
        Array("RIFF".utf8) + little(data.count + 12, 4) + Array("WEBP\(chunk)".utf8) + little(data.count, 4) + data
    }

    static func webps(_ width: Int, _ height: Int) -> [[UInt8]] {
        [
            webp("VP8X", [0, 0, 0, 0] + little(width - 1, 3) + little(height - 1, 3)),
            webp("VP8L", [0x2F] + little((width - 1) | (height - 1) << 14, 4)),
            webp("VP8 ", [0, 0, 0, 0x9D, 0x01, 0x2A] + little(width, 2) + little(height, 2)),
        ]
    }

    private static func big(_ value: Int, _ count: Int) -> [UInt8] { little(value, count).reversed() }

    private static func little(_ value: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    private static func samples(_ width: Int, _ height: Int) -> [(Avatar.Kind, [UInt8])] {
        [(.png, png(width, height)), (.jpeg, jpeg(width, height)), (.gif, gif(width, height))]
            + webps(width, height).map { (.webp, $0) }
    }

    @Test func theKindAndThePixelsAreToldByTheBytes() throws {
        for (kind, bytes) in Self.samples(300, 200) {
            let header = try #require(PictureHeader(bytes), "\(kind)")
            #expect(header.kind == kind && header.width == 300 && header.height == 200, "\(kind)")
            #expect(try Avatar(bytes).kind == kind)
        }
        let avatar = try Avatar(Self.png(1, 1))
        #expect(Avatar.isHash(avatar.hash) && avatar.bytes == Self.png(1, 1))
    }

    @Test func theHashIsTheBeginningOfSHA256() throws {
        // sha256sum of the same 29 bytes.
        #expect(try Avatar(Self.png(1, 1)).hash == "71fde3856a298a05")
    }

    @Test(arguments: [
        "<svg xmlns='http://www.w3.org/2000/svg'/>", "<!doctype html><script>alert(1)</script>", "", "GIF", "BM123456",
        "RIFF1234WAVEfmt ", "%PDF-1.7", "GIF89a<script>",
    ])
    func whatIsNoPictureIsRefused(_ text: String) {
        #expect(throws: AvatarFault.notAPicture) { try Avatar(Array(text.utf8)) }
    }

    @Test func aBombIsRefusedBeforeADecoderSeesIt() {
        for (kind, bytes) in Self.samples(4097, 16) + Self.samples(16, 16_000) {
            #expect(throws: AvatarFault.tooManyPixels(side: 4096), "\(kind)") { try Avatar(bytes) }
        }
        #expect(throws: AvatarFault.tooManyPixels(side: 4096)) {
            try Avatar(Self.gif(16, 16, frame: (60_000, 60_000)))
        }
        #expect(throws: AvatarFault.tooManyPixels(side: 4096)) { try Avatar(Self.png(0x7FFF_FFFF, 1)) }
        #expect(throws: AvatarFault.notAPicture) { try Avatar(Self.png(0, 1)) }
        #expect(throws: AvatarFault.tooLarge(limit: 100)) {
            try Avatar(Self.png(1, 1, rest: [UInt8](repeating: 0, count: 100)), limit: 100)
        }
    }

    /// Whatever is cut off or turned around, it is a picture of bounded size or none.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func noBytesTrap(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for (_, bytes) in Self.samples(300, 200) {
            for _ in 0..<200 {
                var changed = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
                for _ in 0..<Int.random(in: 0...4, using: &random) where !changed.isEmpty {
                    changed[Int.random(in: 0..<changed.count, using: &random)] = random.bytes(1)[0]
                }
                guard let header = PictureHeader(changed) else { continue }
                #expect(header.width > 0 && header.height > 0)
            }
        }
    }

    @Test(arguments: [
        ("NONE", AvatarProtocol.Head.none), ("NONE\r", .none), ("OK 1", .picture(size: 1)),
        ("OK 524288\r", .picture(size: 524_288)), (" OK  007 ", .picture(size: 7)),
    ])
    func headLinesAreRead(_ line: String, _ head: AvatarProtocol.Head) throws {
        #expect(try AvatarProtocol.head(inLine: line.utf8) == head)
        #expect(try AvatarProtocol.head(inLine: AvatarProtocol.line(head).dropLast()) == head)
    }

    @Test(arguments: [
        ("", AvatarFault.malformed), ("OK", .malformed), ("OK -1", .malformed), ("OK 0", .malformed),
        ("OK image/png 5", .malformed), ("OK 5 5", .malformed), ("ok 5", .malformed), ("NONE 5", .malformed),
        ("OK 0x10", .malformed), ("OK ١", .malformed), ("ERR busy", .malformed), ("EOK 40", .sealed), ("EOK", .sealed),
        ("OK 524289", .tooLarge(limit: 524_288)), ("OK 99999999999999999999", .tooLarge(limit: 524_288)),
    ])
    func badHeadLinesAreRefused(_ line: String, _ fault: AvatarFault) {
        #expect(throws: fault) { try AvatarProtocol.head(inLine: line.utf8) }
    }

    /// Any line is a head that is written back as a line of the same meaning, or a refusal.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func anyLineIsAHeadOrARefusal(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let parts = ["OK", "NONE", "EOK", " ", "\t", "\r", "0", "5", "524288", "-", "+", "/", "\u{661}", "\0"]
        for _ in 0..<2000 {
            var line = (0..<Int.random(in: 0...6, using: &random)).flatMap { _ in
                Array(parts[Int.random(in: 0..<parts.count, using: &random)].utf8)
            }
            if !line.isEmpty, Bool.random(using: &random) {
                line[Int.random(in: 0..<line.count, using: &random)] = random.bytes(1)[0]
            }
            guard let head = try? AvatarProtocol.head(inLine: line) else { continue }
            if case .picture(let size) = head { #expect((1...Avatar.maximumBytes).contains(size)) }
            let again = AvatarProtocol.line(head)
            #expect(again.last == 0x0A && again.count <= AvatarProtocol.maximumHeadLine)
            #expect(try AvatarProtocol.head(inLine: again.dropLast()) == head)
        }
    }
}
