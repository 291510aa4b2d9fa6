import Testing

@testable import Cycles

/// A schedule in a virtual time of whole milliseconds.
private struct Simulation {
    var now: Int64 = 0
    var schedule: HeartbeatSchedule
    var step: HeartbeatSchedule.Step

    init(
        timeToLive: Int64 = 60_000,
        remaining: Int64? = 60_000,
        expiresAt: Int64 = 1_000_000,
        roundTrip: Int64 = 0,
        longestTimeout: Int64 = 7_000,
        fixed: Bool = true
    ) {
        let grant = LeaseReport(
            remainingMilliseconds: remaining,
            expiresAtMilliseconds: expiresAt,
            sent: .milliseconds(-roundTrip),
            received: .zero
        )
        (schedule, step) = HeartbeatSchedule.begin(
            extending: .milliseconds(timeToLive),
            grant: grant,
            longestTimeout: .milliseconds(longestTimeout),
            hasFixedTimeout: fixed
        )
    }

    /// When the next attempt is due; nil if there is none.
    var due: Int64? { if case .attempt(let time, _) = step { time.wholeMilliseconds } else { nil } }
    var isFresh: Bool? { if case .attempt(_, let isFresh) = step { isFresh } else { nil } }
    var stop: LeaseStop? { if case .stop(let reason) = step { reason } else { nil } }

    /// Makes the next attempt, which fails after some time.
    mutating func fail(_ failure: ExtendFailure = .transient, after duration: Int64 = 0) {
        now = max(now, due ?? now) + duration
        step = schedule.failed(failure, at: .milliseconds(now))
    }

    /// Makes the next attempt, which is answered after some time.
    mutating func succeed(remaining: Int64? = 60_000, expiresAt: Int64 = 1_000_000, after roundTrip: Int64 = 0) {
        let sent = max(now, due ?? now)
        now = sent + roundTrip
        step = schedule.succeeded(
            LeaseReport(
                remainingMilliseconds: remaining,
                expiresAtMilliseconds: expiresAt,
                sent: .milliseconds(sent),
                received: .milliseconds(now)
            )
        )
    }
}

@Suite struct HeartbeatScheduleTests {
    @Test func theTraceOfTheSpecificationIsReproduced() {
        var simulation = Simulation()
        var attempts: [Int64] = []
        while let due = simulation.due {
            attempts.append(due)
            simulation.fail()
        }
        #expect(attempts == [45_000, 48_750, 51_562, 52_000, 52_000])
        #expect(simulation.stop == .noTimeToRetry)
    }

    @Test func theExampleOfTheSpecificationComesOut() {
        #expect(Simulation(roundTrip: 1_500, longestTimeout: 10_000).due == 35_500)
        #expect(Simulation(roundTrip: 1_500, longestTimeout: 30_000).due == 0)
    }

    @Test func keysAreFreshForExtensionsAndKeptForRetries() {
        var simulation = Simulation()
        #expect(simulation.isFresh == true)
        simulation.fail()
        #expect(simulation.isFresh == false)
        simulation.succeed()
        #expect(simulation.isFresh == true)
    }

    // MARK: Primary

    @Test func theRoundTripShortensTheLead() {
        #expect(Simulation(roundTrip: 100).due == 44_900)
        // Twice the longest round trip exceeds both the limit and a second.
        #expect(Simulation(roundTrip: 4_000, longestTimeout: 7_000).due == 32_000)
    }

    @Test func theLongestRoundTripIsRemembered() {
        var simulation = Simulation(roundTrip: 4_000)
        simulation.succeed(after: 10)
        #expect(simulation.due == 68_000)
        #expect(simulation.schedule.attemptTimeout == .milliseconds(7_000))
    }

    @Test func leadsComeFromTheLastAnswerAlone() {
        var simulation = Simulation()
        simulation.succeed(remaining: 30_000, expiresAt: 9_000_000)
        #expect(simulation.due == 60_000)
        simulation.succeed(remaining: 90_000)
        #expect(simulation.due == 135_000)
    }

    @Test func aFreshExtensionFollowsOneZeroDelayAndNoSecond() {
        var simulation = Simulation(remaining: 15_000)
        #expect(simulation.due == 0 && simulation.isFresh == true)
        simulation.succeed(remaining: 15_000)
        #expect(simulation.stop == .tooShort)
        #expect(simulation.schedule.isTooShortToKeep)

        var additive = Simulation(remaining: 15_000)
        additive.succeed(remaining: 30_000)
        #expect(additive.due == 15_000)
        additive.succeed(remaining: 15_000)
        #expect(additive.due == 15_000 && additive.isFresh == true)
    }

    @Test func aLeaseThatIsOverIsExtendedOnce() {
        var simulation = Simulation(remaining: 0)
        #expect(simulation.due == 0)
        simulation.fail()
        #expect(simulation.stop == .noTimeToRetry)
    }

    @Test func aRetryWaitsAtMostThirtySeconds() {
        var simulation = Simulation(timeToLive: 600_000, remaining: 600_000)
        // Early, as if the schedule had been made for a shorter lease.
        simulation.step = simulation.schedule.failed(.transient, at: .milliseconds(1_000))
        #expect(simulation.due == 31_000)
    }

    @Test func aRetryThatWouldNotFitIsNotMade() {
        var simulation = Simulation()
        // 60 000 − 52 001 leaves less than an attempt and its margin.
        simulation.fail(after: 7_001)
        #expect(simulation.stop == .noTimeToRetry)
        var atTheLastMoment = Simulation()
        atTheLastMoment.fail(after: 7_000)
        #expect(atTheLastMoment.due == 52_000)
        atTheLastMoment.fail(after: 1)
        #expect(atTheLastMoment.stop == .noTimeToRetry)
    }

    @Test func timeThatStandsStillEndsTheRetries() {
        var simulation = Simulation()
        simulation.fail()
        simulation.step = simulation.schedule.failed(.transient, at: .milliseconds(45_000))
        #expect(simulation.stop == .noTimeToRetry)
    }

    @Test func aSuccessStartsOver() {
        var simulation = Simulation()
        simulation.fail()
        simulation.succeed()
        #expect(simulation.due == 93_750)
        simulation.fail()
        #expect(simulation.due == 97_500)
    }

    @Test(
        arguments: [(7, 52_000), (8, nil), (0, 45_000), (nil, nil), (Int64.max, nil), (-1, nil)] as [(Int64?, Int64?)]
    )
    func throttlingIsObeyedOrEndsIt(seconds: Int64?, due: Int64?) {
        var simulation = Simulation()
        simulation.fail(.throttled(retryAfterSeconds: seconds))
        #expect(simulation.due == due)
        #expect(simulation.stop == (due == nil ? .throttled : nil))
        #expect(simulation.isFresh != true)
    }

    @Test func refusalsEndIt() {
        var simulation = Simulation()
        simulation.fail(.refused(status: 401, .unauthorized))
        #expect(simulation.stop == .refused(status: 401, .unauthorized))
        simulation.fail(.permanent(.maxExtensionsExceeded))
        #expect(simulation.stop == .ended(.maxExtensionsExceeded))
    }

    @Test func partsOfMillisecondsNeverLengthenALease() {
        let grant = LeaseReport(
            remainingMilliseconds: 60_000,
            expiresAtMilliseconds: 0,
            sent: .zero,
            received: .microseconds(1)
        )
        let (schedule, first) = HeartbeatSchedule.begin(
            extending: .seconds(60),
            grant: grant,
            longestTimeout: .microseconds(6_999_001),
            hasFixedTimeout: true
        )
        #expect(first == .attempt(at: .microseconds(1) + .milliseconds(44_999), withFreshKey: true))
        #expect(schedule.attemptTimeout == .milliseconds(7_000))
    }

    @Test func extremesSaturate() {
        var simulation = Simulation(remaining: .max, expiresAt: .max, longestTimeout: .max)
        #expect(simulation.due != nil)
        simulation.fail()
        simulation.succeed(remaining: .max, expiresAt: .min)
        simulation.succeed(remaining: nil, expiresAt: .max)
        simulation.succeed(remaining: nil, expiresAt: .min)
        #expect(simulation.due != nil)
    }

    @Test func settingUpTakesNothingFromTheMargin() {
        // The first attempt is due at a moment counted from the receipt, however long it took to get to the schedule.
        #expect(Simulation().due == 45_000)
    }

    // MARK: The time limit of an attempt

    @Test(arguments: [(60_000, 7_000), (42_000, 7_000), (15_000, 2_500), (5_000, 1_000), (1_000, 1_000)])
    func theLimitShrinksWithTheLease(remaining: Int64, limit: Int64) {
        let simulation = Simulation(remaining: remaining, fixed: false)
        #expect(simulation.schedule.attemptTimeout == .milliseconds(limit))
    }

    @Test(arguments: [(15_000, 9_000), (5_000, 2_000), (3_001, 1)])
    func shortLeasesAreKept(lease: Int64, delay: Int64) {
        var simulation = Simulation(timeToLive: lease, remaining: lease, fixed: false)
        #expect(!simulation.schedule.isTooShortToKeep)
        // A server that holds the lease at its first length, however often it is extended.
        for beat in 1...20 {
            #expect(simulation.due == Int64(beat) * delay)
            simulation.succeed(remaining: lease)
        }
    }

    @Test func aLeaseOfThreeSecondsCannotBeKept() {
        var simulation = Simulation(timeToLive: 3_000, remaining: 3_000, fixed: false)
        #expect(simulation.schedule.isTooShortToKeep)
        simulation.succeed(remaining: 3_000)
        #expect(simulation.stop == .tooShort)
    }

    @Test func anExtensionByHandStartsTheCountOfZeroDelaysOver() {
        var simulation = Simulation(remaining: 15_000)
        let report = LeaseReport(
            remainingMilliseconds: 15_000,
            expiresAtMilliseconds: 1_000_000,
            sent: .zero,
            received: .zero
        )
        simulation.step = simulation.schedule.extendedByHand(report)
        #expect(simulation.due == 0 && simulation.isFresh == true)
        simulation.succeed(remaining: 15_000)
        #expect(simulation.stop == .tooShort)
    }

    // MARK: Fallback

    @Test func withoutTheFieldTheFirstBeatIsAtOnce() {
        var simulation = Simulation(remaining: nil, expiresAt: 60_000)
        #expect(simulation.due == 0 && simulation.isFresh == true)
        #expect(simulation.schedule.knownEnd == nil)
        // A whole lease was added: the next beat is half of it away.
        simulation.succeed(remaining: nil, expiresAt: 120_000)
        #expect(simulation.due == 30_000)
        #expect(!simulation.schedule.suspectsLeadLimit)
    }

    @Test func beatsAreSkippedWhileTheLeaseLastsMuchLonger() {
        var simulation = Simulation(remaining: nil, expiresAt: 60_000)
        simulation.succeed(remaining: nil, expiresAt: 120_000)
        simulation.succeed(remaining: nil, expiresAt: 180_000)
        // Two grants of 60 s were measured by 30 s: at 60 s the lead is 60 s, which is less than 1.5 grants.
        #expect(simulation.due == 60_000)
        simulation.succeed(remaining: nil, expiresAt: 240_000)
        // At 90 s it would be 90 s: that beat is skipped.
        #expect(simulation.due == 120_000)
    }

    @Test func smallerGrantsQuickenTheBeat() {
        var simulation = Simulation(remaining: nil, expiresAt: 60_000)
        simulation.succeed(remaining: nil, expiresAt: 70_000, after: 1)
        #expect(simulation.due == 5_001)
        var tiny = Simulation(timeToLive: 60_000, remaining: nil, expiresAt: 60_000)
        tiny.succeed(remaining: nil, expiresAt: 60_100, after: 1)
        #expect(tiny.due == 501)
    }

    @Test func grantsThatEchoTheTimeHoldTheBeat() {
        var simulation = Simulation(remaining: nil, expiresAt: 60_000)
        simulation.succeed(remaining: nil, expiresAt: 60_000)
        #expect(simulation.schedule.suspectsLeadLimit)
        #expect(simulation.due == 30_000)
        simulation.succeed(remaining: nil, expiresAt: 90_000)
        #expect(simulation.schedule.suspectsLeadLimit)
        #expect(simulation.due == 60_000)
        // Outside the band it is a lease of its own length again.
        simulation.succeed(remaining: nil, expiresAt: 110_000)
        #expect(!simulation.schedule.suspectsLeadLimit)
        #expect(simulation.due == 70_000)
    }

    @Test func aFailedBeatIsRepeatedAtTheNextInterval() {
        var simulation = Simulation(remaining: nil, expiresAt: 60_000)
        simulation.fail(after: 10)
        #expect(simulation.due == 30_010 && simulation.isFresh == false)
        simulation.fail(.throttled(retryAfterSeconds: 45))
        #expect(simulation.due == 75_010)
        simulation.fail(.throttled(retryAfterSeconds: nil))
        #expect(simulation.due == 105_010)
        simulation.fail(.permanent(.reservationExpired))
        #expect(simulation.stop == .ended(.reservationExpired))
    }

    @Test func theModeFollowsTheLastAnswer() {
        var simulation = Simulation(remaining: nil, expiresAt: 60_000)
        simulation.succeed(remaining: 60_000, expiresAt: 120_000)
        #expect(simulation.schedule.isPrimary && simulation.due == 45_000)
        simulation.succeed(remaining: nil, expiresAt: 165_000)
        // The grant of 45 s echoes the 45 s since the last extension, all of which the fallback has kept books of.
        #expect(!simulation.schedule.isPrimary && simulation.schedule.suspectsLeadLimit)
        #expect(simulation.due == 75_000)
        simulation.succeed(remaining: 60_000, expiresAt: 225_000)
        #expect(simulation.schedule.isPrimary && simulation.due == 120_000)
    }

    // MARK: Classification

    @Test(
        arguments: [
            (410, .unrecognized("NEW"), ExtendFailure.permanent(.reservationExpired)), (410, nil, .transient),
            (409, .reservationFinalized, .permanent(.reservationFinalized)),
            (404, .notFound, .permanent(.notFound)), (404, nil, .transient),
            (404, .unrecognized("Not Found"), .transient),
            (404, .unrecognized("NEW"), .refused(status: 404, .unrecognized("NEW"))),
            (400, .reservationExpired, .permanent(.reservationExpired)),
            (409, .maxExtensionsExceeded, .permanent(.maxExtensionsExceeded)),
            (409, .tenantClosed, .permanent(.tenantClosed)), (429, nil, .throttled(retryAfterSeconds: 3)),
            (400, .limitExceeded, .throttled(retryAfterSeconds: 3)), (503, .limitExceeded, .transient),
            (500, .internalError, .transient), (500, .notFound, .transient), (204, nil, .transient),
            (302, nil, .transient), (408, nil, .transient), (408, .invalidRequest, .transient),
            (401, nil, .refused(status: 401, nil)), (403, nil, .transient),
            (401, .unauthorized, .refused(status: 401, .unauthorized)),
            (409, .idempotencyMismatch, .refused(status: 409, .idempotencyMismatch)),
        ] as [(Int, ErrorCode?, ExtendFailure)]
    )
    func answersAreClassified(status: Int, code: ErrorCode?, expected: ExtendFailure) {
        #expect(ExtendFailure(status: status, code: code, retryAfter: .seconds(3)) == expected)
    }

    @Test func throttlingWithoutATimeEndsALeaseOnlyIfTheServerSaysSo() {
        #expect(
            ExtendFailure(status: 429, code: .limitExceeded, retryAfter: nil) == .throttled(retryAfterSeconds: nil)
        )
        #expect(ExtendFailure(status: 429, code: nil, retryAfter: nil) == .transient)
    }
}
