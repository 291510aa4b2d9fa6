import Cycles

/// The eleven operations of the protocol (specification: `paths`).
enum Route: Sendable {
    case decide
    case createReservation
    case listReservations
    case getReservation(id: String)
    case commitReservation(id: String)
    case releaseReservation(id: String)
    case extendReservation(id: String)
    case getBalances
    case createEvent
    case getEvidence(id: String)
    case getEvidenceKeys

    init(method: HTTPMethod, segments: [String]) throws(Refusal) {
        // What can be got can be asked for without its body.
        let method = method.rawValue == "HEAD" ? "GET" : method.rawValue
        switch (method, segments.first, segments.count) {
        case ("POST", "decide", 1): self = .decide
        case ("POST", "reservations", 1): self = .createReservation
        case ("GET", "reservations", 1): self = .listReservations
        case ("GET", "reservations", 2): self = .getReservation(id: try Route.reservationID(segments[1]))
        case ("POST", "reservations", 3) where segments[2] == "commit":
            self = .commitReservation(id: try Route.reservationID(segments[1]))
        case ("POST", "reservations", 3) where segments[2] == "release":
            self = .releaseReservation(id: try Route.reservationID(segments[1]))
        case ("POST", "reservations", 3) where segments[2] == "extend":
            self = .extendReservation(id: try Route.reservationID(segments[1]))
        case ("GET", "balances", 1): self = .getBalances
        case ("POST", "events", 1): self = .createEvent
        case ("GET", "evidence", 2): self = .getEvidence(id: segments[1])
        case ("GET", ".well-known", 2) where segments[1] == "cycles-jwks.json": self = .getEvidenceKeys
        default: throw Refusal(.notFound, "There is no such operation")
        }
    }

    /// Whether the operation needs no key (specification: AUTH & TENANCY).
    var isPublic: Bool {
        switch self {
        case .getEvidence, .getEvidenceKeys: true
        default: false
        }
    }

    /// Whether an administrator's key does as well (specification: AdminKeyAuth).
    var acceptsAdminKey: Bool {
        switch self {
        case .listReservations, .getReservation, .releaseReservation: true
        default: false
        }
    }

    private static func reservationID(_ text: String) throws(Refusal) -> String {
        guard (1...128).contains(text.unicodeScalars.count) else {
            throw .invalid("A reservation id has 1 to 128 characters")
        }
        return text
    }
}
