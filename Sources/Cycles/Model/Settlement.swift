/// How a reservation was settled.
public enum Settlement: Hashable, Sendable {
    /// The spend was committed.
    indirect case committed(CommitResponse)
    /// The reservation had expired, and its spend was recorded as an event.
    indirect case recoveredViaEvent(EventCreateResponse)
    /// It had been committed before, with the same or another request.
    case alreadySettled
    /// The hold was given back, or there was nothing left to give back.
    case released
    /// It is not certain yet, and goes on in the background. `isDurable` says whether it survives the end of the
    /// process.
    case queued(isDurable: Bool)

    /// What was charged, if that is known: the actual amount, or less where the budget could not cover it.
    public var charged: Amount? {
        switch self {
        case .committed(let response): response.charged
        case .recoveredViaEvent(let response): response.charged
        case .alreadySettled, .released, .queued: nil
        }
    }

    /// Whether nothing more will happen.
    package var isFinal: Bool { if case .queued = self { false } else { true } }
}

extension Settlement: CustomStringConvertible {
    /// How it was settled, in words.
    public var description: String {
        switch self {
        case .committed(let response):
            "committed \(response.charged)\(response.released.map { ", \($0) given back" } ?? "")"
        case .recoveredViaEvent(let response):
            "recorded as event \(response.eventID)\(response.charged.map { ", \($0) charged" } ?? "")"
        case .alreadySettled: "already settled"
        case .released: "released"
        case .queued(let isDurable): isDurable ? "queued, on disk" : "queued, in this process only"
        }
    }
}
