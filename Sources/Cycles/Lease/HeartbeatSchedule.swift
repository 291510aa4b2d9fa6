/// Schedules the extensions of one lease (specification: `extendReservation`, HEARTBEAT GUIDANCE).
///
/// A value that takes the result and time of each attempt and returns the next step. All numbers are milliseconds.
/// Times and margins are rounded up, leads and delays down; sums saturate.
///
/// The primary algorithm applies while answers carry the remaining time of the lease, the fallback otherwise. The state
/// of both is always kept up to date, since answers may change between the two forms.
package struct HeartbeatSchedule: Hashable, Sendable {
    /// The next step.
    package enum Step: Hashable, Sendable {
        /// Extend at a time, with a fresh key for a new extension, or with the last key for a retry.
        case attempt(at: Duration, withFreshKey: Bool)
        /// Stop extending the lease.
        case stop(LeaseStop)
    }

    /// The time that each extension asks for: the time to live that was requested with the reservation.
    package let extensionMilliseconds: Int64
    /// The upper limit of an attempt's timeout.
    private let longestTimeout: Int64
    /// Whether every attempt uses ``longestTimeout``, even if the lease is short.
    private let hasFixedTimeout: Bool

    /// Whether the last valid answer carried the remaining time of the lease.
    private(set) package var isPrimary = false
    private var maxRoundTrip: Int64 = 0

    // Primary.
    private var leadFloor: Int64 = 0
    private var established: Duration = .zero
    private var zeroDelays: UInt8 = 0
    private var hasRetriedAtTheLastMoment = false
    private var lastFailure: Failure?

    // Fallback.
    private let began: Duration
    private var lastExtended: Duration
    private var expiresAt: Int64
    private var grantSum: Int64 = 0
    private var lastGrant: Int64 = 0
    private var interval: Int64
    /// Whether the server seems to limit how far ahead a lease may end. The fallback may then lose the lease.
    private(set) package var suspectsLeadLimit = false

    private struct Failure: Hashable, Sendable {
        var elapsed: Int64
        var window: Int64
    }

    /// Returns the schedule of a lease that was just granted, and its first step.
    /// - Parameters:
    ///   - extending: The time to live that was requested.
    ///   - grant: The lease in the valid answer, with the times of the attempt that was answered.
    ///   - longestTimeout: The upper limit of an attempt's timeout.
    ///   - hasFixedTimeout: Whether every attempt uses `longestTimeout`. Otherwise the timeout is a sixth of the lead,
    ///     at least a second and at most `longestTimeout`, so that short leases can be kept.
    package static func begin(
        extending timeToLive: Duration,
        grant: LeaseReport,
        longestTimeout: Duration,
        hasFixedTimeout: Bool = false
    ) -> (schedule: HeartbeatSchedule, first: Step) {
        var schedule = HeartbeatSchedule(timeToLive, grant, longestTimeout, hasFixedTimeout)
        guard let remaining = grant.remainingMilliseconds else {
            // The server may have granted a shorter time than requested.
            return (schedule, .attempt(at: grant.received, withFreshKey: true))
        }
        let first = schedule.establish(remaining: remaining, grant)
        return (schedule, first)
    }

    private init(_ timeToLive: Duration, _ grant: LeaseReport, _ longestTimeout: Duration, _ hasFixedTimeout: Bool) {
        extensionMilliseconds = timeToLive.wholeMilliseconds
        self.longestTimeout = max(1, longestTimeout.wholeMillisecondsRoundedUp)
        self.hasFixedTimeout = hasFixedTimeout
        began = grant.received
        lastExtended = grant.received
        expiresAt = grant.expiresAtMilliseconds
        interval = min(timeToLive.wholeMilliseconds / 2, HeartbeatSchedule.heldInterval)
    }

    // MARK: Properties

    /// The timeout of the next attempt.
    package var attemptTimeout: Duration { .milliseconds(timeoutMilliseconds) }

    /// The earliest possible end of the lease; nil while answers do not carry its remaining time.
    package var knownEnd: Duration? { isPrimary ? established + .milliseconds(leadFloor) : nil }

    /// Whether the lease is shorter than an attempt, one retry and a margin together.
    package var isTooShortToKeep: Bool { isPrimary && leadFloor <= retryReserve }

    // MARK: Results of attempts

    /// Takes a successful answer to an extension.
    package mutating func succeeded(_ report: LeaseReport) -> Step {
        let grant = report.expiresAtMilliseconds.saturatingSubtracting(expiresAt)
        let sinceLast = HeartbeatSchedule.elapsed(from: lastExtended, to: report.received)
        expiresAt = report.expiresAtMilliseconds
        lastExtended = report.received
        lastGrant = grant
        grantSum = grantSum.saturatingAdding(max(0, grant))
        suspectsLeadLimit = HeartbeatSchedule.echoes(grant, of: sinceLast, asked: extensionMilliseconds)
        let half = extensionMilliseconds / 2
        interval = suspectsLeadLimit ? min(half, HeartbeatSchedule.heldInterval) : min(max(grant / 2, 500), half)
        if let remaining = report.remainingMilliseconds { return establish(remaining: remaining, report) }
        noteRoundTrip(report)
        isPrimary = false
        return .attempt(at: nextBeat(after: report.received), withFreshKey: true)
    }

    /// Takes the answer to an extension that the caller requested. Resets the count of zero delays, which counts only
    /// the schedule's own attempts.
    package mutating func extendedByHand(_ report: LeaseReport) -> Step {
        zeroDelays = 0
        return succeeded(report)
    }

    /// Takes the failure of an attempt.
    package mutating func failed(_ failure: ExtendFailure, at now: Duration) -> Step {
        switch failure {
        case .permanent(let code): return .stop(.ended(code))
        case .refused(let status, let code): return .stop(.refused(status: status, code))
        case .transient, .throttled: break
        }
        return isPrimary ? recover(failure, at: now) : repeatBeat(failure, at: now)
    }

    // MARK: Primary

    private mutating func establish(remaining: Int64, _ report: LeaseReport) -> Step {
        noteRoundTrip(report)
        isPrimary = true
        let roundTrip = HeartbeatSchedule.elapsed(from: report.sent, to: report.received)
        leadFloor = max(0, remaining.saturatingSubtracting(roundTrip))
        established = report.received
        lastFailure = nil
        hasRetriedAtTheLastMoment = false
        let delay = max(0, leadFloor.saturatingSubtracting(retryReserve))
        guard delay == 0 else {
            zeroDelays = 0
            return .attempt(at: report.received + .milliseconds(delay), withFreshKey: true)
        }
        zeroDelays += 1
        if zeroDelays >= 2 { return .stop(.tooShort) }
        return .attempt(at: report.received, withFreshKey: true)
    }

    private mutating func recover(_ failure: ExtendFailure, at now: Duration) -> Step {
        let elapsed = HeartbeatSchedule.elapsed(from: established, to: now)
        let lead = max(0, leadFloor.saturatingSubtracting(elapsed))
        let window = lead.saturatingSubtracting(attemptBudget).saturatingSubtracting(safetyMargin)
        guard window >= 0 else { return .stop(.noTimeToRetry) }
        if let lastFailure, elapsed <= lastFailure.elapsed, window >= lastFailure.window {
            return .stop(.noTimeToRetry)
        }
        lastFailure = Failure(elapsed: elapsed, window: window)
        if window == 0 {
            if hasRetriedAtTheLastMoment { return .stop(.noTimeToRetry) }
            hasRetriedAtTheLastMoment = true
        }
        if case .throttled(let seconds) = failure {
            guard let seconds, seconds >= 0 else { return .stop(.throttled) }
            let (milliseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
            guard !overflow, milliseconds <= window else { return .stop(.throttled) }
            return .attempt(at: now + .milliseconds(milliseconds), withFreshKey: false)
        }
        return .attempt(at: now + .milliseconds(min(30_000, lead / 4, window)), withFreshKey: false)
    }

    private mutating func noteRoundTrip(_ report: LeaseReport) {
        maxRoundTrip = max(maxRoundTrip, HeartbeatSchedule.elapsed(from: report.sent, to: report.received))
    }

    private var timeoutMilliseconds: Int64 {
        if hasFixedTimeout { return longestTimeout }
        let lead = isPrimary ? leadFloor : extensionMilliseconds
        return min(max(lead / 6, 1_000), longestTimeout)
    }

    private var doubleRoundTrip: Int64 { maxRoundTrip.saturatingAdding(maxRoundTrip) }
    private var attemptBudget: Int64 { max(timeoutMilliseconds, 1_000, doubleRoundTrip) }
    private var safetyMargin: Int64 { max(1_000, doubleRoundTrip) }
    private var retryReserve: Int64 {
        attemptBudget.saturatingAdding(attemptBudget).saturatingAdding(safetyMargin)
    }

    // MARK: Fallback

    private static let heldInterval: Int64 = 30_000

    /// Whether a grant is about as long as the time between two extensions, which suggests that the server limits the
    /// lead.
    private static func echoes(_ grant: Int64, of elapsed: Int64, asked: Int64) -> Bool {
        if grant <= 0 { return true }
        let (grant, elapsed, asked) = (Double(grant), Double(elapsed), Double(asked))
        return grant < 0.9 * asked && 0.75 * elapsed <= grant && grant <= 1.25 * elapsed
    }

    /// The time of the next extension. Skips beats at which the remaining lead is still sufficient.
    private func nextBeat(after now: Duration) -> Duration {
        let beat = now + .milliseconds(interval)
        guard lastGrant > 0, interval > 0 else { return beat }
        let leadAtBeat = grantSum.saturatingSubtracting(HeartbeatSchedule.elapsed(from: began, to: beat))
        let enough = lastGrant.saturatingAdding(lastGrant / 2).saturatingAdding(lastGrant % 2)
        let excess = leadAtBeat.saturatingSubtracting(enough)
        guard excess >= 0 else { return beat }
        return beat + .milliseconds(interval) * Int(clamping: excess / interval + 1)
    }

    private func repeatBeat(_ failure: ExtendFailure, at now: Duration) -> Step {
        var next = now + .milliseconds(interval)
        if case .throttled(let seconds?) = failure { next = max(next, now + .seconds(max(0, seconds))) }
        return .attempt(at: next, withFreshKey: false)
    }

    // MARK: Time

    /// The whole milliseconds between two times, rounded up; zero if `end` is before `start`.
    private static func elapsed(from start: Duration, to end: Duration) -> Int64 {
        max(0, (end - start).wholeMillisecondsRoundedUp)
    }
}
