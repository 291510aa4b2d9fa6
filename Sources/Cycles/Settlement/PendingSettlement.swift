/// An unfinished settlement.
public struct PendingSettlement: Hashable, Sendable {
    /// The reservation to settle.
    public let reservationID: ReservationID
    /// Whether the settlement's record is on disk, and so survives the end of the process.
    public let isDurable: Bool
    /// Whether the spend is charged with an event, because the reservation can no longer be committed.
    public let isEvent: Bool
    /// The time at which the spend was recorded, in milliseconds since 1970.
    public let recordedAtMilliseconds: Int64
    /// The time until the next attempt; nil while an attempt is in progress or waits for its turn.
    public let nextAttempt: Duration?
    /// The error of the last attempt; nil before the first has failed.
    public let lastError: CyclesError?
    /// The tenant of the client; nil if none is configured.
    public let tenant: String?
}
