import Cycles

/// The scope of an idempotency key: effective tenant, endpoint and key (specification: IDEMPOTENCY). The endpoint of an
/// operation on a reservation contains its id.
struct IdempotencySlot: Hashable, Sendable {
    let tenant: String
    let endpoint: String
    let key: IdempotencyKey
}

/// The first successful answer under a key.
struct IdempotencyRecord: Sendable {
    /// The request in canonical form: members sorted by name, without white space.
    let payload: [UInt8]
    let status: Int
    /// The answer without `remaining_ttl_ms`, which is never replayed.
    let body: JSONValue
    /// The reservation and the expiry in the answer; nil if the answer has no lease.
    let lease: Lease?
    /// The time at which the key is forgotten, in milliseconds since 1970; nil for never.
    var endMilliseconds: Int64?

    struct Lease: Sendable {
        let reservationID: String
        let expiresAtMilliseconds: Int64
    }
}
