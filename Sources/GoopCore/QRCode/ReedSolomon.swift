/// Error correction of QR codes: Reed–Solomon over the field of 256 elements with the polynomial x⁸+x⁴+x³+x²+1.
/// Source: ISO/IEC 18004:2015, section 7.5 and annex A.
enum ReedSolomon {
    /// The codewords to append to a block.
    static func correction(of data: [UInt8], count: Int) -> [UInt8] {
        let generator = generator(degree: count)
        var remainder = [UInt8](repeating: 0, count: count)
        for byte in data {
            let factor = byte ^ (remainder.first ?? 0)
            remainder = remainder.dropFirst() + [0]
            for index in remainder.indices { remainder[index] ^= product(generator[index], factor) }
        }
        return remainder
    }

    /// The product of (x - 2⁰) to (x - 2ⁿ⁻¹), without its leading 1, the highest power first.
    private static func generator(degree: Int) -> [UInt8] {
        var coefficients = [UInt8](repeating: 0, count: max(degree - 1, 0)) + [1]
        var root: UInt8 = 1
        for _ in 0..<degree {
            for index in coefficients.indices {
                coefficients[index] = product(coefficients[index], root)
                if index + 1 < coefficients.count { coefficients[index] ^= coefficients[index + 1] }
            }
            root = product(root, 2)
        }
        return coefficients
    }

    static func product(_ left: UInt8, _ right: UInt8) -> UInt8 {
        var result: UInt8 = 0
        for bit in stride(from: 7, through: 0, by: -1) {
            result = (result << 1) ^ (result & 0x80 == 0 ? 0 : 0x1d)
            if (right >> bit) & 1 == 1 { result ^= left }
        }
        return result
    }
}
