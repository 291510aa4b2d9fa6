extension LocalAuthority {
    /// The limits of the authority, and the server that it models.
    public struct Options: Hashable, Sendable {
        /// The server that the authority models. <doc:CyclesTesting> lists the differences.
        public enum Behavior: String, Hashable, Sendable, CaseIterable {
            /// The deployed reference server. Tests that pass against the authority then pass in production.
            case deployed
            /// The text of the specification, even where deployed servers differ from it.
            case specification
        }

        /// A form of the signer's name (specification: `signer_did`).
        public enum EvidenceSigner: String, Hashable, Sendable, CaseIterable {
            /// The public key in hexadecimal digits.
            case publicKey
            /// A `did:cycles` identifier, with the id of a key in the published set.
            case identifier
        }

        /// The server that the authority models.
        public var behavior: Behavior
        /// The maximum number of extensions of a reservation, unless its tenant has its own maximum. Further extensions
        /// are refused with MAX_EXTENSIONS_EXCEEDED (specification: extendReservation).
        public var maxExtensions: Int
        /// The maximum lease that one request is granted. A longer `ttl_ms` is silently reduced to it, and with
        /// ``Behavior/specification`` a longer `extend_by_ms` too (specification: HEARTBEAT GUIDANCE, per-extend grant
        /// clamping).
        public var maxTimeToLive: Duration
        /// The maximum time between now and the end of a lease; nil for no limit. A lease that would end later is
        /// silently reduced (specification: HEARTBEAT GUIDANCE, maximum-lead clamping).
        public var maxLead: Duration?
        /// Whether answers carry `remaining_ttl_ms`, which older servers do not send (specification:
        /// `ReservationCreateResponse.remaining_ttl_ms`).
        public var emitsRemainingTimeToLive: Bool
        /// Whether answers refer to evidence that can be fetched (specification: `CyclesEvidenceRef`), and the keys that
        /// sign it are published.
        ///
        /// The signatures verify, but prove nothing: everybody has the keys, which are made from a public seed. An answer
        /// with a number beyond 2⁵³ has no evidence, since the number has no canonical form.
        public var emitsEvidence: Bool
        /// The form in which evidence names its signer (specification: `signer_did`).
        public var evidenceSigner: EvidenceSigner
        /// The number of requests for an envelope that are answered 404 before it appears, since servers store evidence
        /// shortly after the answer that refers to it (specification: `CyclesEvidenceRef`).
        public var evidenceMisses: Int

        /// Creates options. Negative numbers count as zero.
        public init(
            behavior: Behavior = .deployed,
            maxExtensions: Int = 10,
            maxTimeToLive: Duration = .seconds(3_600),
            maxLead: Duration? = nil,
            emitsRemainingTimeToLive: Bool = true,
            emitsEvidence: Bool = false,
            evidenceMisses: Int = 0,
            evidenceSigner: EvidenceSigner = .publicKey
        ) {
            self.behavior = behavior
            self.maxExtensions = max(0, maxExtensions)
            self.maxTimeToLive = max(.zero, maxTimeToLive)
            self.maxLead = maxLead.map { max(.zero, $0) }
            self.emitsRemainingTimeToLive = emitsRemainingTimeToLive
            self.emitsEvidence = emitsEvidence
            self.evidenceMisses = max(0, evidenceMisses)
            self.evidenceSigner = evidenceSigner
        }
    }

    /// The status of a tenant.
    public enum TenantStatus: String, Hashable, Sendable, CaseIterable {
        /// The tenant's requests are served.
        case active
        /// The tenant's keys are refused: 401 UNAUTHORIZED, with ``Options/Behavior/specification`` 403 FORBIDDEN.
        case suspended
        /// The tenant no longer changes. Its keys are refused with 401 UNAUTHORIZED; with
        /// ``Options/Behavior/specification``, changes are refused with TENANT_CLOSED and reads are served
        /// (specification: ERROR SEMANTICS).
        case closed
    }

    /// The status of a budget (specification: `DecisionReasonCode`).
    public enum BudgetStatus: String, Hashable, Sendable, CaseIterable {
        /// The budget can be reserved and charged.
        case active
        /// New reservations and charges are refused with BUDGET_FROZEN. Existing reservations can be settled.
        case frozen
        /// New reservations and charges are refused permanently with BUDGET_CLOSED. Existing reservations can be
        /// settled.
        case closed
    }
}
