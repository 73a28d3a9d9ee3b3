/// LIKE and GLOB with SQLite's meaning, and with looks at the clock.
///
/// SQLite's own cannot be stopped within one comparison, and one of a megabyte with a long pattern takes half a second at
/// best. Here each place of the text is compared with what comes behind the last wildcard, so that wildcards add up and do not
/// multiply, and every so many steps somebody is asked whether time is up.
///
/// Letter cases are those of ASCII. What is no UTF-8 is read as SQLite reads it. Texts end at their first zero byte, as SQLite's
/// do here.
///
/// Source: SQLite, "SQL Language Expressions", section 5; "Built-In Scalar SQL Functions", `glob` and `like`.
struct PatternMatch {
    enum Outcome: Equatable {
        case matches, differs
        /// The time was up before it was known.
        case stopped
    }

    /// Characters compared between two looks at the clock: some ten microseconds.
    static let stepsPerCheck = 4096

    /// Stands for any text; 0: nothing does.
    private let any: UInt32
    /// Stands for any one character; 0: nothing does.
    private let one: UInt32
    /// Makes the character behind it an ordinary one; 0: nothing does.
    private let escape: UInt32
    private let isGlob: Bool

    /// `GLOB`: `*`, `?` and `[…]`; letter cases count.
    static let glob = PatternMatch(any: "*", one: "?", escape: 0, isGlob: true)

    /// `LIKE`: `%` and `_`; letter cases of ASCII do not count. An escape that is one of the two is only that.
    /// - Parameter escape: 0: there is none.
    static func like(escape: UInt32 = 0) -> PatternMatch {
        PatternMatch(any: "%", one: "_", escape: escape, isGlob: false)
    }

    /// The same with an escape.
    /// - Parameter text: ends with a zero byte. Nil if it is not one character.
    static func like(escapedBy text: UnsafePointer<UInt8>) -> PatternMatch? {
        var place = text
        let escape = read(&place)
        return escape == 0 || place.pointee != 0 ? nil : like(escape: escape)
    }

    private init(any: Unicode.Scalar, one: Unicode.Scalar, escape: UInt32, isGlob: Bool) {
        self.any = escape == any.value ? 0 : any.value
        self.one = escape == one.value ? 0 : one.value
        self.escape = escape
        self.isGlob = isGlob
    }

    /// Compares a whole text with a pattern.
    ///
    /// - Parameters:
    ///   - pattern: ends with a zero byte.
    ///   - text: ends with a zero byte.
    ///   - isOver: whether the time is up.
    func compare(
        _ pattern: UnsafePointer<UInt8>, _ text: UnsafePointer<UInt8>, isOver: () -> Bool
    ) -> Outcome {
        var (pattern, text) = (pattern, text)
        /// Behind the last wildcard for any text, and the place that is tried for what comes there.
        var resume: (pattern: UnsafePointer<UInt8>, text: UnsafePointer<UInt8>)?
        var steps = 0
        while true {
            if steps >= PatternMatch.stepsPerCheck {
                steps = 0
                if isOver() { return .stopped }
            }
            steps += 1
            var next = pattern
            let character = PatternMatch.read(&next)
            if character == 0 {
                if text.pointee == 0 { return .matches }
            } else if character == any {
                if next.pointee == 0 { return .matches }
                pattern = next
                guard skip(to: pattern, &text) else { return .differs }
                resume = (pattern, text)
                continue
            } else if text.pointee == 0 {
                // Each further place has even less of the text behind it.
                return .differs
            } else if accepts(character, &next, &text, &steps) {
                pattern = next
                continue
            }
            guard var again = resume else { return .differs }
            PatternMatch.skipOne(&again.text)
            guard skip(to: again.pattern, &again.text) else { return .differs }
            resume = again
            (pattern, text) = again
        }
    }

    /// Goes on to the first place where an ordinary letter of ASCII that the pattern begins with may be; of anything else every
    /// place may be the one. False: there is none.
    private func skip(to pattern: UnsafePointer<UInt8>, _ text: inout UnsafePointer<UInt8>) -> Bool {
        let first = pattern.pointee
        let isOrdinary =
            first > 0 && first < 0x80 && first != any && first != one && first != escape
            && !(isGlob && first == UInt8(ascii: "["))
        guard isOrdinary else { return true }
        let other = isGlob ? first : PatternMatch.otherCase(first)
        while text.pointee != first, text.pointee != other {
            guard text.pointee != 0 else { return false }
            text += 1
        }
        return true
    }

    /// Whether the part of the pattern that begins with this character, which is read already, stands for the next character of
    /// the text. Then both go on.
    private func accepts(
        _ character: UInt32, _ pattern: inout UnsafePointer<UInt8>, _ text: inout UnsafePointer<UInt8>,
        _ steps: inout Int
    ) -> Bool {
        var behind = text
        let found = PatternMatch.read(&behind)
        let isAccepted: Bool
        if isGlob, character == "[" {
            isAccepted = PatternMatch.isInSet(found, &pattern, &steps)
        } else if escape != 0, character == escape {
            let escaped = PatternMatch.read(&pattern)
            isAccepted = escaped != 0 && isSame(escaped, found)
        } else {
            isAccepted = character == one || isSame(character, found)
        }
        if isAccepted { text = behind }
        return isAccepted
    }

    private func isSame(_ one: UInt32, _ other: UInt32) -> Bool {
        if one == other { return true }
        guard !isGlob, one < 0x80, other < 0x80 else { return false }
        return PatternMatch.otherCase(UInt8(one)) == UInt8(other)
    }

    /// Reads what is left of a set of GLOB, `[` being read: `[abc]`, `[a-z]`, `[^a]`; a `]` that comes first is a member. One
    /// without an end holds nothing.
    private static func isInSet(
        _ character: UInt32, _ pattern: inout UnsafePointer<UInt8>, _ steps: inout Int
    ) -> Bool {
        var member = read(&pattern)
        let isInverted = member == "^"
        if isInverted { member = read(&pattern) }
        var isMember = false
        if member == "]" {
            isMember = character == "]"
            member = read(&pattern)
        }
        /// Where a range can begin; 0: nowhere.
        var low: UInt32 = 0
        while member != 0, member != "]" {
            steps += 1
            if member == "-", low > 0, pattern.pointee != 0, pattern.pointee != UInt8(ascii: "]") {
                let high = read(&pattern)
                if character >= low, character <= high { isMember = true }
                low = 0
            } else {
                if character == member { isMember = true }
                low = member
            }
            member = read(&pattern)
        }
        return member != 0 && isMember != isInverted
    }

    // MARK: Characters

    /// Reads a character and goes behind it; at the end it stays there and gives 0.
    private static func read(_ place: inout UnsafePointer<UInt8>) -> UInt32 {
        let first = place.pointee
        guard first != 0 else { return 0 }
        place += 1
        guard first >= 0xC0 else { return UInt32(first) }
        // However many bytes follow that go on; and the first one says only how many of its own bits count.
        var value =
            switch first {
            case ..<0xE0: UInt32(first & 0x1F)
            case ..<0xF0: UInt32(first & 0x0F)
            case ..<0xF8: UInt32(first & 0x07)
            case ..<0xFC: UInt32(first & 0x03)
            case 0xFC, 0xFD: UInt32(first & 0x01)
            default: UInt32(0)
            }
        while place.pointee & 0xC0 == 0x80 {
            value = value << 6 &+ UInt32(place.pointee & 0x3F)
            place += 1
        }
        let isNone = value < 0x80 || value & 0xFFFF_F800 == 0xD800 || value & 0xFFFF_FFFE == 0xFFFE
        return isNone ? 0xFFFD : value
    }

    private static func skipOne(_ place: inout UnsafePointer<UInt8>) {
        let first = place.pointee
        guard first != 0 else { return }
        place += 1
        guard first >= 0xC0 else { return }
        while place.pointee & 0xC0 == 0x80 { place += 1 }
    }

    private static func otherCase(_ letter: UInt8) -> UInt8 {
        let folded = letter | 0x20
        return folded >= 0x61 && folded <= 0x7A ? letter ^ 0x20 : letter
    }
}

extension UInt32 {
    fileprivate static func == (number: UInt32, scalar: Unicode.Scalar) -> Bool { number == scalar.value }
    fileprivate static func != (number: UInt32, scalar: Unicode.Scalar) -> Bool { number != scalar.value }
}
