/// An error in the form or content of a JSON document.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Reason: Hashable, Sendable {
        /// The bytes are not JSON (RFC 8259).
        case malformed(String)
        /// A value is of another type or out of range.
        case mismatch(expected: String)
        /// A whole number does not fit in 64 bits.
        case overflow
        /// A required member is absent.
        case missing
    }

    package var reason: Reason
    /// The position of the error in bytes.
    package var offset: Int
    /// The names of the enclosing members, outermost first.
    package var path: [String] = []

    package func inside(_ name: String) -> JSONError {
        var copy = self
        copy.path.insert(name, at: 0)
        return copy
    }

    /// Whether the document is not valid JSON.
    package var isMalformed: Bool { if case .malformed = reason { true } else { false } }

    /// The defect and its position.
    public var description: String {
        let place = path.reduce("") { $0.isEmpty || $1.hasPrefix("[") ? $0 + $1 : $0 + "." + $1 }
        switch reason {
        case .malformed(let message): return "the body is not valid JSON: \(message) at byte \(offset)"
        case .mismatch(let expected): return "\(place.isEmpty ? "the body" : place) is not \(expected)"
        case .overflow: return "\(place.isEmpty ? "the body" : place) does not fit in 64 bits"
        case .missing: return "\(place) is missing"
        }
    }
}
