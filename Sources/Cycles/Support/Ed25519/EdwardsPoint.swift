/// A point of the curve −x² + y² = 1 + d·x²·y² (RFC 8032 section 5.1), in extended coordinates: x is X/Z, y is Y/Z, and
/// T is X·Y/Z. Its operations take a time that depends on the point: they are for public data, and for tests.
package struct EdwardsPoint: Sendable {
    private var x: FieldElement
    private var y: FieldElement
    private var z: FieldElement
    private var t: FieldElement

    private static let identity = EdwardsPoint(x: .zero, y: .one)

    /// The constant d of the curve: −121665/121666.
    private static let curveConstant = -(FieldElement(121_665) * FieldElement(121_666).inverse)
    private static let twiceCurveConstant = curveConstant + curveConstant

    /// The base point: y is 4/5, and x is even.
    package static let base: EdwardsPoint = {
        guard let point = EdwardsPoint(y: FieldElement(4) * FieldElement(5).inverse, hasNegativeX: false) else {
            preconditionFailure("The base point is on the curve")
        }
        return point
    }()

    private init(x: FieldElement, y: FieldElement) {
        self.x = x
        self.y = y
        z = .one
        t = x * y
    }

    private init?(y: FieldElement, hasNegativeX: Bool) {
        let square = y.squared
        let numerator = square - .one
        let denominator = EdwardsPoint.curveConstant * square + .one
        guard let root = numerator.squareRoot(dividedBy: denominator) else { return nil }
        // Zero has no sign: an encoding that gives it one is not canonical.
        if root.isZero && hasNegativeX { return nil }
        self.init(x: root.isNegative == hasNegativeX ? root : -root, y: y)
    }

    // MARK: Bytes

    /// Decodes 32 bytes (RFC 8032 section 5.1.3). Nil unless they are the canonical encoding of a point.
    package init?(decoding bytes: [UInt8]) {
        guard let y = FieldElement(canonical: bytes) else { return nil }
        self.init(y: y, hasNegativeX: bytes[31] & 0x80 != 0)
    }

    /// The encoding in 32 bytes (RFC 8032 section 5.1.2).
    package var encoded: [UInt8] {
        let inverse = z.inverse
        var bytes = (y * inverse).bytes
        if (x * inverse).isNegative { bytes[31] |= 0x80 }
        return bytes
    }

    /// Whether the order of the point divides 8.
    package var isOfSmallOrder: Bool {
        let multiple = doubled.doubled.doubled
        return multiple.x.isZero && multiple.y == multiple.z
    }

    // MARK: Arithmetic

    package static prefix func - (point: EdwardsPoint) -> EdwardsPoint {
        var result = point
        result.x = -point.x
        result.t = -point.t
        return result
    }

    private var doubled: EdwardsPoint {
        let (xx, yy) = (x.squared, y.squared)
        let zz = z.squared
        let sum = xx + yy
        let difference = yy - xx
        let cross = (x + y).squared - sum
        let rest = zz + zz - difference
        return EdwardsPoint(cross: cross, sum: sum, difference: difference, rest: rest)
    }

    /// The point of the four factors that doubling and addition end with.
    @inline(__always)
    private init(cross: FieldElement, sum: FieldElement, difference: FieldElement, rest: FieldElement) {
        x = cross * rest
        y = sum * difference
        z = rest * difference
        t = cross * sum
    }

    /// A summand in the form that makes additions cheap.
    private struct Summand {
        let sum: FieldElement
        let difference: FieldElement
        let twiceZ: FieldElement
        let scaledT: FieldElement

        init(_ point: EdwardsPoint) {
            sum = point.y + point.x
            difference = point.y - point.x
            twiceZ = point.z + point.z
            scaledT = point.t * EdwardsPoint.twiceCurveConstant
        }
    }

    private func adding(_ other: Summand, isNegative: Bool = false) -> EdwardsPoint {
        // The negative of a point has the sum and the difference exchanged, and −T.
        let plus = (y + x) * (isNegative ? other.difference : other.sum)
        let minus = (y - x) * (isNegative ? other.sum : other.difference)
        let product = t * other.scaledT
        let twice = z * other.twiceZ
        let (larger, smaller) = isNegative ? (twice - product, twice + product) : (twice + product, twice - product)
        return EdwardsPoint(cross: plus - minus, sum: plus + minus, difference: larger, rest: smaller)
    }

    // MARK: Multiples

    /// The multiples of a point with the factors 1, 3, 5 and so on.
    private func oddMultiples(_ count: Int) -> [Summand] {
        var point = self
        let step = Summand(doubled)
        var multiples = [Summand(point)]
        while multiples.count < count {
            point = point.adding(step)
            multiples.append(Summand(point))
        }
        return multiples
    }

    private static let baseWidth = 8
    private static let pointWidth = 5
    private static let baseMultiples = base.oddMultiples(1 << (baseWidth - 2))

    /// `first` times a point plus `second` times the base point, in one pass over both scalars.
    package static func sum(_ first: Ed25519Scalar, _ point: EdwardsPoint, _ second: Ed25519Scalar) -> EdwardsPoint {
        let multiples = point.oddMultiples(1 << (pointWidth - 2))
        let (firstDigits, secondDigits) = (first.sparseDigits(width: pointWidth), second.sparseDigits(width: baseWidth))
        var result = identity
        guard var index = firstDigits.indices.last(where: { firstDigits[$0] != 0 || secondDigits[$0] != 0 }) else {
            return result
        }
        while index >= 0 {
            result = result.doubled
            result.add(firstDigits[index], of: multiples)
            result.add(secondDigits[index], of: baseMultiples)
            index -= 1
        }
        return result
    }

    private mutating func add(_ digit: Int, of multiples: [Summand]) {
        if digit != 0 { self = adding(multiples[abs(digit) / 2], isNegative: digit < 0) }
    }
}
