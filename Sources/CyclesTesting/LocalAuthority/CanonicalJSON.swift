import Cycles

extension JSONValue {
    /// The value as an `Int64` in any spelling, such as `5.0`; nil for other values.
    var wholeNumber: Int64? {
        guard case .number(let number) = self else { return nil }
        if let plain = number.int64 { return plain }
        return try? JSONReader.document(encoded) { reader throws(JSONError) in try reader.readInt64() }
    }

    /// The value with each number in a canonical spelling, so that equal values have equal bytes (specification:
    /// IDEMPOTENCY, on canonical JSON).
    var canonical: JSONValue {
        switch self {
        case .number(let number):
            if let whole = wholeNumber { return .number(JSONNumber(whole)) }
            return JSONNumber(number.double).map(JSONValue.number) ?? self
        case .array(let elements): return .array(elements.map(\.canonical))
        case .object(let members): return .object(members.mapValues(\.canonical))
        default: return self
        }
    }
}
