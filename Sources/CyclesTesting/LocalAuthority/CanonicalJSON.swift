import Cycles

extension JSONValue {
    /// The whole number that this is, however it is spelled; nil if it is none that fits.
    var wholeNumber: Int64? {
        guard case .number(let number) = self else { return nil }
        if let plain = number.int64 { return plain }
        return try? JSONReader.document(encoded) { reader throws(JSONError) in try reader.readInt64() }
    }

    /// The same with numbers spelled in one way, so that what is equal is so byte by byte (specification: IDEMPOTENCY, on
    /// canonical JSON).
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
