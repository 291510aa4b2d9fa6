import Cycles

/// The reason for refusing a request, which becomes the error answer (specification: `ErrorResponse`).
struct Refusal: Error, Sendable {
    var code: ErrorCode
    var message: String
    var details: [String: JSONValue]?
    /// The methods of the path, if the method is not one of them.
    var allowedMethods: [String]?

    init(_ code: ErrorCode, _ message: String, details: [String: JSONValue]? = nil) {
        self.code = code
        self.message = message
        self.details = details
    }

    static func invalid(_ message: String) -> Refusal { Refusal(.invalidRequest, message) }

    /// A refusal with status 405. Its code is INVALID_REQUEST, because the protocol has no code for this status.
    static func methodNotAllowed(_ method: String, allowed: [String]) -> Refusal {
        var refusal = invalid("\(method) is not allowed here")
        refusal.allowedMethods = allowed
        return refusal
    }

    var httpStatus: Int { allowedMethods == nil ? code.httpStatus : 405 }
}

extension ErrorCode {
    /// The status of the code (specification: ERROR SEMANTICS); 500 for unknown codes.
    var httpStatus: Int {
        switch rawValue {
        case "INVALID_REQUEST", "UNIT_MISMATCH": 400
        case "UNAUTHORIZED": 401
        case "FORBIDDEN": 403
        case "NOT_FOUND": 404
        case "BUDGET_EXCEEDED", "BUDGET_FROZEN", "BUDGET_CLOSED", "RESERVATION_FINALIZED", "IDEMPOTENCY_MISMATCH",
            "OVERDRAFT_LIMIT_EXCEEDED", "DEBT_OUTSTANDING", "MAX_EXTENSIONS_EXCEEDED", "TENANT_CLOSED",
            "ACTION_QUOTA_EXCEEDED", "ACTION_KIND_DENIED", "ACTION_KIND_NOT_ALLOWED":
            409
        case "RESERVATION_EXPIRED": 410
        case "LIMIT_EXCEEDED": 429
        default: 500
        }
    }
}
