extension LocalAuthority {
    /// The limits and habits of the authority.
    public struct Options: Hashable, Sendable {
        /// The server that the authority stands for. <doc:CyclesTesting> lists the differences.
        public enum Behavior: String, Hashable, Sendable, CaseIterable {
            /// The deployed reference server: tests that pass against the authority pass in production.
            case deployed
            /// The text of the specification, where deployed servers depart from it.
            case specification
        }

        /// The server that the authority stands for.
        public var behavior: Behavior
        /// How often a reservation may be extended, unless its tenant has a number of its own; after that the answer is
        /// MAX_EXTENSIONS_EXCEEDED (specification: extendReservation).
        public var maxExtensions: Int
        /// The longest lease that one request is granted. A longer `ttl_ms` is cut to it without a word, and with
        /// ``Behavior/specification`` a longer `extend_by_ms` too (specification: HEARTBEAT GUIDANCE, per-extend grant
        /// clamping).
        public var maxTimeToLive: Duration
        /// How far ahead of the authority's time a lease may end; nil means that this is not limited. A lease that
        /// would end later is cut without a word (specification: HEARTBEAT GUIDANCE, maximum-lead clamping).
        public var maxLead: Duration?
        /// Whether answers carry `remaining_ttl_ms`, as those of current servers do and those of older ones do not
        /// (specification: `ReservationCreateResponse.remaining_ttl_ms`).
        public var emitsRemainingTimeToLive: Bool
        /// Whether answers refer to evidence that can be fetched (specification: `CyclesEvidenceRef`).
        ///
        /// The envelopes have the shape of real ones, but their hashes and signatures do not verify.
        public var emitsEvidence: Bool
        /// How many times an envelope is asked for in vain before it appears: evidence is stored a little after the
        /// answer that refers to it (specification: `CyclesEvidenceRef`).
        public var evidenceMisses: Int

        /// Options; negative numbers count as zero.
        public init(
            behavior: Behavior = .deployed,
            maxExtensions: Int = 10,
            maxTimeToLive: Duration = .seconds(3_600),
            maxLead: Duration? = nil,
            emitsRemainingTimeToLive: Bool = true,
            emitsEvidence: Bool = false,
            evidenceMisses: Int = 0
        ) {
            self.behavior = behavior
            self.maxExtensions = max(0, maxExtensions)
            self.maxTimeToLive = max(.zero, maxTimeToLive)
            self.maxLead = maxLead.map { max(.zero, $0) }
            self.emitsRemainingTimeToLive = emitsRemainingTimeToLive
            self.emitsEvidence = emitsEvidence
            self.evidenceMisses = max(0, evidenceMisses)
        }
    }

    /// Where a tenant stands.
    public enum TenantStatus: String, Hashable, Sendable, CaseIterable {
        /// In business.
        case active
        /// Its keys are refused: 401 UNAUTHORIZED, with ``Options/Behavior/specification`` 403 FORBIDDEN.
        case suspended
        /// Nothing of it changes any more. Its keys are refused with 401 UNAUTHORIZED; with
        /// ``Options/Behavior/specification`` changes are refused with TENANT_CLOSED, and reading goes on (specification:
        /// ERROR SEMANTICS).
        case closed
    }

    /// Where a budget stands (specification: `DecisionReasonCode`).
    public enum BudgetStatus: String, Hashable, Sendable, CaseIterable {
        /// In use.
        case active
        /// Gives nothing new: BUDGET_FROZEN. What was reserved before can still be settled.
        case frozen
        /// Gives nothing new, for good: BUDGET_CLOSED. What was reserved before can still be settled.
        case closed
    }
}
