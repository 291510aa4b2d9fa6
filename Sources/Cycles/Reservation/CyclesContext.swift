/// Gives guarded work access to its reservation, and records its spend, metrics and metadata.
///
/// A context can be used from any task. It cannot commit or release the reservation.
public struct CyclesContext: Sendable {
    private let held: HeldReservation

    init(_ held: HeldReservation) { self.held = held }

    /// The context of the innermost `withCycles` or metered stream around the current task; nil outside.
    @TaskLocal public static var current: CyclesContext?

    /// The server's identifier of the reservation.
    public var reservationID: ReservationID { held.reservationID }

    /// The decision: `allow` or `allowWithCaps`.
    public var decision: Decision { held.response.decision }

    /// The limits that come with ALLOW_WITH_CAPS. Decoded at each access: keep the result.
    public var caps: Caps? { held.response.caps }

    /// The scopes that the reservation holds budget on, in canonical order. Decoded at each access: keep the result.
    public var affectedScopes: [String] { held.response.affectedScopes }

    /// The recorded spend; nil if none was recorded.
    public var recordedSpend: Amount? { held.recordedSpend }

    /// Adds to the recorded spend, up to `Int64.max`.
    ///
    /// A negative amount, or an amount in another unit than the estimate, is reported and makes the spend unknown. The
    /// larger of the estimate and the recorded spend is then charged, marked `actual_source = "estimate"`, unless an
    /// actual amount is committed or ``setSpend(_:)`` replaces the spend. Spend added after settlement has begun is
    /// reported and ignored.
    public func addSpend(_ amount: Amount) { held.addSpend(amount) }

    /// Replaces the recorded spend. A negative amount, or an amount in another unit than the estimate, leaves the
    /// recorded amount unchanged and makes the spend unknown, as in ``addSpend(_:)``.
    public func setSpend(_ amount: Amount) { held.setSpend(amount) }

    /// The metrics to send with the commit. If several tasks change them, use ``updateMetrics(_:)``.
    public var metrics: CyclesMetrics {
        get { held.metrics ?? CyclesMetrics() }
        nonmutating set { held.updateMetrics { $0 = newValue } }
    }

    /// The metadata to send with the commit. If several tasks change them, use ``updateMetadata(_:)``.
    public var metadata: [String: JSONValue] {
        get { held.metadata }
        nonmutating set { held.updateMetadata { $0 = newValue } }
    }

    /// Changes the metrics atomically. `body` runs again if another thread changed metrics or metadata in the meantime.
    /// While `body` runs, ``metrics`` returns the unchanged values.
    public func updateMetrics(_ body: (inout CyclesMetrics) -> Void) { held.updateMetrics(body) }

    /// Changes the metadata atomically. `body` runs again if another thread changed metrics or metadata in the
    /// meantime. While `body` runs, ``metadata`` returns the unchanged values.
    public func updateMetadata(_ body: (inout [String: JSONValue]) -> Void) { held.updateMetadata(body) }

    /// The settlement of the work, or the error that prevented it; nil before an outcome is known.
    public var settlement: Result<Settlement, CyclesError>? { held.settlement }
}
