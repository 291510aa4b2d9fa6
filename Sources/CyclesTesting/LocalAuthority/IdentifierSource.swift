/// Generates the identifiers of a server. Identifiers are predictable for tests, and unique: a restored authority has a
/// number series of its own.
struct IdentifierSource: Sendable {
    /// The number of times that the state has been restored.
    var incarnation: Int64 = 0
    var requests: Int64 = 0
    var reservations: Int64 = 0
    var events: Int64 = 0

    mutating func nextRequestID() -> String {
        requests &+= 1
        return text("req", requests)
    }

    mutating func nextReservationID() -> String {
        reservations &+= 1
        return text("rsv", reservations)
    }

    mutating func nextEventID() -> String {
        events &+= 1
        return text("evt", events)
    }

    /// A trace id for a request without one.
    var traceID: String { ContentDigest.hexadecimal(of: "trace \(incarnation) \(requests)".utf8, words: 2) }

    private func text(_ prefix: String, _ number: Int64) -> String {
        let digits = String(number)
        let padded = String(repeating: "0", count: max(0, 6 - digits.utf8.count)) + digits
        return incarnation == 0 ? "\(prefix)_\(padded)" : "\(prefix)_\(incarnation)_\(padded)"
    }
}
