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
        // The plans below are for tasks.
        case cancelledReserve
        case metered, meteredThatBreaksOff, meteredThatFails

        /// The plans for clients for threads.
        static let ofThreads = allCases.filter { !$0.needsTask }

        var needsTask: Bool {
            switch self {
            case .cancelledReserve, .metered, .meteredThatBreaksOff, .meteredThatFails: true
            default: false
            }
        }

        /// Whether the work has a reservation whose guard a thread keeps between steps.
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
    /// The spend, as far as it is known: that of a stream grows with its elements.
    var spend: Int64

    /// The task of the work, in a process with clients for tasks.
    var task: Task<Void, Never>?
    /// Whether the work has no guard and no task any more.
    var isOver = false
    var reservation: BlockingReservationGuard?
    var reservationID: ReservationID?
    var expectation = Expectation.nothing
    /// Whether the process began to settle spend.
    var hasBegunSettling = false
    /// Whether the call that settles has returned in a process that was alive.
    var hasReturned = false
    /// Whether the process observed the end of the settlement or release, or that it is queued.
    var hasEnded = false
    /// Whether a commit or event was handed to the network.
    var hasLeft = false
    /// The idempotency key of the first commit or event.
    var settlementKey: String?
    /// Whether the hold was given back, and the call or the end of the guard that did so has returned.
    var hasReleased = false
    var reserveCalls = 0
    var reserveRequests = 0

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
