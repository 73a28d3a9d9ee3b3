/// The modules of a QR code. Coordinates lie within `side` wherever they are used.
struct QRMatrix: Sendable, Hashable {
    let side: Int
    private let version: Int
    private var dark: [Bool]
    /// Modules that belong to a pattern, so that neither data nor a mask touches them.
    private var isReserved: [Bool]

    subscript(x: Int, y: Int) -> Bool { dark[y * side + x] }

    /// Patterns and codewords, without a mask and its number.
    init(layout: QRLayout, codewords: [UInt8]) {
        side = layout.side
        version = layout.version
        dark = [Bool](repeating: false, count: side * side)
        isReserved = dark
        drawPatterns(layout)
        drawFormat(mask: 0)
        drawVersion()
        draw(codewords)
    }

    /// The same with one of the eight masks. Section 7.8.
    func masked(_ mask: Int) -> QRMatrix {
        var result = self
        for y in 0..<side {
            for x in 0..<side where !isReserved[y * side + x] && QRMatrix.inverts(mask, x: x, y: y) {
                result.dark[y * side + x].toggle()
            }
        }
        result.drawFormat(mask: mask)
        return result
    }

    private static func inverts(_ mask: Int, x: Int, y: Int) -> Bool {
        switch mask {
        case 0: (x + y) % 2 == 0
        case 1: y % 2 == 0
        case 2: x % 3 == 0
        case 3: (x + y) % 3 == 0
        case 4: (x / 3 + y / 2) % 2 == 0
        case 5: x * y % 2 + x * y % 3 == 0
        case 6: (x * y % 2 + x * y % 3) % 2 == 0
        default: ((x + y) % 2 + x * y % 3) % 2 == 0
        }
    }

    // MARK: Patterns

    private mutating func set(_ x: Int, _ y: Int, _ isDark: Bool) {
        dark[y * side + x] = isDark
        isReserved[y * side + x] = true
    }

    private mutating func drawPatterns(_ layout: QRLayout) {
        for index in 0..<side {
            set(index, 6, index % 2 == 0)
            set(6, index, index % 2 == 0)
        }
        for (x, y) in [(3, 3), (side - 4, 3), (3, side - 4)] { drawFinder(x, y) }
        let last = layout.alignment.last ?? 0
        for x in layout.alignment {
            for y in layout.alignment where !((x == 6 && (y == 6 || y == last)) || (x == last && y == 6)) {
                for dy in -2...2 {
                    for dx in -2...2 { set(x + dx, y + dy, max(abs(dx), abs(dy)) != 1) }
                }
            }
        }
    }

    /// Seven by seven, with the light border around it.
    private mutating func drawFinder(_ x: Int, _ y: Int) {
        for dy in -4...4 {
            for dx in -4...4 where (0..<side).contains(x + dx) && (0..<side).contains(y + dy) {
                let distance = max(abs(dx), abs(dy))
                set(x + dx, y + dy, distance != 2 && distance != 4)
            }
        }
    }

    /// Level M and the mask, twice. Section 7.9.
    private mutating func drawFormat(mask: Int) {
        let bits = QRMatrix.formatBits(mask: mask)
        func bit(_ index: Int) -> Bool { (bits >> index) & 1 == 1 }
        for index in 0..<6 { set(8, index, bit(index)) }
        set(8, 7, bit(6))
        set(8, 8, bit(7))
        set(7, 8, bit(8))
        for index in 9..<15 { set(14 - index, 8, bit(index)) }
        for index in 0..<8 { set(side - 1 - index, 8, bit(index)) }
        for index in 8..<15 { set(8, side - 15 + index, bit(index)) }
        // Always dark.
        set(8, side - 8, true)
    }

    /// From version 7 on, twice. Section 7.10.
    private mutating func drawVersion() {
        guard version >= 7 else { return }
        let bits = QRMatrix.versionBits(version)
        for index in 0..<18 {
            let isDark = (bits >> index) & 1 == 1
            set(side - 11 + index % 3, index / 3, isDark)
            set(index / 3, side - 11 + index % 3, isDark)
        }
    }

    static func formatBits(mask: Int) -> Int {
        // Level M is 00.
        (mask << 10 | remainder(of: mask << 10, by: 0x537, bits: 10)) ^ 0x5412
    }

    static func versionBits(_ version: Int) -> Int {
        version << 12 | remainder(of: version << 12, by: 0x1f25, bits: 12)
    }

    private static func remainder(of value: Int, by generator: Int, bits: Int) -> Int {
        var rest = value
        for shift in stride(from: 7, through: 0, by: -1) where (rest >> (bits + shift)) & 1 == 1 {
            rest ^= generator << shift
        }
        return rest
    }

    /// Up and down in columns of two, from the right. Section 7.7.3.
    private mutating func draw(_ codewords: [UInt8]) {
        var index = 0
        var isUpwards = true
        for right in stride(from: side - 1, through: 1, by: -2) {
            // The vertical timing pattern takes a column of its own.
            let right = right <= 6 ? right - 1 : right
            for step in 0..<side {
                let y = isUpwards ? side - 1 - step : step
                for x in [right, right - 1] where !isReserved[y * side + x] && index < codewords.count * 8 {
                    dark[y * side + x] = codewords[index / 8] & (0x80 >> UInt8(index % 8)) != 0
                    index += 1
                }
            }
            isUpwards.toggle()
        }
    }

    // MARK: Penalty

    /// How hard it is to read. Section 7.8.3.
    var penalty: Int {
        var total = 0
        for line in 0..<side {
            total += QRMatrix.linePenalty((0..<side).map { self[$0, line] })
            total += QRMatrix.linePenalty((0..<side).map { self[line, $0] })
        }
        for y in 0..<(side - 1) {
            for x in 0..<(side - 1) {
                let first = self[x, y]
                if self[x + 1, y] == first, self[x, y + 1] == first, self[x + 1, y + 1] == first { total += 3 }
            }
        }
        let share = dark.count { $0 } * 100 / dark.count
        return total + abs(share - 50) / 5 * 10
    }

    private static let finderLike: [[Bool]] = [
        [true, false, true, true, true, false, true, false, false, false, false],
        [false, false, false, false, true, false, true, true, true, false, true],
    ]

    private static func linePenalty(_ line: [Bool]) -> Int {
        var total = 0
        var start = 0
        for index in 1...line.count where index == line.count || line[index] != line[start] {
            if index - start >= 5 { total += index - start - 2 }
            start = index
        }
        for pattern in finderLike {
            for start in 0...(line.count - pattern.count)
            where line[start..<start + pattern.count].elementsEqual(pattern) {
                total += 40
            }
        }
        return total
    }
}
