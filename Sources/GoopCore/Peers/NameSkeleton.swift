/// What names that look alike have in common: for comparing them, never for showing.
///
/// Two names with one skeleton differ in nothing that a person would notice: in case and blanks, in letters that are seen nowhere, in
/// the style of Latin letters and digits, and in those letters of the Cyrillic and Greek alphabets that stand for a Latin one. It is a
/// small part of what the Unicode Technical Standard 39 calls confusable: a picture and a fingerprint stand beside every name.
enum NameSkeleton {
    /// What of a name is looked at, in scalars that are seen: nobody reads more, and strangers choose how long their names are.
    static let maximumScalars = 512

    /// The skeleton of a name; empty if nothing of it can be seen. About as long as the name, or as `maximumScalars`.
    static func of(_ name: String) -> String {
        var seen = String.UnicodeScalarView()
        var count = 0
        // Of several blanks, one is seen; at the ends none.
        var hasGap = false
        for scalar in name.unicodeScalars where scalar.isASCII || !scalar.properties.isDefaultIgnorableCodePoint {
            if scalar.properties.isWhitespace {
                hasGap = count > 0
                continue
            }
            guard count < maximumScalars else { break }
            if hasGap { seen.append(" ") }
            hasGap = false
            seen.append(plain(scalar))
            count += 1
        }
        // Both ways, for letters that have no lower case of their own: ß, ſ, ς, and ligatures.
        let folded = String(seen).uppercased().lowercased()
        var skeleton = String.UnicodeScalarView()
        for scalar in folded.unicodeScalars { skeleton.append(lookAlikes[scalar.value] ?? scalar) }
        return String(skeleton)
    }

    /// A letter or digit of ASCII without the style that it has been given; everything else as it is.
    private static func plain(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        let value = scalar.value
        return switch value {
        case 0...0x7f: scalar
        // Full width.
        case 0xff01...0xff5e: ascii(value - 0xff01, after: "!")
        // In circles and squares.
        case 0x24b6...0x24cf: ascii(value - 0x24b6, after: "a")
        case 0x24d0...0x24e9: ascii(value - 0x24d0, after: "a")
        case 0x1f130...0x1f149: ascii(value - 0x1f130, after: "a")
        case 0x1f150...0x1f169: ascii(value - 0x1f150, after: "a")
        case 0x1f170...0x1f189: ascii(value - 0x1f170, after: "a")
        // Mathematical: thirteen alphabets, each with its capitals first, and five rows of digits.
        case 0x1d400...0x1d6a3: ascii((value - 0x1d400) % 26, after: "a")
        case 0x1d7ce...0x1d7ff: ascii((value - 0x1d7ce) % 10, after: "0")
        default: styled[value] ?? scalar
        }
    }

    private static func ascii(_ offset: UInt32, after first: Unicode.Scalar) -> Unicode.Scalar {
        Unicode.Scalar(first.value + offset) ?? first
    }

    /// Letters that Unicode had before the mathematical alphabets, which leave them out.
    private static let styled: [UInt32: Unicode.Scalar] = [
        0x2102: "c", 0x210a: "g", 0x210b: "h", 0x210c: "h", 0x210d: "h", 0x210e: "h", 0x2110: "i", 0x2111: "i",
        0x2112: "l", 0x2113: "l", 0x2115: "n", 0x2119: "p", 0x211a: "q", 0x211b: "r", 0x211c: "r", 0x211d: "r",
        0x2124: "z", 0x2128: "z", 0x212c: "b", 0x212d: "c", 0x212f: "e", 0x2130: "e", 0x2131: "f", 0x2133: "m",
        0x2134: "o", 0x2139: "i",
    ]

    /// Small letters that look like a Latin one, or whose capitals do.
    private static let lookAlikes: [UInt32: Unicode.Scalar] = [
        // Latin.
        0x251: "a", 0x261: "g", 0x26a: "i",
        // Greek: alpha, beta, gamma, epsilon, zeta, eta, iota, kappa, mu, nu, omicron, rho, tau, upsilon, chi, omega.
        0x3b1: "a", 0x3b2: "b", 0x3b3: "y", 0x3b5: "e", 0x3b6: "z", 0x3b7: "n", 0x3b9: "i", 0x3ba: "k", 0x3bc: "m",
        0x3bd: "v", 0x3bf: "o", 0x3c1: "p", 0x3c4: "t", 0x3c5: "u", 0x3c7: "x", 0x3c9: "w",
        // Cyrillic: a, ve, ie, ka, em, en, o, er, es, te, u, ha; then io, dze, i, yi, je, izhitsa, u, shha, palochka, de, qa, we.
        0x430: "a", 0x432: "b", 0x435: "e", 0x43a: "k", 0x43c: "m", 0x43d: "h", 0x43e: "o", 0x440: "p", 0x441: "c",
        0x442: "t", 0x443: "y", 0x445: "x", 0x451: "\u{eb}", 0x455: "s", 0x456: "i", 0x457: "\u{ef}", 0x458: "j",
        0x475: "v", 0x4af: "y", 0x4bb: "h", 0x4cf: "l", 0x501: "d", 0x51b: "q", 0x51d: "w",
    ]
}

extension Unicode.Scalar {
    /// True for what is seen nowhere in a text: blanks without width, soft hyphens, fillers, tags. Joiners and variation selectors are
    /// let be, for several scripts and many pictures of people are written with them.
    package var isUnseen: Bool {
        switch value {
        case 0x200c, 0x200d, 0xfe0e, 0xfe0f: false
        default: properties.isDefaultIgnorableCodePoint
        }
    }
}
