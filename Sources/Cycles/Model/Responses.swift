/// The answer to a preflight (specification: `DecisionResponse`).
public struct DecisionResponse: Hashable, Sendable {
    /// What was decided. An unrecognized decision is not permission.
    public let decision: Decision
    /// The limits that come with ALLOW_WITH_CAPS.
    public let caps: Caps?
    /// Why, with DENY: the decision's own reason, or the one of ``denyDetail``.
    public let reasonCode: ReasonCode?
    /// More about the reason, with DENY, if the server sends it.
    public let denyDetail: DenyDetail?
    /// When to ask again, if the server suggests a time.
    public let retryAfter: Duration?
    /// The scopes that the decision concerns, in canonical order; empty if the server does not say.
    public let affectedScopes: [String]
    /// The evidence of the decision.
    public var cyclesEvidence: EvidenceReference? { deferredEvidence.value }

    package let deferredEvidence: Deferred<EvidenceReference?>
}

/// The answer to a request for budget (specification: `ReservationCreateResponse`).
public struct ReservationCreateResponse: Hashable, Sendable {
    /// What was decided. An unrecognized decision is not permission.
    public let decision: Decision
    /// The reservation; absent on dry runs, DENY and observed decisions. An ALLOW without it on a live request is an
    /// observed decision (`observe_mode` OBSERVE, extensions v0.1.26): the request was evaluated, and nothing is held.
    public let reservationID: ReservationID?
    /// What is held.
    public let reserved: Amount?
    /// When the hold runs out by the server's clock, in milliseconds since 1970; absent on dry runs and DENY.
    public let expiresAtMilliseconds: Int64?
    /// How long the hold lasts from the moment the answer was made, by the server's clock. Zero on the replay of a
    /// key whose reservation is no longer active; absent on dry runs, DENY and older servers.
    public let remainingTimeToLive: Duration?
    /// The canonical path of the scope.
    public let scopePath: String?
    /// The scopes that the reservation holds budget on, in canonical order.
    public let affectedScopes: [String]
    /// The limits that come with ALLOW_WITH_CAPS.
    public let caps: Caps?
    /// Why, with DENY: the decision's own reason, or the one of ``denyDetail``.
    public let reasonCode: ReasonCode?
    /// More about the reason, with DENY, if the server sends it.
    public let denyDetail: DenyDetail?
    /// When to ask again, if the server suggests a time.
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
    /// Always `committed`: an answer that says anything else is invalid.
    public let status: ReservationStatus
    /// What was charged: the actual amount, or less where the budget could not cover it.
    public let charged: Amount
    /// What was given back of the hold.
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
    /// Always `released`: an answer that says anything else is invalid.
    public let status: ReservationStatus
    /// What was given back.
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
    /// Always `active`: an answer that says anything else is invalid.
    public let status: ReservationStatus
    /// When the hold runs out now, by the server's clock, in milliseconds since 1970.
    public let expiresAtMilliseconds: Int64
    /// How long the hold lasts from the moment the answer was made, by the server's clock; absent on older servers.
    public let remainingTimeToLive: Duration?
    /// The balances of the scopes, if the server sends them. Decoded at each access: keep the result.
    public var balances: [Balance] { deferredBalances.value }

    package let deferredBalances: Deferred<[Balance]>
}

/// What the server knows of a reservation (specification: `ReservationDetail`).
public struct ReservationDetail: Hashable, Sendable {
    /// Its id.
    public let reservationID: ReservationID
    /// Where it stands.
    public let status: ReservationStatus
    /// The key that it was created with, if the server keeps it.
    public let idempotencyKey: IdempotencyKey?
    /// On whose budget.
    public let subject: Subject
    /// For what.
    public let action: Action
    /// What was reserved.
    public let reserved: Amount
    /// What was charged, once committed.
    public let committed: Amount?
    /// When it was made, in milliseconds since 1970.
    public let createdAtMilliseconds: Int64
    /// When it runs out or ran out, in milliseconds since 1970.
    public let expiresAtMilliseconds: Int64
    /// When it was committed or released, in milliseconds since 1970.
    public let finalizedAtMilliseconds: Int64?
    /// The canonical path of its scope.
    public let scopePath: String
    /// Its scopes in canonical order.
    public let affectedScopes: [String]
    /// What was given as metadata when it was made. In a list, only if asked for.
    public let metadata: [String: JSONValue]?
    /// What was given as metadata when it was committed. In a list, only if asked for.
    public let committedMetadata: [String: JSONValue]?
    /// Its evidence references. In a list, only if asked for.
    public let evidence: ReservationEvidence?
}

/// A row in a list of reservations (specification: `ReservationSummary`): the members of ``ReservationDetail``, of
/// which `metadata`, `committedMetadata` and `evidence` come only with ``ReservationQuery/include``.
public typealias ReservationSummary = ReservationDetail

/// A page of reservations (specification: `ReservationListResponse`).
public struct ReservationListResponse: Hashable, Sendable {
    /// The rows.
    public let reservations: [ReservationSummary]
    /// Where the next page begins, if there is one.
    public let nextCursor: String?
    /// Whether there may be more.
    public let hasMore: Bool
}

/// A page of balances (specification: `BalanceResponse`).
public struct BalanceResponse: Hashable, Sendable {
    /// The balances.
    public let balances: [Balance]
    /// Where the next page begins, if there is one.
    public let nextCursor: String?
    /// Whether there may be more.
    public let hasMore: Bool
}

/// The answer to an event (specification: `EventCreateResponse`).
public struct EventCreateResponse: Hashable, Sendable {
    /// Always `applied`: an answer that says anything else is invalid.
    public let status: EventStatus
    /// Its id.
    public let eventID: EventID
    /// What was charged, if less than the actual amount.
    public let charged: Amount?
    /// The balances of the scopes, if the server sends them. Decoded at each access: keep the result.
    public var balances: [Balance] { deferredBalances.value }

    package let deferredBalances: Deferred<[Balance]>
}

/// A signed record of an operation (specification: `CyclesEvidenceEnvelope`).
///
/// To verify it, take the bytes of the answer (``APIResponse/body``): the hash is over the canonical form of those.
public struct EvidenceEnvelope: Hashable, Sendable {
    /// `cycles-evidence/v0.1`, or a later version.
    public let schemaVersion: String
    /// Which operation it attests.
    public let artifactType: EvidenceArtifact
    /// The URI of the server that issued it.
    public let serverID: String
    /// The key that signed it.
    public let signerDID: String
    /// When it was issued, in milliseconds since 1970.
    public let issuedAtMilliseconds: Int64
    /// The trace that the operation belongs to.
    public let traceID: String?
    /// The request and answer that it attests, under the artifact's name.
    public let payload: [String: JSONValue]
    /// Its content hash.
    public let evidenceID: EvidenceID
    /// Its Ed25519 signature, 128 hexadecimal digits.
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
    /// From when it is valid, in milliseconds since 1970, that moment included.
    public let cyclesNbfMilliseconds: Int64
    /// Until when it is valid, in milliseconds since 1970, that moment excluded; nil means without end.
    public let cyclesExpMilliseconds: Int64?
    /// `active` or `retired`, for information only.
    public let status: String?
}

/// The keys with which a server signs evidence (specification: `CyclesEvidenceJwks`).
public struct EvidenceKeySet: Hashable, Sendable {
    /// The keys, retired ones included.
    public let keys: [EvidenceKey]
}
