/// An integer modulo 2²⁵⁵ − 19, in five limbs of 51 bits.
///
/// Limbs are below 2⁵² after each operation except ``+``, whose result may have one bit more for each addition. Factors may
/// have limbs below 2⁵⁴.
struct FieldElement: Sendable {
    private var limb0: UInt64
    private var limb1: UInt64
    private var limb2: UInt64
    private var limb3: UInt64
    private var limb4: UInt64

    private static let mask: UInt64 = 1 << 51 - 1

    static let zero = FieldElement(0)
    static let one = FieldElement(1)

    init(_ value: UInt32) { self.init(UInt64(value), 0, 0, 0, 0) }

    @inline(__always)
    private init(_ limb0: UInt64, _ limb1: UInt64, _ limb2: UInt64, _ limb3: UInt64, _ limb4: UInt64) {
        self.limb0 = limb0
        self.limb1 = limb1
        self.limb2 = limb2
        self.limb3 = limb3
        self.limb4 = limb4
    }

    // MARK: Bytes

    /// Reads 32 bytes, the lowest first, without the highest bit. Nil unless the rest is below the modulus.
    init?(canonical bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        var words = (UInt64(0), UInt64(0), UInt64(0), UInt64(0))
        for index in (0..<8).reversed() {
            words.0 = words.0 << 8 | UInt64(bytes[index])
            words.1 = words.1 << 8 | UInt64(bytes[index + 8])
            words.2 = words.2 << 8 | UInt64(bytes[index + 16])
            words.3 = words.3 << 8 | UInt64(bytes[index + 24])
        }
        let mask = FieldElement.mask
        self.init(
            words.0 & mask,
            (words.0 >> 51 | words.1 << 13) & mask,
            (words.1 >> 38 | words.2 << 26) & mask,
            (words.2 >> 25 | words.3 << 39) & mask,
            words.3 >> 12 & mask
        )
        var copy = bytes
        copy[31] &= 0x7f
        guard self.bytes == copy else { return nil }
    }

    /// The least non-negative representative in 32 bytes, the lowest first.
    var bytes: [UInt8] {
        let mask = FieldElement.mask
        var value = self.carried.carried
        // Adding 19 carries out of 255 bits exactly if the value is not below the modulus.
        var carry = (value.limb0 + 19) >> 51
        carry = (value.limb1 + carry) >> 51
        carry = (value.limb2 + carry) >> 51
        carry = (value.limb3 + carry) >> 51
        carry = (value.limb4 + carry) >> 51
        value.limb0 += 19 * carry
        value.limb1 += value.limb0 >> 51
        value.limb2 += value.limb1 >> 51
        value.limb3 += value.limb2 >> 51
        value.limb4 += value.limb3 >> 51
        let limbs = [value.limb0, value.limb1, value.limb2, value.limb3, value.limb4].map { $0 & mask }
        let words = [
            limbs[0] | limbs[1] << 51, limbs[1] >> 13 | limbs[2] << 38, limbs[2] >> 26 | limbs[3] << 25,
            limbs[3] >> 39 | limbs[4] << 12,
        ]
        return words.flatMap { word in withUnsafeBytes(of: word.littleEndian) { Array($0) } }
    }

    var isZero: Bool { bytes.allSatisfy { $0 == 0 } }

    /// The lowest bit of the least non-negative representative: the sign of a coordinate (RFC 8032 section 5.1.2).
    var isNegative: Bool { bytes[0] & 1 == 1 }

    static func == (left: FieldElement, right: FieldElement) -> Bool { (left - right).isZero }

    // MARK: Sums

    @inline(__always)
    static func + (left: FieldElement, right: FieldElement) -> FieldElement {
        FieldElement(
            left.limb0 &+ right.limb0,
            left.limb1 &+ right.limb1,
            left.limb2 &+ right.limb2,
            left.limb3 &+ right.limb3,
            left.limb4 &+ right.limb4
        )
    }

    @inline(__always)
    static func - (left: FieldElement, right: FieldElement) -> FieldElement {
        // Sixteen times the modulus keeps each limb from going below zero.
        let (first, others): (UInt64, UInt64) = (16 &* (1 << 51 &- 19), 16 &* (1 << 51 &- 1))
        return FieldElement(
            left.limb0 &+ first &- right.limb0,
            left.limb1 &+ others &- right.limb1,
            left.limb2 &+ others &- right.limb2,
            left.limb3 &+ others &- right.limb3,
            left.limb4 &+ others &- right.limb4
        ).carried
    }

    static prefix func - (value: FieldElement) -> FieldElement { zero - value }

    /// The same value with limbs below 2⁵².
    private var carried: FieldElement {
        @inline(__always) get {
            let mask = FieldElement.mask
            return FieldElement(
                limb0 & mask &+ 19 &* (limb4 >> 51),
                limb1 & mask &+ limb0 >> 51,
                limb2 & mask &+ limb1 >> 51,
                limb3 & mask &+ limb2 >> 51,
                limb4 & mask &+ limb3 >> 51
            )
        }
    }

    // MARK: Products

    static func * (left: FieldElement, right: FieldElement) -> FieldElement {
        // A product of limbs beyond 2²⁵⁵ counts 19 times: 2²⁵⁵ is 19.
        let (right1, right2) = (right.limb1 &* 19, right.limb2 &* 19)
        let (right3, right4) = (right.limb3 &* 19, right.limb4 &* 19)
        let sum0 =
            wide(left.limb0, right.limb0) &+ wide(left.limb4, right1) &+ wide(left.limb3, right2)
            &+ wide(left.limb2, right3) &+ wide(left.limb1, right4)
        let sum1 =
            wide(left.limb1, right.limb0) &+ wide(left.limb0, right.limb1) &+ wide(left.limb4, right2)
            &+ wide(left.limb3, right3) &+ wide(left.limb2, right4)
        let sum2 =
            wide(left.limb2, right.limb0) &+ wide(left.limb1, right.limb1) &+ wide(left.limb0, right.limb2)
            &+ wide(left.limb4, right3) &+ wide(left.limb3, right4)
        let sum3 =
            wide(left.limb3, right.limb0) &+ wide(left.limb2, right.limb1) &+ wide(left.limb1, right.limb2)
            &+ wide(left.limb0, right.limb3) &+ wide(left.limb4, right4)
        let sum4 =
            wide(left.limb4, right.limb0) &+ wide(left.limb3, right.limb1) &+ wide(left.limb2, right.limb2)
            &+ wide(left.limb1, right.limb3) &+ wide(left.limb0, right.limb4)
        return FieldElement(sum0, sum1, sum2, sum3, sum4)
    }

    var squared: FieldElement {
        let (twice0, twice1) = (limb0 &* 2, limb1 &* 2)
        let (times3, times4) = (limb3 &* 19, limb4 &* 19)
        let sum0 = wide(limb0, limb0) &+ wide(twice1, times4) &+ wide(limb2 &* 2, times3)
        let sum1 = wide(limb3, times3) &+ wide(twice0, limb1) &+ wide(limb2 &* 2, times4)
        let sum2 = wide(limb1, limb1) &+ wide(twice0, limb2) &+ wide(limb3 &* 2, times4)
        let sum3 = wide(limb4, times4) &+ wide(twice0, limb3) &+ wide(twice1, limb2)
        let sum4 = wide(limb2, limb2) &+ wide(twice0, limb4) &+ wide(twice1, limb3)
        return FieldElement(sum0, sum1, sum2, sum3, sum4)
    }

    /// Carries the sums of products into limbs.
    @inline(__always)
    private init(_ sum0: UInt128, _ sum1: UInt128, _ sum2: UInt128, _ sum3: UInt128, _ sum4: UInt128) {
        let mask = FieldElement.mask
        let next1 = sum1 &+ (sum0 &>> 51)
        let next2 = sum2 &+ (next1 &>> 51)
        let next3 = sum3 &+ (next2 &>> 51)
        let next4 = sum4 &+ (next3 &>> 51)
        let last = UInt64(truncatingIfNeeded: next4 &>> 51) &* 19 &+ UInt64(truncatingIfNeeded: sum0) & mask
        self.init(
            last & mask,
            UInt64(truncatingIfNeeded: next1) & mask &+ last >> 51,
            UInt64(truncatingIfNeeded: next2) & mask,
            UInt64(truncatingIfNeeded: next3) & mask,
            UInt64(truncatingIfNeeded: next4) & mask
        )
    }

    // MARK: Powers

    private func squared(times count: Int) -> FieldElement {
        var value = self
        for _ in 0..<count { value = value.squared }
        return value
    }

    /// The powers with the exponents 2²⁵⁰ − 1 and 11, of which the other exponents are made.
    private var longPowers: (ones250: FieldElement, eleven: FieldElement) {
        let two = squared
        let nine = two.squared(times: 2) * self
        let eleven = nine * two
        let ones5 = eleven.squared * nine
        let ones10 = ones5.squared(times: 5) * ones5
        let ones20 = ones10.squared(times: 10) * ones10
        let ones40 = ones20.squared(times: 20) * ones20
        let ones50 = ones40.squared(times: 10) * ones10
        let ones100 = ones50.squared(times: 50) * ones50
        let ones200 = ones100.squared(times: 100) * ones100
        return (ones200.squared(times: 50) * ones50, eleven)
    }

    /// The reciprocal: the power with the exponent 2²⁵⁵ − 21. Zero for zero.
    var inverse: FieldElement {
        let powers = longPowers
        return powers.ones250.squared(times: 5) * powers.eleven
    }

    /// The square root of −1 that is used here: 2 to the power of 2²⁵³ − 5.
    static let rootOfMinusOne: FieldElement = {
        let two = FieldElement(2)
        // 2²⁵³ − 5 is 8 · (2²⁵⁰ − 1) + 3.
        return two.longPowers.ones250.squared(times: 3) * two * two * two
    }()

    /// A square root of `self` divided by another element; nil if there is none (RFC 8032 section 5.1.3).
    func squareRoot(dividedBy divisor: FieldElement) -> FieldElement? {
        let cube = divisor.squared * divisor
        let seventh = cube.squared * divisor
        // The exponent 2²⁵² − 3 is 4 · (2²⁵⁰ − 1) + 1.
        let base = self * seventh
        let power = base.longPowers.ones250.squared(times: 2) * base
        let root = self * cube * power
        let square = divisor * root.squared
        if square == self { return root }
        return square == -self ? root * FieldElement.rootOfMinusOne : nil
    }
}

@inline(__always)
private func wide(_ left: UInt64, _ right: UInt64) -> UInt128 { UInt128(left) &* UInt128(right) }
