/// The answer to a decision request (specification: `DecisionResponse`).
public struct DecisionResponse: Hashable, Sendable {
    /// The decision. An unrecognized decision is not permission.
    public let decision: Decision
    /// The limits that come with ALLOW_WITH_CAPS.
    public let caps: Caps?
    /// The reason of a DENY: the decision's own reason, or that of ``denyDetail``.
    public let reasonCode: ReasonCode?
    /// Further details of a DENY, if the server sends them.
    public let denyDetail: DenyDetail?
    /// The time after which to ask again, if the server suggests one.
    public let retryAfter: Duration?
    /// The scopes that the decision concerns, in canonical order; empty if the server does not name them.
    public let affectedScopes: [String]
    /// The evidence of the decision.
    public var cyclesEvidence: EvidenceReference? { deferredEvidence.value }

    package let deferredEvidence: Deferred<EvidenceReference?>
}

/// The answer to a reservation request (specification: `ReservationCreateResponse`).
public struct ReservationCreateResponse: Hashable, Sendable {
    /// The decision. An unrecognized decision is not permission.
    public let decision: Decision
    /// The reservation; absent on dry runs, DENY and observed decisions. An ALLOW without a reservation on a live
    /// request is an observed decision (`observe_mode` OBSERVE, extensions v0.1.26): the request was evaluated, and no
    /// budget is held.
    public let reservationID: ReservationID?
    /// The held amount.
    public let reserved: Amount?
    /// The expiry of the hold by the server's clock, in milliseconds since 1970; absent on dry runs and DENY.
    public let expiresAtMilliseconds: Int64?
    /// The remaining time of the hold when the answer was made, by the server's clock. Zero when the key is replayed
    /// and its reservation is no longer active; absent on dry runs, DENY and older servers.
    public let remainingTimeToLive: Duration?
    /// The canonical path of the scope.
    public let scopePath: String?
    /// The scopes that the reservation holds budget on, in canonical order.
    public let affectedScopes: [String]
    /// The limits that come with ALLOW_WITH_CAPS.
    public let caps: Caps?
    /// The reason of a DENY: the decision's own reason, or that of ``denyDetail``.
    public let reasonCode: ReasonCode?
    /// Further details of a DENY, if the server sends them.
    public let denyDetail: DenyDetail?
    /// The time after which to ask again, if the server suggests one.
    public let retryAfter: Duration?
    /// The balances of the scopes, if the server sends them. Decoded at each access: keep the result.
    public var balances: [Balance] { deferredBalances.value }
    /// The evidence of the reservation.
    public var cyclesEvidence: EvidenceReference? { deferredEvidence.value }

    package let deferredBalances: Deferred<[Balance]>
    package let deferredEvidence: Deferred<EvidenceReference?>
}

/// The answer to a commit (specification: `CommitResponse`).
public struct CommitResponse: Hashable, Sendable {
    /// Always `committed`: an answer with another status is invalid.
    public let status: ReservationStatus
    /// The charged amount: the actual amount, or less where the budget could not cover it.
    public let charged: Amount
    /// The amount of the hold that was released.
    public let released: Amount?
    /// The balances of the scopes, if the server sends them. Decoded at each access: keep the result.
    public var balances: [Balance] { deferredBalances.value }
    /// The evidence of the commit.
    public var cyclesEvidence: EvidenceReference? { deferredEvidence.value }

    package let deferredBalances: Deferred<[Balance]>
    package let deferredEvidence: Deferred<EvidenceReference?>
}

/// The answer to a release (specification: `ReleaseResponse`).
public struct ReleaseResponse: Hashable, Sendable {
    /// Always `released`: an answer with another status is invalid.
    public let status: ReservationStatus
    /// The released amount.
    public let released: Amount
    /// The balances of the scopes, if the server sends them. Decoded at each access: keep the result.
    public var balances: [Balance] { deferredBalances.value }
    /// The evidence of the release.
    public var cyclesEvidence: EvidenceReference? { deferredEvidence.value }

    package let deferredBalances: Deferred<[Balance]>
    package let deferredEvidence: Deferred<EvidenceReference?>
}

/// The answer to an extension (specification: `ReservationExtendResponse`).
public struct ExtendResponse: Hashable, Sendable {
    /// Always `active`: an answer with another status is invalid.
    public let status: ReservationStatus
    /// The new expiry of the hold by the server's clock, in milliseconds since 1970.
    public let expiresAtMilliseconds: Int64
    /// The remaining time of the hold when the answer was made, by the server's clock; absent on older servers.
    public let remainingTimeToLive: Duration?
    /// The balances of the scopes, if the server sends them. Decoded at each access: keep the result.
    public var balances: [Balance] { deferredBalances.value }

    package let deferredBalances: Deferred<[Balance]>
}

/// The server's record of a reservation (specification: `ReservationDetail`).
public struct ReservationDetail: Hashable, Sendable {
    /// The server's identifier of the reservation.
    public let reservationID: ReservationID
    /// The state of the reservation.
    public let status: ReservationStatus
    /// The idempotency key of the reservation request, if the server keeps it.
    public let idempotencyKey: IdempotencyKey?
    /// The subject whose budgets are charged.
    public let subject: Subject
    /// The action of the reservation.
    public let action: Action
    /// The reserved amount.
    public let reserved: Amount
    /// The charged amount; nil before the commit.
    public let committed: Amount?
    /// The time of creation, in milliseconds since 1970.
    public let createdAtMilliseconds: Int64
    /// The time of expiry, past or future, in milliseconds since 1970.
    public let expiresAtMilliseconds: Int64
    /// The time of the commit or release, in milliseconds since 1970.
    public let finalizedAtMilliseconds: Int64?
    /// The canonical path of the reservation's scope.
    public let scopePath: String
    /// The reservation's scopes in canonical order.
    public let affectedScopes: [String]
    /// The metadata of the reservation. In a list, present only on request.
    public let metadata: [String: JSONValue]?
    /// The metadata of the commit. In a list, present only on request.
    public let committedMetadata: [String: JSONValue]?
    /// The evidence references of the reservation. In a list, present only on request.
    public let evidence: ReservationEvidence?
}

/// A row in a list of reservations (specification: `ReservationSummary`): the members of ``ReservationDetail``, with
/// `metadata`, `committedMetadata` and `evidence` only on request (``ReservationQuery/include``).
public typealias ReservationSummary = ReservationDetail

/// A page of reservations (specification: `ReservationListResponse`).
public struct ReservationListResponse: Hashable, Sendable {
    /// The reservations of the page.
    public let reservations: [ReservationSummary]
    /// The cursor of the next page, if there is one.
    public let nextCursor: String?
    /// Whether there may be further rows.
    public let hasMore: Bool
}

/// A page of balances (specification: `BalanceResponse`).
public struct BalanceResponse: Hashable, Sendable {
    /// The balances of the page.
    public let balances: [Balance]
    /// The cursor of the next page, if there is one.
    public let nextCursor: String?
    /// Whether there may be further balances.
    public let hasMore: Bool
}

/// The answer to an event (specification: `EventCreateResponse`).
public struct EventCreateResponse: Hashable, Sendable {
    /// Always `applied`: an answer with another status is invalid.
    public let status: EventStatus
    /// The server's identifier of the event.
    public let eventID: EventID
    /// The charged amount, if less than the actual amount.
    public let charged: Amount?
    /// The balances of the scopes, if the server sends them. Decoded at each access: keep the result.
    public var balances: [Balance] { deferredBalances.value }

    package let deferredBalances: Deferred<[Balance]>
}

/// A signed record of an operation (specification: `CyclesEvidenceEnvelope`).
///
/// Verify the bytes of the answer (``APIResponse/body``): the hash is over their canonical form.
public struct EvidenceEnvelope: Hashable, Sendable {
    /// `cycles-evidence/v0.1`, or a later version.
    public let schemaVersion: String
    /// The operation that the envelope attests.
    public let artifactType: EvidenceArtifact
    /// The URI of the server that issued the envelope.
    public let serverID: String
    /// The identifier of the key that signed the envelope.
    public let signerDID: String
    /// The time of issue, in milliseconds since 1970.
    public let issuedAtMilliseconds: Int64
    /// The trace of the operation.
    public let traceID: String?
    /// The attested request and answer, under the artifact's name.
    public let payload: [String: JSONValue]
    /// The content hash of the envelope.
    public let evidenceID: EvidenceID
    /// The Ed25519 signature, 128 hexadecimal digits.
    public let signature: String
}

/// A key with which a server signs evidence (specification: `CyclesEvidenceJwk`; RFC 7517, RFC 8037).
public struct EvidenceKey: Hashable, Sendable {
    /// The key type, `OKP`.
    public let kty: String
    /// The curve, `Ed25519`.
    public let crv: String
    /// The algorithm, `EdDSA` if present.
    public let alg: String?
    /// The public key, base64url without padding.
    public let x: String
    /// The id of the key.
    public let kid: String
    /// The beginning of the key's validity, inclusive, in milliseconds since 1970.
    public let cyclesNbfMilliseconds: Int64
    /// The end of the key's validity, exclusive, in milliseconds since 1970; nil means without end.
    public let cyclesExpMilliseconds: Int64?
    /// `active` or `retired`, for information only.
    public let status: String?
}

/// The keys with which a server signs evidence (specification: `CyclesEvidenceJwks`).
public struct EvidenceKeySet: Hashable, Sendable {
    /// All keys, including retired ones.
    public let keys: [EvidenceKey]
}
