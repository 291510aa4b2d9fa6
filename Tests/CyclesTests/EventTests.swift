import Cycles
import Testing

@Suite struct EventTests {
    private static let error = CyclesError.transport(HTTPTransportError(kind: .timedOut, message: "too late"))
    private static let attempt = AttemptStart(operation: "commitReservation", reservationID: "rsv_1")

    /// Each kind of event with its severity, and how its text begins and ends.
    private static let table: [(CyclesEvent, CyclesEvent.Severity, String)] = [
        (.attemptStarted(attempt), .debug, "commitReservation for rsv_1 has started"),
        (.attemptStarted(AttemptStart(operation: "decide")), .debug, "decide has started"),
        (
            .attemptFinished(AttemptEnd(attempt: attempt, duration: .microseconds(420), status: 200)), .debug,
            "commitReservation for rsv_1 was answered with 200 after 420 µs"
        ),
        (
            .attemptFinished(AttemptEnd(attempt: attempt, duration: .seconds(5), error: error)), .debug,
            "commitReservation for rsv_1 failed after 5 s: \(error)"
        ),
        (
            .retryScheduled(
                ScheduledRetry(
                    reservationID: "rsv_1",
                    operation: "commitReservation",
                    delay: .milliseconds(500),
                    error: error
                )
            ), .warning, "commitReservation for rsv_1 is retried in 500 ms: \(error)"
        ),
        (.reserved("rsv_1"), .debug, "A guard holds rsv_1"),
        (.settlementStarted("rsv_1"), .debug, "The settlement of rsv_1 has started"),
        (
            .leaseExtended(
                LeaseExtension(reservationID: "rsv_1", expiresAtMilliseconds: 0, remainingTimeToLive: .seconds(60))
            ),
            .debug, "The lease of rsv_1 was extended, and lasts for 60 s"
        ),
        (
            .leaseAttemptFailed(
                LeaseAttemptFailure(reservationID: "rsv_1", error: error, disposition: .retrying(after: .seconds(2)))
            ), .warning, "The lease of rsv_1 could not be extended; the next attempt is in 2 s: \(error)"
        ),
        (
            .leaseAttemptFailed(
                LeaseAttemptFailure(reservationID: "rsv_1", error: error, disposition: .stopped(.noTimeToRetry))
            ), .info,
            "The lease of rsv_1 could not be extended, and no attempt follows: "
                + "no further attempt fits into its remaining time: \(error)"
        ),
        (
            .leaseStopped("rsv_1", .throttled), .warning,
            "The lease of rsv_1 is no longer extended: the server asks to wait longer than the lease lasts; its work "
                + "can still be settled"
        ),
        (
            .leaseAtRisk("rsv_1", .tooShort), .warning,
            "The lease of rsv_1 may run out: it is too short for an extension and one retry; ask for a longer time to live"
        ),
        (.settled("rsv_1", Settlement(.released)), .debug, "The settlement of rsv_1 has ended: released"),
        (
            .settled("rsv_1", Settlement(.queued(isDurable: true))), .info,
            "The settlement of rsv_1 has ended: queued, on disk"
        ),
        (.settlementFailed("rsv_1", error), .error, "rsv_1 could not be settled: \(error)"),
        (
            .guardDropped("rsv_1", recordedSpend: nil), .warning,
            "The guard of rsv_1 ended without commit or release; its hold is released"
        ),
        (
            .guardDropped("rsv_1", recordedSpend: .tokens(42)), .info,
            "The guard of rsv_1 ended without commit or release; the recorded spend of 42 TOKENS is committed"
        ),
        (
            .journalProblem(JournalProblem(path: "/j", message: "cannot be read")), .warning,
            "The settlement journal has a problem: /j: cannot be read"
        ),
        (.systemProblem(SystemProblem(message: "no thread")), .warning, "The system refuses a resource: no thread"),
        (
            .recordSetAside(SetAsideRecord(path: "/j/r.json.rejected", reservationID: "rsv_1", reason: "400")), .error,
            "A settlement needs an operator: /j/r.json.rejected: the record of rsv_1 was set aside, and its spend has to "
                + "be settled by hand: 400"
        ),
        (
            .valueIgnored("rsv_1", what: "latency is negative"), .warning,
            "A value was left out of the settlement of rsv_1: latency is negative"
        ),
    ]

    @Test(arguments: table.indices) func eventsHaveASeverityAndReadAsSentences(index: Int) {
        let (event, severity, text) = Self.table[index]
        #expect(event.severity == severity)
        #expect("\(event)" == text)
    }

    @Test func severitiesAreOrdered() {
        #expect(CyclesEvent.Severity.allCases == [.debug, .info, .warning, .error])
        #expect(CyclesEvent.Severity.allCases == CyclesEvent.Severity.allCases.sorted())
        #expect("\(CyclesEvent.Severity.warning)" == "warning")
    }

    @Test(arguments: [
        (Duration.nanoseconds(1), "1 ns"), (.nanoseconds(999), "999 ns"), (.microseconds(1), "1 µs"),
        (.nanoseconds(420_900), "420 µs"), (.microseconds(999), "999 µs"), (.milliseconds(1), "1 ms"), (.zero, "0 s"),
        (.microseconds(1_500), "1 ms"), (.milliseconds(1_500), "1.5 s"), (.seconds(5), "5 s"),
    ])
    func durationsUnderAMillisecondAreNotZero(duration: Duration, text: String) {
        let end = AttemptEnd(attempt: Self.attempt, duration: duration, status: 200)
        #expect("\(CyclesEvent.attemptFinished(end))".hasSuffix(" after \(text)"))
    }
}
