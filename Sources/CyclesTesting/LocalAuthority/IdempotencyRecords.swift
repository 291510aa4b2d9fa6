import Cycles

/// What idempotency is by: effective tenant, endpoint and key (specification: IDEMPOTENCY). The endpoint of an
/// operation on a reservation contains its id.
struct IdempotencySlot: Hashable, Sendable {
    let tenant: String
    let endpoint: String
    let key: IdempotencyKey
}

/// The first successful answer under a key.
struct IdempotencyRecord: Sendable {
    /// The request in canonical form: members in the order of their names, without white space.
    let payload: [UInt8]
    let status: Int
    /// The answer without `remaining_ttl_ms`, which is an observation and never replayed.
    let body: JSONValue
    /// The reservation that the answer tells the lease of, and the expiry that it told.
    let lease: Lease?
    /// When the key becomes free again; nil means never.
    var endMilliseconds: Int64?

    struct Lease: Sendable {
        let reservationID: String
        let expiresAtMilliseconds: Int64
    }
}
