/// The settlement of a reservation, or of an event that was recorded without one.
public struct Settlement: Hashable, Sendable {
    /// The kind of a settlement. Switches over it need `@unknown default`.
    #if hasAttribute(nonexhaustive)
        @nonexhaustive
    #endif
    public enum Outcome: Hashable, Sendable {
        /// The spend was committed (specification: `commitReservation`).
        indirect case committed(CommitResponse)
        /// The spend was recorded as an event (specification: `createEvent`), for example because the reservation had
        /// expired.
        indirect case recorded(EventCreateResponse)
        /// The reservation was committed before, with the same or another request.
        case alreadySettled
        /// The hold was released, or no hold was left.
        case released
        /// The settlement continues in the background. `isDurable` tells whether the settlement survives the end of the
        /// process.
        case queued(isDurable: Bool)
    }

    /// The kind of the settlement, with the server's answer.
    public let outcome: Outcome

    /// Whether the estimate was or will be charged, since no usable amount was known. Also known after a restart, since
    /// the metadata of the charge contains `actual_source = "estimate"`.
    public let chargedEstimate: Bool

    /// Creates a settlement, for tests and observers.
    public init(_ outcome: Outcome, chargedEstimate: Bool = false) {
        self.outcome = outcome
        self.chargedEstimate = chargedEstimate
    }

    /// The charged amount: the actual amount, or less where the budget did not cover it. Nil if nothing was charged or
    /// the amount is not known.
    public var charged: Amount? {
        switch outcome {
        case .committed(let response): response.charged
        case .recorded(let response): response.charged
        case .alreadySettled, .released, .queued: nil
        }
    }
}

extension Settlement: CustomStringConvertible {
    /// A description of the settlement.
    public var description: String {
        let text =
            switch outcome {
            case .committed(let response):
                "committed \(response.charged)\(response.released.map { ", \($0) released" } ?? "")"
            case .recorded(let response):
                "recorded as event \(response.eventID)\(response.charged.map { ", \($0) charged" } ?? "")"
            case .alreadySettled: "already settled"
            case .released: "released"
            case .queued(let isDurable): isDurable ? "queued, on disk" : "queued, in this process only"
            }
        return chargedEstimate ? "\(text); charges the estimate, since the cost is not known" : text
    }
}
