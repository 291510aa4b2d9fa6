/// A settlement that is not certain yet.
public struct PendingSettlement: Hashable, Sendable {
    /// The reservation that it settles.
    public let reservationID: ReservationID
    /// Whether it is on disk, and so survives the end of the process.
    public let isDurable: Bool
    /// Whether it is recorded as an event, since the reservation has expired.
    public let isEvent: Bool
    /// When the spend became known, in milliseconds since 1970.
    public let recordedAtMilliseconds: Int64
    /// How long until the next attempt; nil while one is on its way, or waits for others.
    public let nextAttempt: Duration?
    /// Why the last attempt did not settle it; nil if there was none yet.
    public let lastError: CyclesError?
}
