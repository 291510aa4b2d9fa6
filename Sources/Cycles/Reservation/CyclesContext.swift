/// What guarded work knows of its reservation, and says about itself. Safe to use from any task; it cannot finish the
/// reservation.
public struct CyclesContext: Sendable {
    private let held: HeldReservation

    init(_ held: HeldReservation) { self.held = held }

    /// The context of the innermost `withCycles` around the current task; nil outside.
    @TaskLocal public static var current: CyclesContext?

    /// The reservation.
    public var reservationID: ReservationID { held.reservationID }

    /// What was decided: `allow` or `allowWithCaps`.
    public var decision: Decision { held.response.decision }

    /// The limits that come with ALLOW_WITH_CAPS. Decoded at each access: keep the result.
    public var caps: Caps? { held.response.caps }

    /// The scopes that the reservation holds budget on, in canonical order. Decoded at each access: keep the result.
    public var affectedScopes: [String] { held.response.affectedScopes }

    /// What was recorded as spent so far; nil if nothing was.
    public var recordedSpend: Amount? { held.recordedSpend }

    /// Adds to the recorded spend, up to `Int64.max`.
    ///
    /// An amount below zero or in another unit than the estimate is reported, and makes the spend unknown: unless an actual
    /// amount is committed, or ``setSpend(_:)`` says what was spent, the estimate is charged, or the recorded spend if that
    /// is more, marked `actual_source = "estimate"`. Spend that comes once the settlement has begun is reported and ignored.
    public func addSpend(_ amount: Amount) { held.addSpend(amount) }

    /// Replaces the recorded spend. An amount below zero or in another unit than the estimate leaves it as it is, and has
    /// the same consequence as in ``addSpend(_:)``.
    public func setSpend(_ amount: Amount) { held.setSpend(amount) }

    /// What the work used, sent with its commit. Several tasks that change parts of it use ``updateMetrics(_:)``.
    public var metrics: CyclesMetrics {
        get { held.metrics ?? CyclesMetrics() }
        nonmutating set { held.updateMetrics { $0 = newValue } }
    }

    /// Whatever is worth keeping with the commit. Several tasks that change parts of it use ``updateMetadata(_:)``.
    public var metadata: [String: JSONValue] {
        get { held.metadata }
        nonmutating set { held.updateMetadata { $0 = newValue } }
    }

    /// Changes the metrics atomically. `body` runs again if another thread has changed metrics or metadata meanwhile;
    /// inside, the context answers with the metrics from before the change.
    public func updateMetrics(_ body: (inout CyclesMetrics) -> Void) { held.updateMetrics(body) }

    /// Changes the metadata atomically. `body` runs again if another thread has changed metrics or metadata meanwhile;
    /// inside, the context answers with the metadata from before the change.
    public func updateMetadata(_ body: (inout [String: JSONValue]) -> Void) { held.updateMetadata(body) }

    /// How the work was settled, or why it could not be; nil before that.
    public var settlement: Result<Settlement, CyclesError>? { held.settlement }
}
