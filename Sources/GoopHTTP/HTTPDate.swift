import FoundationEssentials

/// Dates as HTTP and JSON want them.
enum HTTPDate {
    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    /// 31 December 9999; later instants are written as this one.
    private static let lastMillisecond: Int64 = 253_402_300_799_999

    /// The form of the `Date` header field, for example `Tue, 24 Nov 2026 05:55:06 GMT`.
    /// Source: RFC 9110, section 5.6.7 (IMF-fixdate).
    static func headerValue(unixSeconds: Int64) -> String {
        let civil = Civil(unixSeconds: min(max(unixSeconds, 0), lastMillisecond / 1000))
        return "\(weekdays[civil.days % 7]), \(two(civil.day)) \(months[civil.month - 1]) \(four(civil.year)) "
            + "\(two(civil.hour)):\(two(civil.minute)):\(two(civil.second)) GMT"
    }

    /// The form of RFC 3339 with milliseconds, in UTC.
    static func rfc3339(unixMilliseconds: Int64) -> String {
        let milliseconds = min(max(unixMilliseconds, 0), lastMillisecond)
        let civil = Civil(unixSeconds: milliseconds / 1000)
        let fraction = String(1000 + milliseconds % 1000).dropFirst()
        return "\(four(civil.year))-\(two(civil.month))-\(two(civil.day))T"
            + "\(two(civil.hour)):\(two(civil.minute)):\(two(civil.second)).\(fraction)Z"
    }

    /// Seconds since 1970 on this machine's clock.
    static func unixSecondsNow() -> Int64 { Int64(Date().timeIntervalSince1970) }
    /// Milliseconds since 1970 on this machine's clock.
    static func unixMillisecondsNow() -> Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

    private static func two(_ value: Int) -> Substring { String(100 + value).dropFirst() }
    private static func four(_ value: Int) -> Substring { String(10_000 + value).dropFirst() }

    private struct Civil {
        var days, year, month, day, hour, minute, second: Int

        /// `unixSeconds` is not negative.
        init(unixSeconds: Int64) {
            days = Int(unixSeconds / 86_400)
            let secondOfDay = Int(unixSeconds % 86_400)
            (hour, minute, second) = (secondOfDay / 3600, secondOfDay / 60 % 60, secondOfDay % 60)
            // Days are counted from 1 March of year 0, so that the leap day ends a year; an era has 400 years.
            let shifted = days + 719_468
            let (era, dayOfEra) = (shifted / 146_097, shifted % 146_097)
            let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
            let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
            let shiftedMonth = (5 * dayOfYear + 2) / 153
            day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
            month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
            year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        }
    }
}
