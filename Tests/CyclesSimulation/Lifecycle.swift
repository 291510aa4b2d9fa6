import Cycles

/// One piece of work that a simulated process guards or records, and what has to become of its spend.
///
/// Unchecked Sendable is sound: one thread runs a world.
final class Lifecycle: @unchecked Sendable {
    /// The end that the work is going to have.
    enum Plan: CaseIterable {
        case commit, commitBeyondEstimate, commitZero
        case release, releaseWithSpend
        case drop, dropWithSpend
        case withCycles, withCyclesThatThrows, withCyclesThatSpendsAndThrows
        case record

        /// Whether the work has a reservation whose guard is kept between steps.
        var keepsGuard: Bool {
            switch self {
            case .withCycles, .withCyclesThatThrows, .withCyclesThatSpendsAndThrows, .record: false
            default: true
            }
        }
    }

    /// The charges that the server must show in the end.
    enum Expectation: Equatable {
        case nothing
        case once(Int64)
        /// The process ended before the settlement was on disk.
        case atMostOnce(Int64)
    }

    let number: Int
    let plan: Plan
    let process: SimulatedProcess
    /// The client of the process that does the work.
    let client: Int
    let estimate: Int64
    let spend: Int64

    var reservation: BlockingReservationGuard?
    var reservationID: ReservationID?
    var expectation = Expectation.nothing
    /// Whether the process began to settle spend.
    var hasBegunSettling = false
    /// Whether the call that settles has returned in a process that was alive.
    var hasReturned = false
    /// Whether a commit or event was handed to the network.
    var hasLeft = false
    /// The idempotency key of the first commit or event.
    var settlementKey: String?

    init(_ number: Int, _ plan: Plan, _ process: SimulatedProcess, client: Int, estimate: Int64, spend: Int64) {
        self.number = number
        self.plan = plan
        self.process = process
        self.client = client
        self.estimate = estimate
        self.spend = spend
    }

    /// The text of the keys by which the book recognises the work.
    var name: String { "work-\(number)" }

    /// Begins to settle the spend, which from now on may be charged.
    func beginSettling() {
        hasBegunSettling = true
        expectation = .once(spend)
    }

    /// Lowers the expectation when the process ends: spend that was not yet on disk may be lost with it.
    /// - Parameters:
    ///   - isClaimedDurable: Whether the client told that the record is on disk.
    ///   - mayFail: Whether the disk has had faults while the process ran.
    func processEnded(isClaimedDurable: Bool, mayFail: Bool) {
        guard case .once(let amount) = expectation else { return }
        let isDurable = isClaimedDurable || (!mayFail && (hasReturned || hasLeft))
        if !isDurable { expectation = .atMostOnce(amount) }
    }
}
