/// What a picture's own bytes say of its kind and of its pixels, before a browser's decoder gets to see it.
///
/// Sources: PNG (W3C, third edition), 5.2 and 11.2.1; JPEG (ITU-T T.81), B.1 and B.2; GIF89a, sections 18 to 27; WebP (RFC 9649), 2.
struct PictureHeader: Hashable {
    let kind: Avatar.Kind
    /// Pixels, more than none.
    let width: Int
    let height: Int

    /// Nil for another kind, and for what breaks off or contradicts itself before its size is told.
    init?(_ bytes: [UInt8]) {
        let reader = Reader(bytes: bytes)
        let found: (kind: Avatar.Kind, size: (width: Int, height: Int)?)
        if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            found = (.png, reader.png())
        } else if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
            found = (.jpeg, reader.jpeg())
        } else if bytes.starts(with: "GIF87a".utf8) || bytes.starts(with: "GIF89a".utf8) {
            found = (.gif, reader.gif())
        } else if reader.has("RIFF", at: 0), reader.has("WEBP", at: 8) {
            found = (.webp, reader.webp())
        } else {
            return nil
        }
        guard let size = found.size, size.width > 0, size.height > 0 else { return nil }
        kind = found.kind
        width = size.width
        height = size.height
    }

    /// Numbers at places; nil beyond the end.
    private struct Reader {
        let bytes: [UInt8]

        func byte(_ place: Int) -> Int? { bytes.indices.contains(place) ? Int(bytes[place]) : nil }

        func has(_ word: String, at place: Int) -> Bool { bytes.dropFirst(place).starts(with: word.utf8) }

        /// The most significant byte first; `count` is at most 4.
        func big(_ count: Int, at place: Int) -> Int? {
            var value = 0
            for index in place..<place + count {
                guard let byte = byte(index) else { return nil }
                value = value << 8 | byte
            }
            return value
        }

        /// The least significant byte first; `count` is at most 4.
        func little(_ count: Int, at place: Int) -> Int? {
            var value = 0
            for index in (place..<place + count).reversed() {
                guard let byte = byte(index) else { return nil }
                value = value << 8 | byte
            }
            return value
        }

        func png() -> (width: Int, height: Int)? {
            guard big(4, at: 8) == 13, has("IHDR", at: 12), let width = big(4, at: 16), let height = big(4, at: 20)
            else { return nil }
            return (width, height)
        }

        /// The first frame header; decoders refuse a second one.
        func jpeg() -> (width: Int, height: Int)? {
            var place = 2
            while byte(place) == 0xFF {
                while byte(place) == 0xFF { place += 1 }
                guard let marker = byte(place) else { return nil }
                place += 1
                switch marker {
                case 0x01, 0xD0...0xD7: continue
                case 0x00, 0xD8...0xDA: return nil
                case 0xC4, 0xC8, 0xCC: break
                case 0xC0...0xCF:
                    guard let height = big(2, at: place + 3), let width = big(2, at: place + 5) else { return nil }
                    return (width, height)
                default: break
                }
                guard let length = big(2, at: place), length >= 2 else { return nil }
                place += length
            }
            return nil
        }

        /// The screen, and every frame: decoders make room for one that is larger.
        func gif() -> (width: Int, height: Int)? {
            guard var width = little(2, at: 6), var height = little(2, at: 8), let flags = byte(10) else { return nil }
            var place = 13 + colours(flags)
            while place < bytes.count {
                switch bytes[place] {
                case 0x3B: return (width, height)
                case 0x21:
                    guard let next = behindBlocks(place + 2) else { return nil }
                    place = next
                case 0x2C:
                    guard let left = little(2, at: place + 1), let top = little(2, at: place + 3),
                        let across = little(2, at: place + 5), let down = little(2, at: place + 7),
                        let flags = byte(place + 9), let next = behindBlocks(place + 11 + colours(flags))
                    else { return nil }
                    width = max(width, left + across)
                    height = max(height, top + down)
                    place = next
                default: return nil
                }
            }
            return (width, height)
        }

        /// Bytes of a table of colours.
        private func colours(_ flags: Int) -> Int { flags & 0x80 == 0 ? 0 : 3 << (flags & 7 + 1) }

        /// The place behind data in blocks, each with its length in front, up to an empty one.
        private func behindBlocks(_ start: Int) -> Int? {
            var place = start
            while let length = byte(place) {
                place += 1 + length
                if length == 0 { return place }
            }
            return nil
        }

        func webp() -> (width: Int, height: Int)? {
            if has("VP8X", at: 12) {
                guard let width = little(3, at: 24), let height = little(3, at: 27) else { return nil }
                return (width + 1, height + 1)
            }
            if has("VP8L", at: 12) {
                guard byte(20) == 0x2F, let bits = little(4, at: 21) else { return nil }
                return (bits & 0x3FFF + 1, bits >> 14 & 0x3FFF + 1)
            }
            guard has("VP8 ", at: 12), big(3, at: 23) == 0x9D012A, let width = little(2, at: 26),
                let height = little(2, at: 28)
            else { return nil }
            return (width & 0x3FFF, height & 0x3FFF)
        }
    }
}
