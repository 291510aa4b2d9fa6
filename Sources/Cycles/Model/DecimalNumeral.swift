/// A number without a sign, as decimal digits and a power of ten: `2.50` is 250 and -2.
struct DecimalNumeral: Hashable, Sendable {
    /// The values of the digits, 0 to 9, the most significant first.
    private let digits: [UInt8]
    /// The exponent of ten of the last digit.
    private let exponent: Int

    /// The number of digits before the point, leading zeros included.
    let wholeDigits: Int
    /// The number of digits after the point, trailing zeros included.
    let fractionDigits: Int

    /// Parses digits, optionally followed by a point and digits. Returns nil for any other text.
    init?(_ text: some Collection<UInt8>) {
        self.init(text, exponent: 0)
    }

    /// Creates the shortest decimal that denotes the magnitude of a number; nil for NaN and infinities.
    init?(_ number: Double) {
        // The standard library's description has the fewest digits that denote the number, and may have an exponent.
        let parts = number.magnitude.description.utf8.split(separator: UInt8(ascii: "e"))
        guard let mantissa = parts.first else { return nil }
        let exponent = parts.count == 2 ? Int(String(decoding: parts[1], as: UTF8.self)) : 0
        guard let exponent else { return nil }
        self.init(mantissa, exponent: exponent)
    }

    private init?(_ text: some Collection<UInt8>, exponent: Int) {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy { $0 &- 0x30 < 10 } }) else {
            return nil
        }
        wholeDigits = parts[0].count
        fractionDigits = parts.count == 2 ? parts[1].count : 0
        digits = parts.joined().map { $0 - 0x30 }
        self.exponent = exponent - fractionDigits
    }

    /// Returns the number in units of a power of ten, rounded up; nil if the result exceeds `Int64.max`.
    /// - Parameter places: The decimal places of the unit, such as 8 for microcents of a dollar.
    func rounded(toPlaces places: Int) -> Int64? {
        let shift = exponent + places
        // Digits below the unit decide only whether to round up.
        let kept = shift < 0 ? digits.dropLast(-shift) : digits[...]
        let isRoundedUp = digits.dropFirst(kept.count).contains { $0 != 0 }
        var value: Int64 = 0
        for digit in kept {
            guard let next = DecimalNumeral.appending(digit, to: value) else { return nil }
            value = next
        }
        var zeros = max(0, shift)
        while zeros > 0, value != 0 {
            guard let next = DecimalNumeral.appending(0, to: value) else { return nil }
            (value, zeros) = (next, zeros - 1)
        }
        let (sum, overflow) = value.addingReportingOverflow(isRoundedUp ? 1 : 0)
        return overflow ? nil : sum
    }

    private static func appending(_ digit: UInt8, to value: Int64) -> Int64? {
        let (product, overflow) = value.multipliedReportingOverflow(by: 10)
        guard !overflow else { return nil }
        let (sum, carry) = product.addingReportingOverflow(Int64(digit))
        return carry ? nil : sum
    }
}
