/// An integer modulo the order of the base point, L = 2²⁵² + 27742317777372353535851937790883648493 (RFC 8032 section 5.1).
package struct Ed25519Scalar: Sendable {
    /// Below L, the lowest word first.
    private var words: SIMD4<UInt64>

    private static let order = SIMD4<UInt64>(
        0x5812_631a_5cf5_d3ed,
        0x14de_f9de_a2f7_9cd6,
        0,
        0x1000_0000_0000_0000
    )

    package static let zero = Ed25519Scalar(words: .zero)

    private init(words: SIMD4<UInt64>) { self.words = words }

    /// Reads 32 bytes, the lowest first. Nil unless their number is below L.
    package init?(canonical bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        words = .zero
        for (index, byte) in bytes.enumerated() { words[index / 8] |= UInt64(byte) << (UInt64(index % 8) * 8) }
        guard Ed25519Scalar.isBelowOrder(words) else { return nil }
    }

    /// Reduces any number of bytes, the lowest first.
    package init(reducing bytes: some BidirectionalCollection<UInt8>) {
        words = .zero
        for byte in bytes.reversed() {
            for shift in (0..<8).reversed() { appendBit(UInt64(byte >> UInt8(shift) & 1)) }
        }
    }

    /// The number in 32 bytes, the lowest first.
    package var bytes: [UInt8] {
        (0..<4).flatMap { index in withUnsafeBytes(of: words[index].littleEndian) { Array($0) } }
    }

    /// Doubles the number and adds a bit. Twice a number below L fits, and is below 2L.
    private mutating func appendBit(_ bit: UInt64) {
        let carries = SIMD4<UInt64>(bit, words[0] >> 63, words[1] >> 63, words[2] >> 63)
        words = words &<< 1 | carries
        if !Ed25519Scalar.isBelowOrder(words) { subtractOrder() }
    }

    private static func isBelowOrder(_ words: SIMD4<UInt64>) -> Bool {
        for index in (0..<4).reversed() where words[index] != order[index] { return words[index] < order[index] }
        return false
    }

    private mutating func subtractOrder() {
        var borrow: UInt64 = 0
        for index in 0..<4 {
            let (first, firstBorrow) = words[index].subtractingReportingOverflow(Ed25519Scalar.order[index])
            let (second, secondBorrow) = first.subtractingReportingOverflow(borrow)
            words[index] = second
            borrow = firstBorrow || secondBorrow ? 1 : 0
        }
    }

    /// Digits for the powers of two, of which most are zero: a digit that is not is odd, below 2^(width−1) in magnitude,
    /// and followed by at least width − 1 zeros (the width-w non-adjacent form).
    func sparseDigits(width: Int) -> [Int] {
        var digits = [Int](repeating: 0, count: 256)
        var position = 0
        var carry = 0
        while position < 256 {
            let window = bits(position, count: width) + carry
            if window & 1 == 0 {
                position += 1
                continue
            }
            let isUpperHalf = window >= 1 << (width - 1)
            digits[position] = isUpperHalf ? window - 1 << width : window
            carry = isUpperHalf ? 1 : 0
            position += width
        }
        return digits
    }

    private func bits(_ position: Int, count: Int) -> Int {
        let (word, shift) = (position / 64, UInt64(position % 64))
        var value = words[word] >> shift
        if shift > 0, word < 3 { value |= words[word + 1] << (64 - shift) }
        return Int(value & (1 << UInt64(count) - 1))
    }
}
