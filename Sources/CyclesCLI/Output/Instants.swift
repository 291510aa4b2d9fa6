#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Formats times for people.
enum Instants {
    /// `2026-11-25 09:12:00Z`, from milliseconds since 1970.
    static func text(_ milliseconds: Int64) -> String {
        guard let parts = parts(milliseconds) else { return "\(milliseconds) ms" }
        let date = [Int(parts.tm_year) + 1_900, Int(parts.tm_mon) + 1, Int(parts.tm_mday)].map(padded)
        return date.joined(separator: "-") + " " + clock(parts) + "Z"
    }

    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// Formats an HTTP date such as `Wed, 25 Nov 2026 09:12:00 GMT` (RFC 9110 section 5.6.7); nil if it is out of
    /// range.
    static func httpDate(_ milliseconds: Int64) -> String? {
        guard let parts = parts(milliseconds) else { return nil }
        let (day, month) = (days[Int(parts.tm_wday)], months[Int(parts.tm_mon)])
        return "\(day), \(padded(Int(parts.tm_mday))) \(month) \(Int(parts.tm_year) + 1_900) \(clock(parts)) GMT"
    }

    /// Whole milliseconds of a duration, rounded towards zero.
    static func milliseconds(_ span: Duration) -> Int64 {
        span.components.seconds * 1_000 + span.components.attoseconds / 1_000_000_000_000_000
    }

    /// Parses an HTTP date into milliseconds since 1970; nil for other texts.
    static func milliseconds(httpDate text: String) -> Int64? {
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", let day = Int32(words[1]), let year = Int32(words[3]),
            (1...31).contains(day), (1_000...9_999).contains(year),
            let month = months.firstIndex(of: String(words[2]))
        else { return nil }
        let clock = words[4].split(separator: ":").compactMap { Int32($0) }
        guard clock.count == 3, clock.allSatisfy({ (0...60).contains($0) }) else { return nil }
        var parts = tm()
        parts.tm_year = year - 1_900
        parts.tm_mon = Int32(month)
        parts.tm_mday = day
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (clock[0], clock[1], clock[2])
        return Int64(timegm(&parts)) * 1_000
    }

    private static func parts(_ milliseconds: Int64) -> tm? {
        var time = time_t(milliseconds / 1_000 - (milliseconds % 1_000 < 0 ? 1 : 0))
        var parts = tm()
        return gmtime_r(&time, &parts) == nil ? nil : parts
    }

    private static func clock(_ parts: tm) -> String {
        [Int(parts.tm_hour), Int(parts.tm_min), Int(parts.tm_sec)].map(padded).joined(separator: ":")
    }

    private static func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

    /// Milliseconds since 1970, by the system's clock.
    static var now: Int64 { Int64(time(nil)) * 1_000 }

    /// Formats a duration in its most useful unit: `45 s`, `3 min`, `2 h`, `5 d`.
    static func span(_ milliseconds: Int64) -> String {
        let seconds = max(0, milliseconds) / 1_000
        return switch seconds {
        case ..<100: "\(seconds) s"
        case ..<6_000: "\(seconds / 60) min"
        case ..<172_800: "\(seconds / 3_600) h"
        default: "\(seconds / 86_400) d"
        }
    }
}
