/// The one form of the moments in DATETIME and TIMESTAMP columns: `YYYY-MM-DD HH:MM:SS` in UTC, with a fraction of a second
/// where there is one (`2026-01-31 14:30:00.25`, no zeros at its end).
///
/// SQLite writes its own times so, upstream reads all times back so, people see them so, and texts of this form are in the
/// order of the moments. Upstream stores its automatic ones as RFC 3339 and reads both.
/// Source: peer wire reference, sections 4 and 6.
package enum TimeText {
    /// True for the declared types whose texts are times, in any letter case.
    package static func isTime(declaredType type: String) -> Bool {
        // Asked for each value that is written: most types are told apart by their length.
        guard (8...9).contains(type.utf8.count) else { return false }
        let type = type.uppercased()
        return type == "DATETIME" || type == "TIMESTAMP"
    }

    /// A moment in the one form: on writing it is what is stored, on reading it is what is made of other forms in older files.
    ///
    /// Read are RFC 3339 with any zone (`2026-01-31T14:30:00.250Z`, `…+02:00`), and the one form itself, also without its
    /// seconds. Every other text stays as it is, among them `2026-01-31T14:30`: without a zone it names no moment.
    package static func normalized(_ text: String) -> String {
        let bytes = text.utf8
        guard (16...35).contains(bytes.count) else { return text }
        if bytes.count == 19, bytes[bytes.index(bytes.startIndex, offsetBy: 10)] == UInt8(ascii: " ") { return text }
        return Moment(Array(bytes))?.text ?? text
    }

    /// A text that is compared with times, in the form that `sql(of:)` gives them.
    static func compared(_ text: String) -> String {
        let moment = normalized(text)
        guard moment == text, isDated(text), text.utf8.count > 11 else { return moment }
        var bytes = Array(text.utf8)
        guard bytes[10] == UInt8(ascii: "T") else { return text }
        bytes[10] = UInt8(ascii: " ")
        if bytes.last == UInt8(ascii: "Z") { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Whether a text begins with a date: only then it is compared as a time.
    static func isDated(_ text: String) -> Bool {
        let start = Array(text.utf8.prefix(10))
        return start.count == 10
            && start.indices.allSatisfy { index in
                index == 4 || index == 7 ? start[index] == UInt8(ascii: "-") : (0x30...0x39).contains(start[index])
            }
    }

    /// RFC 3339 of a time in the one form without a fraction, as upstream and earlier versions stored automatic ones; nil for
    /// every other text.
    package static func automaticOfOld(_ text: String) -> String? {
        var bytes = Array(text.utf8)
        guard bytes.count == 19, isDated(text), bytes[10] == UInt8(ascii: " ") else { return nil }
        bytes[10] = UInt8(ascii: "T")
        return String(decoding: bytes, as: UTF8.self) + "Z"
    }

    /// A column's value as SQL, RFC 3339 in UTC in the one form and everything else as it is: rows of upstream and of earlier
    /// versions are compared with those of today. It calls `substr` and `rtrim` only.
    ///
    /// - Parameter column: its name, quoted.
    static func sql(of column: String) -> String {
        """
        CASE WHEN substr(\(column), 5, 1) = '-' AND substr(\(column), 11, 1) = 'T' \
        THEN substr(\(column), 1, 10) || ' ' || CASE WHEN substr(\(column), 20, 1) = '.' \
        THEN rtrim(rtrim(rtrim(substr(\(column), 12), 'Z'), '0'), '.') ELSE rtrim(substr(\(column), 12), 'Z') END \
        ELSE \(column) END
        """
    }
}

/// A moment that a text names, to the fraction of a second that it has.
private struct Moment {
    /// Minutes since 0000-01-01 00:00 UTC, in the Gregorian calendar.
    private let minutes: Int
    /// Two digits, and the fraction with its point.
    private let seconds: String

    /// Reads a text; nil if it is no moment, or one of a leap second or another age.
    init?(_ bytes: [UInt8]) {
        func number(_ start: Int, _ count: Int) -> Int? {
            guard start + count <= bytes.count else { return nil }
            var value = 0
            for byte in bytes[start..<start + count] {
                guard (0x30...0x39).contains(byte) else { return nil }
                value = value * 10 + Int(byte - 0x30)
            }
            return value
        }
        func isSign(_ sign: Unicode.Scalar, at index: Int) -> Bool {
            index < bytes.count && bytes[index] == UInt8(ascii: sign)
        }
        guard let year = number(0, 4), isSign("-", at: 4), let month = number(5, 2), isSign("-", at: 7),
            let day = number(8, 2), let hour = number(11, 2), isSign(":", at: 13), let minute = number(14, 2),
            (1...12).contains(month), (1...Moment.days(in: month, of: year)).contains(day), hour < 24, minute < 60
        else { return nil }
        let hasLetter = isSign("T", at: 10) || isSign("t", at: 10)
        guard hasLetter || isSign(" ", at: 10) else { return nil }
        var end = 16
        var seconds = "00"
        if isSign(":", at: end) {
            guard let second = number(17, 2), second < 60 else { return nil }
            end = 19
            seconds = Moment.padded(second, 2)
            if isSign(".", at: end) {
                let digits = bytes[20...].prefix { (0x30...0x39).contains($0) }
                guard (1...9).contains(digits.count) else { return nil }
                end += 1 + digits.count
                let kept = digits.prefix(through: digits.lastIndex { $0 != 0x30 } ?? digits.startIndex - 1)
                if !kept.isEmpty { seconds += "." + String(decoding: kept, as: UTF8.self) }
            }
        }
        var offset = 0
        switch bytes.count - end {
        case 0 where !hasLetter: break
        case 1 where isSign("Z", at: end) || isSign("z", at: end): break
        case 6 where (isSign("+", at: end) || isSign("-", at: end)) && isSign(":", at: end + 3):
            guard let hours = number(end + 1, 2), let more = number(end + 4, 2), hours < 24, more < 60 else {
                return nil
            }
            offset = (hours * 60 + more) * (isSign("-", at: end) ? -1 : 1)
        default: return nil
        }
        minutes =
            (Moment.daysBefore(year) + Moment.daysBefore(month, of: year) + day - 1) * 1440
            + hour * 60 + minute - offset
        self.seconds = seconds
        guard (0..<Moment.daysBefore(10_000) * 1440).contains(minutes) else { return nil }
    }

    /// In the one form.
    var text: String {
        let (days, minute) = minutes.quotientAndRemainder(dividingBy: 1440)
        // Never too large: a year has 365 days at least.
        var year = min(days / 365, 9999)
        while Moment.daysBefore(year) > days { year -= 1 }
        var month = 12
        while Moment.daysBefore(year) + Moment.daysBefore(month, of: year) > days { month -= 1 }
        let day = days - Moment.daysBefore(year) - Moment.daysBefore(month, of: year) + 1
        func two(_ number: Int) -> String { Moment.padded(number, 2) }
        return "\(Moment.padded(year, 4))-\(two(month))-\(two(day)) \(two(minute / 60)):\(two(minute % 60)):\(seconds)"
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    private static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    private static func days(in month: Int, of year: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days of the years from 0 that are before one.
    private static func daysBefore(_ year: Int) -> Int {
        year * 365 + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400
    }

    private static func daysBefore(_ month: Int, of year: Int) -> Int {
        (1..<month).reduce(0) { $0 + days(in: $1, of: year) }
    }
}
