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
        let operations = try Route.operations(at: segments)
        // HEAD is accepted wherever GET is.
        let name = method.rawValue == "HEAD" ? "GET" : method.rawValue
        guard let route = operations.first(where: { $0.method == name })?.route else {
            let names = operations.map(\.method)
            let allowed = names.contains("GET") ? ["GET", "HEAD"] + names.filter { $0 != "GET" } : names
            throw .methodNotAllowed(method.rawValue, allowed: allowed)
        }
        self = route
    }

    /// The operations of a path with their methods.
    private static func operations(at segments: [String]) throws(Refusal) -> [(method: String, route: Route)] {
        switch (segments.first, segments.count) {
        case ("decide", 1): return [("POST", .decide)]
        case ("reservations", 1): return [("GET", .listReservations), ("POST", .createReservation)]
        case ("reservations", 2): return [("GET", .getReservation(id: try reservationID(segments[1])))]
        case ("reservations", 3) where segments[2] == "commit":
            return [("POST", .commitReservation(id: try reservationID(segments[1])))]
        case ("reservations", 3) where segments[2] == "release":
            return [("POST", .releaseReservation(id: try reservationID(segments[1])))]
        case ("reservations", 3) where segments[2] == "extend":
            return [("POST", .extendReservation(id: try reservationID(segments[1])))]
        case ("balances", 1): return [("GET", .getBalances)]
        case ("events", 1): return [("POST", .createEvent)]
        case ("evidence", 2): return [("GET", .getEvidence(id: segments[1]))]
        case (".well-known", 2) where segments[1] == "cycles-jwks.json": return [("GET", .getEvidenceKeys)]
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

    /// Whether the operation accepts an administrator's key (specification: AdminKeyAuth).
    var acceptsAdminKey: Bool {
        switch self {
        case .listReservations, .getReservation, .releaseReservation: true
        default: false
        }
    }

    /// The name that evidence of an error has for the operation; nil for operations of which there is none (specification:
    /// `ErrorPayload`).
    var attestedEndpoint: String? {
        switch self {
        case .decide: "POST /v1/decide"
        case .createReservation: "POST /v1/reservations"
        case .commitReservation: "POST /v1/reservations/{reservation_id}/commit"
        case .releaseReservation: "POST /v1/reservations/{reservation_id}/release"
        default: nil
        }
    }

    /// The reservation that a commit or release names in its path.
    var settledReservation: String? {
        switch self {
        case .commitReservation(let id), .releaseReservation(let id): id
        default: nil
        }
    }

    private static func reservationID(_ text: String) throws(Refusal) -> String {
        guard (1...128).contains(text.unicodeScalars.count) else {
            throw .invalid("A reservation id has 1 to 128 characters")
        }
        return text
    }
}
