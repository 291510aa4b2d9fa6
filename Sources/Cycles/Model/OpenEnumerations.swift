/// A text of the protocol with known values, to which later versions may add.
///
/// Every value keeps its text. Two values are equal when the bytes of their texts are equal, so that an `unrecognized`
/// value equals the known case with the same text.
public protocol _OpenEnumeration: RawRepresentable, Hashable, Sendable, CustomStringConvertible
where RawValue == String {
    /// All cases but `unrecognized`.
    static var _known: [Self] { get }
    static func unrecognized(_ text: String) -> Self
    /// Creates the known case of a text; `unrecognized` with the text if there is none.
    init(rawValue: String)
}

extension _OpenEnumeration {
    /// Creates the known case of a text; `unrecognized` with the text if there is none.
    public init(rawValue: String) {
        // Known texts are ASCII: texts that are equal and of the same length have the same bytes.
        self =
            Self._known.first { $0.rawValue == rawValue && $0.rawValue.utf8.count == rawValue.utf8.count }
            ?? .unrecognized(rawValue)
    }

    /// The text of the protocol.
    public var description: String { rawValue }

    /// Whether both values have the same text.
    public static func == (left: Self, right: Self) -> Bool { left.rawValue.hasSameUTF8(as: right.rawValue) }

    /// Hashes the UTF-8 bytes of the text.
    public func hash(into hasher: inout Hasher) { rawValue.hashUTF8(into: &hasher) }
}

/// The unit of an amount (specification: `UnitEnum`). Switches over it need `@unknown default`.
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

/// The authority's decision (specification: `DecisionEnum`). Switches over it need `@unknown default`.
///
/// An unrecognized decision is neither permission nor denial; `isAllowed` and `isDenied` are both false.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum Decision: _OpenEnumeration {
    /// The action may proceed.
    case allow
    /// The action may proceed within the caps of the answer.
    case allowWithCaps
    /// The action must not proceed.
    case deny
    /// A decision that this version of the client does not know. It never permits an action.
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

    /// Whether the decision is ALLOW or ALLOW_WITH_CAPS.
    public var isAllowed: Bool { self == .allow || self == .allowWithCaps }

    /// Whether the decision is DENY.
    public var isDenied: Bool { self == .deny }
}

/// The server's treatment of spend above the reserved amount (specification: `CommitOveragePolicy`). Switches over it
/// need `@unknown default`.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum CommitOveragePolicy: _OpenEnumeration {
    /// The server refuses the commit.
    case reject
    /// The commit succeeds. Spend that the budget cannot cover is not charged, and the scope is over its limit. The
    /// server's default.
    case allowIfAvailable
    /// The commit succeeds. Spend that the budget cannot cover becomes debt, up to the scope's overdraft limit.
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

/// The state of a reservation (specification: `ReservationStatus`). Switches over it need `@unknown default`.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum ReservationStatus: _OpenEnumeration {
    /// The reservation holds budget.
    case active
    /// The reservation was committed, and its spend is charged.
    case committed
    /// The hold was released.
    case released
    /// The reservation expired without commit or release.
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

/// The reason of a DENY decision (specification: `DecisionReasonCode`, an open text). Switches over it need
/// `@unknown default`; treat an unrecognized reason as a terminal denial.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum ReasonCode: _OpenEnumeration {
    /// Too little budget remains on at least one scope.
    case budgetExceeded
    /// An operator froze the budget of a scope.
    case budgetFrozen
    /// The budget of a scope is permanently closed.
    case budgetClosed
    /// No scope has a budget in the requested unit.
    case budgetNotFound
    /// A scope is over its overdraft limit.
    case overdraftLimitExceeded
    /// A scope has debt, and no policy permits more.
    case debtOutstanding
    /// The tenant is permanently closed.
    case tenantClosed
    /// A quota of actions is exceeded.
    case actionQuotaExceeded
    /// The policy denies this kind of action.
    case actionKindDenied
    /// The policy permits only other kinds of action.
    case actionKindNotAllowed
    /// The tenant is suspended.
    case tenantSuspended
    /// The request violates a policy.
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

/// The code of an error answer (specification: `ErrorCode`). Switches over it need `@unknown default`.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum ErrorCode: _OpenEnumeration {
    /// The request breaks a rule of the specification (400).
    case invalidRequest
    /// The API key is missing or invalid (401).
    case unauthorized
    /// The API key lacks the permission (403).
    case forbidden
    /// The reservation or budget does not exist (404).
    case notFound
    /// Too little budget remains (409).
    case budgetExceeded
    /// The budget is frozen (409).
    case budgetFrozen
    /// The budget is closed (409).
    case budgetClosed
    /// The reservation has expired (410).
    case reservationExpired
    /// The reservation is already committed or released (409).
    case reservationFinalized
    /// The idempotency key was used with a different request (409).
    case idempotencyMismatch
    /// The budget is kept in another unit (400).
    case unitMismatch
    /// The scope is over its overdraft limit, or would be (409).
    case overdraftLimitExceeded
    /// The scope has debt (409).
    case debtOutstanding
    /// The reservation has reached its maximum number of extensions (409).
    case maxExtensionsExceeded
    /// The client sent too many requests (429).
    case limitExceeded
    /// The tenant is permanently closed (409).
    case tenantClosed
    /// A quota of actions is exceeded (409; extensions v0.1.26).
    case actionQuotaExceeded
    /// The policy denies this kind of action (409; extensions v0.1.26).
    case actionKindDenied
    /// The policy permits only other kinds of action (409; extensions v0.1.26).
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

    /// Whether the same request may succeed later without a change: LIMIT_EXCEEDED and INTERNAL_ERROR.
    public var isRetryable: Bool { self == .limitExceeded || self == .internalError }
}

/// The operation that an evidence envelope attests (specification: `CyclesEvidenceEnvelope.artifact_type`). Switches
/// over it need `@unknown default`.
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

/// The state of an event (specification: `EventCreateResponse.status`). Switches over it need `@unknown default`.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum EventStatus: _OpenEnumeration {
    /// The event was charged.
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
