/// Formats and parses timestamps (RFC 3339), in UTC and with milliseconds.
package enum InternetTimestamp {
    /// The range of a year with four digits: the first instant of year 0 to the last of year 9999.
    package static let range: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999

    /// Returns the text of an instant in ``range``; nil outside the range.
    package static func format(milliseconds: Int64) -> String? {
        guard range.contains(milliseconds) else { return nil }
        let (day, milliOfDay) = floorDivide(milliseconds, 86_400_000)
        let (year, month, dayOfMonth) = civil(fromDay: day)
        func padded(_ value: Int64, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        return padded(year, 4) + "-" + padded(month, 2) + "-" + padded(dayOfMonth, 2) + "T"
            + padded(milliOfDay / 3_600_000, 2) + ":" + padded(milliOfDay / 60_000 % 60, 2) + ":"
            + padded(milliOfDay / 1_000 % 60, 2) + "." + padded(milliOfDay % 1_000, 3) + "Z"
    }

    /// Parses a timestamp with `Z` or an offset and any number of fraction digits. Drops digits beyond the
    /// milliseconds. Returns nil for an invalid date-time.
    package static func parse(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        var position = 0
        func number(_ width: Int) -> Int64? {
            guard position + width <= bytes.count else { return nil }
            var value: Int64 = 0
            for byte in bytes[position..<(position + width)] {
                guard byte &- 0x30 < 10 else { return nil }
                value = value * 10 + Int64(byte - 0x30)
            }
            position += width
            return value
        }
        func accept(_ characters: String) -> UInt8? {
            guard position < bytes.count, characters.utf8.contains(bytes[position]) else { return nil }
            position += 1
            return bytes[position - 1]
        }
        guard let year = number(4), accept("-") != nil, let month = number(2), accept("-") != nil,
            let day = number(2), accept("Tt ") != nil, let hour = number(2), accept(":") != nil,
            let minute = number(2), accept(":") != nil, let second = number(2),
            (1...12).contains(month), (1...daysInMonth(month, year: year)).contains(day),
            hour < 24, minute < 60, second < 61
        else { return nil }
        var fraction: Int64 = 0
        if accept(".") != nil {
            let first = position
            while let digit = number(1) {
                if position - first <= 3 { fraction = fraction * 10 + digit }
            }
            guard position > first else { return nil }
            for _ in 0..<max(0, 3 - (position - first)) { fraction *= 10 }
        }
        var offset: Int64 = 0
        if accept("Zz") == nil {
            guard let sign = accept("+-"), let hours = number(2), accept(":") != nil, let minutes = number(2),
                hours < 24, minutes < 60
            else { return nil }
            offset = (hours * 60 + minutes) * 60_000 * (sign == UInt8(ascii: "-") ? -1 : 1)
        }
        guard position == bytes.count else { return nil }
        let days = self.day(year: year, month: month, dayOfMonth: day)
        return days * 86_400_000 + hour * 3_600_000 + minute * 60_000 + second * 1_000 + fraction - offset
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    private static func daysInMonth(_ month: Int64, year: Int64) -> Int64 {
        if month == 2 { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28 }
        return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31
    }

    /// Days since 1970-01-01. Counts a year from March, so that the leap day is its last.
    private static func day(year: Int64, month: Int64, dayOfMonth: Int64) -> Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let monthFromMarch = (month + 9) % 12
        let (era, yearOfEra) = floorDivide(shiftedYear, 400)
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + dayOfMonth - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(fromDay day: Int64) -> (year: Int64, month: Int64, dayOfMonth: Int64) {
        let (era, dayOfEra) = floorDivide(day + 719_468, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = (monthFromMarch + 2) % 12 + 1
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }
}
