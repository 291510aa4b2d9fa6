/// A text with known values, to which later versions of the protocol may add more.
///
/// Every one keeps the text it was made from. Two values are equal when their texts have the same bytes, so a value
/// that was read as unrecognized equals the case that has the same text.
public protocol _OpenEnumeration: RawRepresentable, Hashable, Sendable, CustomStringConvertible
where RawValue == String {
    /// All cases but `unrecognized`.
    static var _known: [Self] { get }
    static func unrecognized(_ text: String) -> Self
    /// The known case for a known text, the case that keeps the text for any other.
    init(rawValue: String)
}

extension _OpenEnumeration {
    /// The known case for a known text, the case that keeps the text for any other.
    public init(rawValue: String) {
        // Known texts are ASCII, so that equal texts of the same length have the same bytes.
        self =
            Self._known.first { $0.rawValue == rawValue && $0.rawValue.utf8.count == rawValue.utf8.count }
            ?? .unrecognized(rawValue)
    }

    /// The text of the protocol.
    public var description: String { rawValue }

    /// Whether both have the same text.
    public static func == (left: Self, right: Self) -> Bool { left.rawValue.hasSameUTF8(as: right.rawValue) }

    /// Feeds the text to `hasher`.
    public func hash(into hasher: inout Hasher) { rawValue.hashUTF8(into: &hasher) }
}

/// What an amount counts (specification: `UnitEnum`). Switches over it need `@unknown default`.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum BudgetUnit: _OpenEnumeration {
    /// Millionths of a US cent: 1 USD is 100 000 000.
    case usdMicrocents
    /// Tokens of a language model.
    case tokens
    /// Credits, whose worth the deployment defines.
    case credits
    /// Risk points, whose meaning the deployment defines.
    case riskPoints
    /// A unit that this version of the client does not know.
    case unrecognized(String)

    /// All cases but `unrecognized`.
    public static let _known: [Self] = [.usdMicrocents, .tokens, .credits, .riskPoints]

    /// The text of the protocol.
    public var rawValue: String {
        switch self {
        case .usdMicrocents: "USD_MICROCENTS"
        case .tokens: "TOKENS"
        case .credits: "CREDITS"
        case .riskPoints: "RISK_POINTS"
        case .unrecognized(let text): text
        }
    }
}

/// What the authority decided (specification: `DecisionEnum`). Switches over it need `@unknown default`.
///
/// An unrecognized decision is neither permission nor denial; `isAllowed` and `isDenied` are both false.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum Decision: _OpenEnumeration {
    /// Go ahead.
    case allow
    /// Go ahead within the caps that came along.
    case allowWithCaps
    /// Do not.
    case deny
    /// A decision that this version of the client does not know: never permission.
    case unrecognized(String)

    /// All cases but `unrecognized`.
    public static let _known: [Self] = [.allow, .allowWithCaps, .deny]

    /// The text of the protocol.
    public var rawValue: String {
        switch self {
        case .allow: "ALLOW"
        case .allowWithCaps: "ALLOW_WITH_CAPS"
        case .deny: "DENY"
        case .unrecognized(let text): text
        }
    }

    /// Whether this is ALLOW or ALLOW_WITH_CAPS.
    public var isAllowed: Bool { self == .allow || self == .allowWithCaps }

    /// Whether this is DENY.
    public var isDenied: Bool { self == .deny }
}

/// What happens when more was spent than reserved (specification: `CommitOveragePolicy`).
/// Switches over it need `@unknown default`.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum CommitOveragePolicy: _OpenEnumeration {
    /// The commit is refused.
    case reject
    /// The commit succeeds; what the budget cannot cover is not charged, and the scope is over its limit. The
    /// server's default.
    case allowIfAvailable
    /// The commit succeeds by running up debt, up to the scope's overdraft limit.
    case allowWithOverdraft
    /// A policy that this version of the client does not know.
    case unrecognized(String)

    /// All cases but `unrecognized`.
    public static let _known: [Self] = [.reject, .allowIfAvailable, .allowWithOverdraft]

    /// The text of the protocol.
    public var rawValue: String {
        switch self {
        case .reject: "REJECT"
        case .allowIfAvailable: "ALLOW_IF_AVAILABLE"
        case .allowWithOverdraft: "ALLOW_WITH_OVERDRAFT"
        case .unrecognized(let text): text
        }
    }
}

/// Where a reservation stands (specification: `ReservationStatus`). Switches over it need `@unknown default`.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum ReservationStatus: _OpenEnumeration {
    /// Holding budget.
    case active
    /// Settled; what was spent is charged.
    case committed
    /// Given back.
    case released
    /// Run out without commit or release.
    case expired
    /// A status that this version of the client does not know.
    case unrecognized(String)

    /// All cases but `unrecognized`.
    public static let _known: [Self] = [.active, .committed, .released, .expired]

    /// The text of the protocol.
    public var rawValue: String {
        switch self {
        case .active: "ACTIVE"
        case .committed: "COMMITTED"
        case .released: "RELEASED"
        case .expired: "EXPIRED"
        case .unrecognized(let text): text
        }
    }
}

/// Why a decision is DENY (specification: `DecisionReasonCode`, an open text).
/// Switches over it need `@unknown default`; treat an unrecognized reason as a terminal denial.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum ReasonCode: _OpenEnumeration {
    /// Too little remains on at least one scope.
    case budgetExceeded
    /// A scope's budget is frozen by an operator.
    case budgetFrozen
    /// A scope's budget is closed for good.
    case budgetClosed
    /// No scope has a budget in the unit asked for.
    case budgetNotFound
    /// A scope is over its overdraft limit.
    case overdraftLimitExceeded
    /// A scope has debt, and no policy permits more.
    case debtOutstanding
    /// The tenant is closed for good.
    case tenantClosed
    /// An action quota is used up.
    case actionQuotaExceeded
    /// The policy denies this kind of action.
    case actionKindDenied
    /// The policy permits other kinds of action only.
    case actionKindNotAllowed
    /// The tenant is suspended.
    case tenantSuspended
    /// The request breaks a policy.
    case policyViolation
    /// A reason that this version of the client does not know.
    case unrecognized(String)

    /// All cases but `unrecognized`.
    public static let _known: [Self] = [
        .budgetExceeded, .budgetFrozen, .budgetClosed, .budgetNotFound, .overdraftLimitExceeded, .debtOutstanding,
        .tenantClosed, .actionQuotaExceeded, .actionKindDenied, .actionKindNotAllowed, .tenantSuspended,
        .policyViolation,
    ]

    /// The text of the protocol.
    public var rawValue: String {
        switch self {
        case .budgetExceeded: "BUDGET_EXCEEDED"
        case .budgetFrozen: "BUDGET_FROZEN"
        case .budgetClosed: "BUDGET_CLOSED"
        case .budgetNotFound: "BUDGET_NOT_FOUND"
        case .overdraftLimitExceeded: "OVERDRAFT_LIMIT_EXCEEDED"
        case .debtOutstanding: "DEBT_OUTSTANDING"
        case .tenantClosed: "TENANT_CLOSED"
        case .actionQuotaExceeded: "ACTION_QUOTA_EXCEEDED"
        case .actionKindDenied: "ACTION_KIND_DENIED"
        case .actionKindNotAllowed: "ACTION_KIND_NOT_ALLOWED"
        case .tenantSuspended: "TENANT_SUSPENDED"
        case .policyViolation: "POLICY_VIOLATION"
        case .unrecognized(let text): text
        }
    }
}

/// What an error answer says went wrong (specification: `ErrorCode`). Switches over it need `@unknown default`.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum ErrorCode: _OpenEnumeration {
    /// The request breaks a rule of the specification (400).
    case invalidRequest
    /// The key is missing or wrong (401).
    case unauthorized
    /// The key may not do this (403).
    case forbidden
    /// There is no such reservation or budget (404).
    case notFound
    /// Too little remains (409).
    case budgetExceeded
    /// The budget is frozen (409).
    case budgetFrozen
    /// The budget is closed (409).
    case budgetClosed
    /// The reservation has run out (410).
    case reservationExpired
    /// The reservation is committed or released already (409).
    case reservationFinalized
    /// The key was used before with another request (409).
    case idempotencyMismatch
    /// The budget is kept in another unit (400).
    case unitMismatch
    /// The scope is over its overdraft limit, or would be (409).
    case overdraftLimitExceeded
    /// The scope has debt (409).
    case debtOutstanding
    /// The reservation may not be extended again (409).
    case maxExtensionsExceeded
    /// Too many requests (429).
    case limitExceeded
    /// The tenant is closed for good (409).
    case tenantClosed
    /// A quota of actions is used up (409; extensions v0.1.26).
    case actionQuotaExceeded
    /// The policy denies this kind of action (409; extensions v0.1.26).
    case actionKindDenied
    /// The policy permits other kinds of action only (409; extensions v0.1.26).
    case actionKindNotAllowed
    /// The server failed (500).
    case internalError
    /// A code that this version of the client does not know.
    case unrecognized(String)

    /// All cases but `unrecognized`.
    public static let _known: [Self] = [
        .invalidRequest, .unauthorized, .forbidden, .notFound, .budgetExceeded, .budgetFrozen, .budgetClosed,
        .reservationExpired, .reservationFinalized, .idempotencyMismatch, .unitMismatch, .overdraftLimitExceeded,
        .debtOutstanding, .maxExtensionsExceeded, .limitExceeded, .tenantClosed, .actionQuotaExceeded,
        .actionKindDenied, .actionKindNotAllowed, .internalError,
    ]

    /// The text of the protocol.
    public var rawValue: String {
        switch self {
        case .invalidRequest: "INVALID_REQUEST"
        case .unauthorized: "UNAUTHORIZED"
        case .forbidden: "FORBIDDEN"
        case .notFound: "NOT_FOUND"
        case .budgetExceeded: "BUDGET_EXCEEDED"
        case .budgetFrozen: "BUDGET_FROZEN"
        case .budgetClosed: "BUDGET_CLOSED"
        case .reservationExpired: "RESERVATION_EXPIRED"
        case .reservationFinalized: "RESERVATION_FINALIZED"
        case .idempotencyMismatch: "IDEMPOTENCY_MISMATCH"
        case .unitMismatch: "UNIT_MISMATCH"
        case .overdraftLimitExceeded: "OVERDRAFT_LIMIT_EXCEEDED"
        case .debtOutstanding: "DEBT_OUTSTANDING"
        case .maxExtensionsExceeded: "MAX_EXTENSIONS_EXCEEDED"
        case .limitExceeded: "LIMIT_EXCEEDED"
        case .tenantClosed: "TENANT_CLOSED"
        case .actionQuotaExceeded: "ACTION_QUOTA_EXCEEDED"
        case .actionKindDenied: "ACTION_KIND_DENIED"
        case .actionKindNotAllowed: "ACTION_KIND_NOT_ALLOWED"
        case .internalError: "INTERNAL_ERROR"
        case .unrecognized(let text): text
        }
    }

    /// Whether the same request may succeed later by itself: LIMIT_EXCEEDED and INTERNAL_ERROR.
    public var isRetryable: Bool { self == .limitExceeded || self == .internalError }
}

/// Which operation an evidence envelope attests (specification: `CyclesEvidenceEnvelope.artifact_type`).
/// Switches over it need `@unknown default`.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum EvidenceArtifact: _OpenEnumeration {
    /// A preflight decision.
    case decide
    /// A reservation.
    case reserve
    /// A commit.
    case commit
    /// A release.
    case release
    /// An error answer.
    case error
    /// An artifact that this version of the client does not know.
    case unrecognized(String)

    /// All cases but `unrecognized`.
    public static let _known: [Self] = [.decide, .reserve, .commit, .release, .error]

    /// The text of the protocol.
    public var rawValue: String {
        switch self {
        case .decide: "decide"
        case .reserve: "reserve"
        case .commit: "commit"
        case .release: "release"
        case .error: "error"
        case .unrecognized(let text): text
        }
    }
}

/// Where an event stands (specification: `EventCreateResponse.status`). Switches over it need `@unknown default`.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum EventStatus: _OpenEnumeration {
    /// Charged.
    case applied
    /// A status that this version of the client does not know.
    case unrecognized(String)

    /// All cases but `unrecognized`.
    public static let _known: [Self] = [.applied]

    /// The text of the protocol.
    public var rawValue: String {
        switch self {
        case .applied: "APPLIED"
        case .unrecognized(let text): text
        }
    }
}
