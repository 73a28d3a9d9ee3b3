/// A QR code of a short text, to be read by a camera.
///
/// Byte mode, error correction level M (about 15 % may be unreadable), versions 1 to 10, so at most 213 bytes of UTF-8; the
/// smallest version that fits, and the mask with the least penalty. No package that does this is to be had as source for
/// Swift on Linux.
/// Source: ISO/IEC 18004:2015.
public struct QRCode: Sendable, Hashable {
    /// The longest text in UTF-8 bytes.
    public static let maximumBytes = 213

    /// 1 to 10.
    public let version: Int
    /// Modules on each side, without the quiet zone.
    public var side: Int { matrix.side }
    private let matrix: QRMatrix

    /// Encodes a text; nil if it is longer than `maximumBytes`.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard let layout = QRLayout.all.first(where: { $0.capacity >= bytes.count }) else { return nil }
        version = layout.version
        let codewords = QRCode.interleaved(QRCode.dataCodewords(bytes, layout: layout), layout: layout)
        let blank = QRMatrix(layout: layout, codewords: codewords)
        let masked = (0..<8).map { blank.masked($0) }
        guard let best = masked.min(by: { $0.penalty < $1.penalty }) else { return nil }
        matrix = best
    }

    /// Whether a module is dark. Outside of the code, where the quiet zone is, none is.
    public func isDark(x: Int, y: Int) -> Bool {
        (0..<side).contains(x) && (0..<side).contains(y) && matrix[x, y]
    }

    /// An image for a page: dark on white with the quiet zone of four modules, whatever the colours of the page.
    public var svg: String {
        let size = side + 8
        var path = ""
        for y in 0..<side {
            var x = 0
            while x < side {
                let start = x
                while x < side, matrix[x, y] { x += 1 }
                if x > start { path += "M\(start + 4) \(y + 4)h\(x - start)v1H\(start + 4)z" } else { x += 1 }
            }
        }
        return
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(size) \(size)\" shape-rendering=\"crispEdges\">"
            + "<path fill=\"#fff\" d=\"M0 0h\(size)v\(size)H0z\"/><path d=\"\(path)\"/></svg>"
    }

    /// Mode, length, text, end mark and padding. Section 7.4.
    static func dataCodewords(_ bytes: [UInt8], layout: QRLayout) -> [UInt8] {
        var bits = BitWriter()
        bits.append(0b0100, count: 4)
        bits.append(bytes.count, count: layout.version < 10 ? 8 : 16)
        for byte in bytes { bits.append(Int(byte), count: 8) }
        let room = layout.dataCodewords * 8
        bits.append(0, count: min(4, room - bits.count))
        bits.append(0, count: (8 - bits.count % 8) % 8)
        var codewords = bits.bytes
        var padding: UInt8 = 0xec
        while codewords.count < layout.dataCodewords {
            codewords.append(padding)
            padding ^= 0xec ^ 0x11
        }
        return codewords
    }

    /// Data and error correction of all blocks, one codeword of each in turn. Section 7.6.
    static func interleaved(_ data: [UInt8], layout: QRLayout) -> [UInt8] {
        var blocks: [[UInt8]] = []
        var rest = data[...]
        for size in layout.blocks {
            blocks.append(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        let corrections = blocks.map { ReedSolomon.correction(of: $0, count: layout.correctionPerBlock) }
        var result: [UInt8] = []
        for group in [blocks, corrections] {
            for index in 0..<(group.map(\.count).max() ?? 0) {
                for block in group where index < block.count { result.append(block[index]) }
            }
        }
        return result
    }
}

/// Bits one behind the other, the highest first.
private struct BitWriter {
    private(set) var bytes: [UInt8] = []
    private(set) var count = 0

    mutating func append(_ value: Int, count bits: Int) {
        for bit in stride(from: bits - 1, through: 0, by: -1) {
            if count % 8 == 0 { bytes.append(0) }
            if (value >> bit) & 1 == 1 { bytes[bytes.count - 1] |= 0x80 >> (count % 8) }
            count += 1
        }
    }
}

/// How a version is built at level M. Source: ISO/IEC 18004:2015, tables 1, 7, 9 and annex E.
struct QRLayout: Sendable, Hashable {
    let version: Int
    let correctionPerBlock: Int
    /// Data codewords of each block.
    let blocks: [Int]
    /// Rows and columns of the centres of alignment patterns.
    let alignment: [Int]

    var dataCodewords: Int { blocks.reduce(0, +) }
    /// Bytes of text that fit: what mode and length take is away.
    var capacity: Int { dataCodewords - (version < 10 ? 2 : 3) }
    var side: Int { 17 + 4 * version }

    static let all: [QRLayout] = [
        QRLayout(version: 1, correctionPerBlock: 10, blocks: [16], alignment: []),
        QRLayout(version: 2, correctionPerBlock: 16, blocks: [28], alignment: [6, 18]),
        QRLayout(version: 3, correctionPerBlock: 26, blocks: [44], alignment: [6, 22]),
        QRLayout(version: 4, correctionPerBlock: 18, blocks: [32, 32], alignment: [6, 26]),
        QRLayout(version: 5, correctionPerBlock: 24, blocks: [43, 43], alignment: [6, 30]),
        QRLayout(version: 6, correctionPerBlock: 16, blocks: [27, 27, 27, 27], alignment: [6, 34]),
        QRLayout(version: 7, correctionPerBlock: 18, blocks: [31, 31, 31, 31], alignment: [6, 22, 38]),
        QRLayout(version: 8, correctionPerBlock: 22, blocks: [38, 38, 39, 39], alignment: [6, 24, 42]),
        QRLayout(version: 9, correctionPerBlock: 22, blocks: [36, 36, 36, 37, 37], alignment: [6, 26, 46]),
        QRLayout(version: 10, correctionPerBlock: 26, blocks: [43, 43, 43, 43, 44], alignment: [6, 28, 50]),
    ]
}
