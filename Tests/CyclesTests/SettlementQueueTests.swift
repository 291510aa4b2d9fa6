import CyclesTesting
import Testing

@testable import Cycles

/// A queue in virtual time, whose actions a test sees as text.
private final class QueueBench {
    private var queue: SettlementQueue
    /// The client of all jobs, unless another is named.
    let owner = QueueBench.owner(1)
    /// By their reservations.
    private var jobs: [String: SettlementJob] = [:]
    var now = Duration.zero
    /// The claim of the last attempt of each reservation.
    private(set) var fileClaims: [String: SettlementAction.FileClaim] = [:]
    /// The reservations whose attempts have ended without a write, with the times at which they began.
    private(set) var endedAttempts: [String] = []
    /// Happens while an observer is told of a retry.
    var whileReporting: (() -> [String])?

    init(hasJournal: Bool = false, _ policy: RetryPolicy = RetryPolicy()) {
        queue = SettlementQueue(policy, hasJournal: hasJournal)
    }

    static func owner(_ identity: Int, tenant: String? = nil) -> SettlementOwner {
        let configuration = CyclesConfiguration(baseURL: "http://authority.test", apiKey: "key-1")
        // The configuration is valid.
        // swift-format-ignore: NeverUseForceTry
        let performer = try! OperationPerformer(
            configuration,
            transport: .tasks(TaskCallbackTransport(MockTransport())),
            time: ManualClock(),
            randomness: { 0.5 },
            observer: RecordingObserver()
        )
        return SettlementOwner(performer, SettlementIdentity(number: identity, tenant: tenant, journal: nil))
    }

    private func record(_ id: String) -> SettlementRecord {
        SettlementRecord(
            reservationID: ReservationID(id),
            baseURL: "",
            idempotencyKey: "k",
            commit: CommitRequest(actual: .tokens(1)),
            subject: Subject(tenant: "acme"),
            action: Action(kind: "k", name: "n"),
            recordedAtMilliseconds: 0
        )
    }

    // MARK: Inputs

    func settle(_ id: String, for other: SettlementOwner? = nil, isAwaited: Bool = false) -> [String] {
        let id = ReservationID(id)
        return text(
            queue.begin(.settle(record(id.rawValue)), of: id, for: other ?? owner, isAwaited: isAwaited, now: now) {
                _ in
            }
        )
    }

    func release(
        _ id: String,
        leaseEnd: Duration? = nil,
        isAwaited: Bool = false,
        after errand: Errand? = nil
    ) -> [String] {
        let work = SettlementStateMachine.Work.release(ReleaseRequest(), leaseEnd: leaseEnd)
        return text(
            queue.begin(work, of: ReservationID(id), for: owner, isAwaited: isAwaited, after: errand, now: now) { _ in }
        )
    }

    func replay(
        _ ids: [String],
        for other: SettlementOwner? = nil,
        notBefore: Int64? = nil,
        attemptedAt: Int64 = 0,
        isEvent: Bool = false,
        after errand: Errand? = nil
    ) -> [String] {
        let records = ids.map { fileRecord($0, notBefore: notBefore, attemptedAt: attemptedAt, isEvent: isEvent) }
        let wall = now.wholeMilliseconds
        return text(
            queue.replay(records, for: other ?? owner, after: errand, now: now, wall: wall, randomness: { 0.5 })
        )
    }

    func fileRecord(
        _ id: String,
        notBefore: Int64? = nil,
        attemptedAt: Int64 = 0,
        isEvent: Bool = false
    ) -> SettlementRecord {
        var record = record(id)
        record.notBeforeMilliseconds = notBefore
        record.attemptedAtMilliseconds = attemptedAt
        if isEvent { _ = record.becomeEvent() }
        return record
    }

    func claimed(_ id: String, _ claim: RecordClaim) -> [String] {
        job(id).map {
            text(queue.claimed($0, claim, now: now, wall: now.wholeMilliseconds, randomness: 0.5))
        } ?? []
    }

    func stored(_ id: String, _ isWritten: Bool = true) -> [String] {
        job(id).map { text(queue.stored($0, isWritten: isWritten)) } ?? []
    }

    func answer(_ id: String, _ result: Result<SettlementStateMachine.Answer, CyclesError>) -> [String] {
        let wall = now.wholeMilliseconds
        return job(id).map { text(queue.answered($0, result, now: now, randomness: 0.5, attemptedAt: wall)) } ?? []
    }

    func succeed(_ id: String) -> [String] { answer(id, .success(.settled(.alreadySettled))) }

    func fail(_ id: String, _ status: Int, _ code: ErrorCode? = nil, retryAfter: Duration? = nil) -> [String] {
        let error = APIError(operation: "o", status: status, code: code, message: "m", retryAfter: retryAfter)
        return answer(id, .failure(.api(error)))
    }

    func forgotten(_ id: String) -> [String] { job(id).map { text(queue.forgotten($0)) } ?? [] }

    /// Lets time pass.
    func attend(at time: Duration) -> [String] {
        now = time
        return text(queue.attend(now: time))
    }

    func changeKey(of other: SettlementOwner? = nil) -> [String] {
        let credentials = (other ?? owner).performer.credentials
        credentials.rotate(to: "key-2")
        return text(queue.keyChanged(of: ObjectIdentifier(credentials), now: now))
    }
    func shutDown() -> [String] { text(queue.shutDown()) }
    func flush(
        _ id: UInt64 = 1,
        of identity: Int? = nil,
        until deadline: Duration,
        includesReplays: Bool = true
    ) -> [String] {
        text(queue.flush(id, of: identity, until: deadline, includesReplays: includesReplays, now: now) { _ in })
    }
    func endFlush(_ id: UInt64 = 1) -> [String] { text(queue.endFlush(id)) }
    func beginErrand(isReplay: Bool = false) -> Errand { queue.beginErrand(of: 1, isReplay: isReplay) }
    func endErrand(_ errand: Errand) -> [String] { text(queue.endErrand(errand)) }
    func claim(_ id: String) -> SettlementQueue.Claim { queue.claim(ReservationID(id), of: 1) }
    func endClaim(_ id: String) { queue.endClaim(ReservationID(id), of: 1) }

    var pending: [PendingSettlement] { pending(of: nil) }
    func pending(of identity: Int?) -> [PendingSettlement] { queue.pendingSettlements(of: identity, now: now) }
    var isIdle: Bool { queue.isIdle }

    // MARK: Actions

    private func job(_ id: String) -> SettlementJob? {
        if jobs[id] == nil { Issue.record("no action has named \(id)") }
        return jobs[id]
    }

    private func text(_ actions: SettlementActions) -> [String] {
        var lines: [String] = []
        actions.forEach { action in
            switch action {
            case .store(let job, let record, let floor, _):
                let wait = floor.map { ", not before \($0.readable)" } ?? ""
                lines.append("store \(name(job)) as \(record.mode)\(wait)")
            case .send(let job, let request, let claim):
                fileClaims[name(job)] = claim
                lines.append("send \(request.operation) \(name(job))")
            case .endAttempt(let job, let time): endedAttempts.append("\(name(job)) at \(time)")
            case .sweep: lines.append("sweep")
            case .tell(let job, .queued(let settlement)):
                let isDurable = settlement.outcome == .queued(isDurable: true)
                lines.append("tell \(name(job)) queued\(isDurable ? " on disk" : "")")
            case .tell(let job, .finished(let result, let isAwaited)):
                let outcome =
                    switch result {
                    case .success(let settlement): "\(settlement)"
                    case .failure(let error): "\(error.status.map { "failed \($0)" } ?? "failed")"
                    }
                lines.append("tell \(name(job)) \(outcome)\(isAwaited ? ", awaited" : "")")
            case .reportRetry(let job, let retry, _):
                lines.append("report \(retry.operation) \(name(job)) in \(retry.delay.readable)")
                lines += whileReporting.map { $0() } ?? []
                lines += text(queue.reported(job))
            case .forget(let job, .success): lines.append("forget \(name(job))")
            case .forget(let job, .failure(let error)):
                lines.append("set aside \(name(job)) for \(error.status ?? 0)")
            case .endFlush(let report, _): lines.append("flushed \(report.settled), left \(report.stillPending)")
            }
        }
        if let alarm = actions.alarm { lines.append("alarm at \(alarm.readable)") }
        return lines
    }

    private func name(_ job: SettlementJob) -> String {
        jobs[job.reservationID.rawValue] = job
        return job.reservationID.rawValue
    }
}

@Suite struct SettlementQueueTests {
    // MARK: Sending, telling, alarms

    @Test func aSettlementIsSentAndItsEndIsTold() {
        let bench = QueueBench()
        #expect(bench.settle("a") == ["send commitReservation a"])
        #expect(bench.succeed("a") == ["tell a already settled"])
        #expect(bench.isIdle && bench.pending.isEmpty)
    }

    @Test func aReleaseIsSentAndItsEndIsTold() {
        let bench = QueueBench(hasJournal: true)
        #expect(bench.release("a") == ["send releaseReservation a"])
        #expect(bench.answer("a", .success(.settled(.released))) == ["tell a released"])
    }

    @Test func whoeverWaitsIsToldOnceTheBudgetIsOver() {
        let bench = QueueBench()
        #expect(bench.settle("a", isAwaited: true) == ["send commitReservation a", "alarm at 2 s"])
        #expect(bench.attend(at: .seconds(2)) == ["tell a queued"])
        #expect(bench.succeed("a") == ["tell a already settled"])
    }

    @Test func whoeverWaitsIsToldTheEndWithinTheBudget() {
        let bench = QueueBench()
        _ = bench.settle("a", isAwaited: true)
        #expect(bench.succeed("a") == ["tell a already settled, awaited"])
        #expect(bench.attend(at: .seconds(2)) == [])
    }

    @Test func whoeverWaitsIsToldAtOnceThatTheNextAttemptComesTooLate() {
        let bench = QueueBench()
        _ = bench.settle("a", isAwaited: true)
        #expect(
            bench.fail("a", 401) == ["report commitReservation a in 60 s", "tell a queued", "alarm at 60 s"].dropAlarm
        )
    }

    @Test func theAlarmIsSetOnlyForAnEarlierTime() {
        let bench = QueueBench()
        #expect(bench.settle("a", isAwaited: true).last == "alarm at 2 s")
        bench.now = .seconds(1)
        #expect(bench.settle("b", isAwaited: true) == ["send commitReservation b"])
        _ = bench.succeed("a")
        // The alarm for `a` goes off without effect, and is set for `b`.
        #expect(bench.attend(at: .seconds(2)) == ["alarm at 3 s"])
        #expect(bench.attend(at: .seconds(3)) == ["tell b queued"])
    }

    @Test func aRetryIsReportedAndSentWhenItIsDue() {
        let bench = QueueBench()
        _ = bench.settle("a")
        #expect(bench.fail("a", 503) == ["report commitReservation a in 500 ms", "alarm at 500 ms"])
        #expect(bench.pending.first?.nextAttempt == .milliseconds(500) && bench.pending.first?.lastError?.status == 503)
        #expect(!bench.isIdle)
        #expect(bench.attend(at: .milliseconds(499)) == [])
        #expect(bench.attend(at: .milliseconds(500)) == ["send commitReservation a"])
        #expect(bench.pending.first?.nextAttempt == nil)
    }

    @Test func aReleaseIsGivenUpWhenItsLeaseEnds() {
        let bench = QueueBench()
        _ = bench.release("a", leaseEnd: .seconds(1))
        _ = bench.fail("a", 500)
        #expect(bench.attend(at: .milliseconds(500)) == ["send releaseReservation a"])
        #expect(bench.fail("a", 500) == ["tell a failed 500"])
    }

    @Test func whatWasFinalizedIsLookedUp() {
        let bench = QueueBench()
        _ = bench.settle("a")
        #expect(bench.fail("a", 409, .reservationFinalized) == ["send getReservation a"])
        #expect(bench.answer("a", .success(.found(.released))) == ["send createEvent a"])
        #expect(bench.pending.first?.isEvent == true)
    }

    // MARK: Claims

    @Test func aReservationIsClaimedByOneGuardAtATime() {
        let bench = QueueBench()
        #expect(bench.claim("a") == .granted && bench.claim("a") == .guarded)
        _ = bench.settle("a")
        bench.endClaim("a")
        #expect(bench.claim("a") == .settling)
        _ = bench.succeed("a")
        #expect(bench.claim("a") == .granted)
        _ = bench.release("a")
        #expect(bench.claim("a") == .guarded)
        _ = bench.answer("a", .success(.settled(.released)))
        #expect(bench.claim("a") == .granted)
        bench.endClaim("a")
        #expect(bench.claim("a") == .granted)
    }

    @Test func whatIsBeingSettledIsNeitherSettledAgainNorReleased() {
        let bench = QueueBench(hasJournal: true)
        _ = bench.settle("a") + bench.stored("a")
        #expect(bench.settle("a", isAwaited: true) == ["tell a failed, awaited"])
        #expect(bench.release("a") == ["tell a failed"])
        // The first one stands.
        #expect(bench.pending.map(\.isDurable) == [true] && bench.claim("a") == .settling)
    }

    @Test func aRecordIsReplayedThoughItsReservationHasAGuard() {
        let bench = QueueBench()
        _ = bench.claim("a")
        #expect(bench.replay(["a"]) == ["send commitReservation a"])
        #expect(bench.settle("a") == ["tell a failed"])
    }

    // MARK: The journal

    @Test func aRecordIsStoredBeforeItIsSentAndForgottenOnceItIsSettled() {
        let bench = QueueBench(hasJournal: true)
        #expect(bench.settle("a") == ["store a as commit"])
        #expect(bench.pending.first?.isDurable == false)
        #expect(bench.stored("a") == ["send commitReservation a"])
        #expect(bench.pending.first?.isDurable == true)
        #expect(bench.succeed("a") == ["tell a already settled", "forget a"])
        #expect(bench.pending.isEmpty)
    }

    @Test func whatIsRefusedIsSetAside() {
        let bench = QueueBench(hasJournal: true)
        _ = bench.settle("a") + bench.stored("a")
        #expect(bench.fail("a", 409, .budgetExceeded) == ["tell a failed 409", "set aside a for 409"])
    }

    @Test func anEventIsStoredBeforeItIsSent() {
        let bench = QueueBench(hasJournal: true)
        _ = bench.settle("a") + bench.stored("a")
        #expect(bench.fail("a", 410) == ["store a as event"])
        #expect(bench.stored("a") == ["send createEvent a"])
    }

    @Test func whatTheServerAsksForIsStoredWhileItWaits() {
        let bench = QueueBench(hasJournal: true)
        _ = bench.settle("a", isAwaited: true) + bench.stored("a")
        #expect(
            bench.fail("a", 429, retryAfter: .seconds(30)) == [
                "report commitReservation a in 30 s", "tell a queued on disk", "store a as commit, not before 30 s",
            ]
        )
        // Even a write that fails does not undo the one before.
        #expect(bench.stored("a", false) == [] && bench.pending.first?.isDurable == true)
    }

    @Test func whatCouldNotBeStoredIsStoredAgainAndToldAfterThat() {
        let bench = QueueBench(hasJournal: true)
        _ = bench.settle("a", isAwaited: true)
        #expect(bench.stored("a", false) == ["send commitReservation a"])
        #expect(bench.fail("a", 401) == ["report commitReservation a in 60 s", "store a as commit"])
        #expect(bench.stored("a") == ["tell a queued on disk"])
    }

    @Test func aSlowDiskDoesNotDelayWhoeverWaits() {
        let bench = QueueBench(hasJournal: true)
        #expect(bench.settle("a", isAwaited: true) == ["store a as commit", "alarm at 2 s"])
        #expect(bench.attend(at: .seconds(2)) == ["tell a queued"])
        #expect(bench.stored("a") == ["send commitReservation a"])
    }

    @Test func aRetryDuringAWriteDoesNotSendAnEventBeforeItIsStored() {
        let bench = QueueBench(hasJournal: true)
        _ = bench.settle("a") + bench.stored("a", false)
        _ = bench.fail("a", 503)
        _ = bench.attend(at: .milliseconds(500))
        #expect(bench.fail("a", 410) == ["store a as event"])
        #expect(bench.stored("a") == [])
        #expect(bench.stored("a") == ["send createEvent a"])
    }

    // MARK: Slow ones

    private let ten = (0..<10).map { "r\($0)" }

    @Test func aRoundBeginsWithOneAndGoesOnWithEight() {
        let bench = QueueBench()
        #expect(bench.replay(ten) == ["send commitReservation r0"])
        #expect(bench.pending.count == 10 && bench.pending.allSatisfy { $0.isDurable })
        #expect(bench.succeed("r0") == ["tell r0 already settled"] + (1...8).map { "send commitReservation r\($0)" })
        #expect(bench.succeed("r1") == ["tell r1 already settled", "send commitReservation r9"])
    }

    @Test(
        arguments: [
            (404, ErrorCode.notFound, 8), (409, .budgetExceeded, 8), (404, nil, 1), (400, ErrorCode(rawValue: "no"), 1),
            (503, nil, 1), (403, .forbidden, 1), (429, .limitExceeded, 1), (408, nil, 1),
        ] as [(Int, ErrorCode?, Int)]
    )
    func onlyTheServersOwnAnswerProvesTheKey(status: Int, code: ErrorCode?, expected: Int) {
        let bench = QueueBench()
        _ = bench.replay(ten)
        #expect(bench.fail("r0", status, code).count { $0.hasPrefix("send") } == expected)
    }

    @Test func eachRoundBeginsWithOne() {
        let bench = QueueBench()
        _ = bench.replay(ten)
        for id in ten { _ = bench.succeed(id) }
        #expect(bench.replay(ten.map { "next-\($0)" }) == ["send commitReservation next-r0"])
    }

    @Test func aKeyThatIsNotAcceptedHoldsUpTheOthers() {
        let bench = QueueBench()
        _ = bench.replay(ten)
        #expect(bench.fail("r0", 401) == ["report commitReservation r0 in 60 s", "alarm at 60 s"])
        #expect(bench.pending.allSatisfy { $0.nextAttempt == .seconds(60) && $0.lastError?.status == 401 })
        #expect(bench.attend(at: .seconds(60)).count == 1)
    }

    @Test func slowOnesTakeAPlaceWhenTheyAreDue() {
        let bench = QueueBench(RetryPolicy(isEnabled: false))
        for id in ten { _ = bench.settle(id) + bench.fail(id, 503) }
        #expect(bench.attend(at: .seconds(60)).count { $0.hasPrefix("send") } == 1)
    }

    @Test func aServerIsNotAskedBeforeTheTimeInTheRecord() {
        let bench = QueueBench()
        #expect(bench.replay(["a"], notBefore: 30_000) == ["alarm at 30 s"])
        #expect(bench.changeKey() == [])
        #expect(bench.attend(at: .seconds(30)) == ["send commitReservation a"])
    }

    @Test func whatIsUnderWayIsNotReplayed() {
        let bench = QueueBench()
        _ = bench.settle("a")
        #expect(bench.replay(["a"]) == [])
    }

    // MARK: Keys

    @Test func aNewKeyBeginsARoundAtOnce() {
        let bench = QueueBench()
        _ = bench.replay(ten)
        _ = bench.fail("r0", 401)
        #expect(bench.changeKey().count == 1)
    }

    @Test func aSuccessWithAnEarlierKeyDoesNotProveTheNewOne() {
        let bench = QueueBench()
        _ = bench.replay(ten)
        _ = bench.changeKey()
        #expect(bench.succeed("r0") == ["tell r0 already settled", "send commitReservation r1"])
    }

    @Test func aRefusalOfAnEarlierKeyIsNoReasonToWait() {
        let bench = QueueBench()
        _ = bench.replay(["a", "b"])
        #expect(bench.changeKey() == [])
        #expect(
            bench.fail("a", 401) == ["report commitReservation a in 0 s", "send commitReservation b", "alarm at 0 s"]
        )
        #expect(bench.attend(at: .zero) == [])
        #expect(bench.succeed("b") == ["tell b already settled", "send commitReservation a"])
    }

    @Test func whoeverWaitsIsNotToldOfARetryThatAnObserverHasMadeDue() {
        let bench = QueueBench()
        _ = bench.settle("a", isAwaited: true)
        bench.whileReporting = { bench.changeKey() }
        #expect(bench.fail("a", 401) == ["report commitReservation a in 60 s", "send commitReservation a"])
        #expect(bench.succeed("a") == ["tell a already settled, awaited"])
    }

    @Test func aFlushMakesDueWhatWaitsByItsOwnChoice() {
        let bench = QueueBench()
        _ = bench.settle("a") + bench.fail("a", 503)
        _ = bench.settle("b") + bench.fail("b", 503, retryAfter: .seconds(9))
        #expect(bench.flush(until: .zero).dropAlarm == ["send commitReservation a"])
    }

    // MARK: Shutdown

    @Test func whatWaitsFailsAtAShutdown() {
        let bench = QueueBench()
        _ = bench.settle("a") + bench.fail("a", 503)
        _ = bench.settle("b")
        #expect(bench.shutDown() == ["tell a failed 503"])
        // A request in flight is not repeated.
        #expect(bench.fail("b", 503).last == "tell b failed 503")
        #expect(bench.isIdle)
    }

    @Test func whatIsOnDiskIsLeftForTheNextClient() {
        let bench = QueueBench(hasJournal: true)
        _ = bench.settle("a", isAwaited: true) + bench.stored("a") + bench.fail("a", 503)
        _ = bench.replay(["b", "c"])
        #expect(bench.shutDown() == ["tell a queued on disk"])
        #expect(bench.pending.map(\.reservationID) == ["b"] && bench.replay(["d"]) == [])
    }

    @Test func aRecordThatNobodyRefusedIsNotSetAside() {
        let bench = QueueBench(hasJournal: true)
        _ = bench.settle("a") + bench.stored("a", false) + bench.fail("a", 503) + bench.stored("a", false)
        #expect(bench.shutDown() == ["tell a failed 503"])
    }

    @Test func nothingIsReplayedAfterAShutdown() {
        let bench = QueueBench(hasJournal: true)
        _ = bench.shutDown()
        #expect(bench.replay(["a"]) == [] && bench.pending.isEmpty)
    }

    @Test func aSettlementAfterAShutdownIsAttemptedOnce() {
        let bench = QueueBench(hasJournal: true)
        _ = bench.shutDown()
        #expect(bench.settle("a") == ["store a as commit"] && bench.stored("a") == ["send commitReservation a"])
        #expect(bench.fail("a", 503) == ["report commitReservation a in 500 ms"] && bench.pending.isEmpty)
    }
}

@Suite struct SettlementFlushTests {
    @Test func aFlushWithoutWorkEndsAtOnce() {
        #expect(QueueBench().flush(until: .seconds(1_000)) == ["flushed 0, left 0"])
    }

    @Test func aFlushWaitsForWhatGoesOnWhenItBegins() {
        let bench = QueueBench()
        _ = bench.settle("a")
        #expect(bench.flush(until: .seconds(10)) == ["alarm at 10 s"])
        _ = bench.settle("b")
        #expect(bench.succeed("a") == ["tell a already settled", "flushed 1, left 0"])
    }

    @Test func aFlushHurriesWhatWaits() {
        let bench = QueueBench()
        _ = bench.settle("a") + bench.fail("a", 503)
        #expect(bench.flush(until: .seconds(10)) == ["send commitReservation a"])
        #expect(bench.succeed("a").last == "flushed 1, left 0")
    }

    @Test func aFlushWithoutPatienceHurriesEverythingBeforeItEnds() {
        let bench = QueueBench()
        _ = bench.settle("a") + bench.fail("a", 503)
        #expect(bench.flush(until: .zero).dropAlarm == ["send commitReservation a"])
        #expect(bench.succeed("a").last == "flushed 1, left 0")
    }

    @Test func aFlushWaitsForWhatFollows() {
        let bench = QueueBench()
        let errand = bench.beginErrand()
        #expect(bench.flush(until: .seconds(10)) == ["alarm at 10 s"])
        _ = bench.settle("unrelated")
        _ = bench.release("a", after: errand)
        // The errand is nothing that anybody asked for.
        #expect(bench.endErrand(errand) == [])
        #expect(bench.answer("a", .success(.settled(.released))).last == "flushed 1, left 0")
    }

    @Test func aFlushWaitsForTheWorkOfAnEarlierProcessOnRequestOnly() {
        let bench = QueueBench()
        _ = bench.settle("own")
        let loading = bench.beginErrand()
        _ = bench.flush(1, until: .seconds(10))
        _ = bench.flush(2, until: .seconds(10), includesReplays: false)
        // Found while both wait.
        _ = bench.replay(["old"], after: loading)
        _ = bench.flush(3, until: .seconds(10), includesReplays: false)
        #expect(bench.endErrand(loading) == [])
        #expect(bench.succeed("own") == ["tell own already settled", "flushed 1, left 0", "flushed 1, left 0"])
        #expect(bench.succeed("old") == ["tell old already settled", "flushed 2, left 0"])
    }

    @Test func patienceIsLimited() {
        let bench = QueueBench()
        let errand = bench.beginErrand()
        _ = bench.flush(until: .seconds(10))
        _ = bench.release("a", after: errand)
        _ = bench.endErrand(errand)
        #expect(bench.attend(at: .seconds(10)) == ["flushed 0, left 1"])
        // The waiting caller can end the flush early.
        #expect(bench.flush(2, until: .seconds(20)) == ["alarm at 20 s"])
        #expect(bench.endFlush(2) == ["flushed 0, left 1"])
    }

    @Test func whatRestsForLongerIsNotWaitedFor() {
        let bench = QueueBench()
        _ = bench.settle("a") + bench.fail("a", 429, retryAfter: .seconds(60))
        _ = bench.settle("b")
        #expect(bench.flush(until: .seconds(10)) == ["alarm at 10 s"])
        _ = bench.fail("b", 429, retryAfter: .seconds(5))
        _ = bench.attend(at: .seconds(5))
        #expect(bench.fail("b", 429, retryAfter: .seconds(6)).last == "flushed 0, left 2")
        // A settlement that is attempted again is waited for again.
        _ = bench.attend(at: .seconds(11))
        #expect(bench.flush(2, until: .seconds(20)) == ["alarm at 20 s"])
        #expect(bench.succeed("b").last == "flushed 1, left 1")
        #expect(bench.flush(3, until: .seconds(20)).last == "flushed 0, left 1")
    }

    @Test func aFlushWaitsForTheDisk() {
        let bench = QueueBench(hasJournal: true)
        _ = bench.settle("a") + bench.stored("a") + bench.fail("a", 429, retryAfter: .seconds(60))
        _ = bench.settle("b") + bench.stored("b")
        _ = bench.flush(until: .seconds(10))
        #expect(bench.succeed("b") == ["tell b already settled", "forget b"])
        #expect(bench.forgotten("b") == [])
        #expect(bench.stored("a") == ["flushed 1, left 1"])
    }

    // MARK: Several clients

    @Test func eachKeyIsProbedByItself() {
        let bench = QueueBench(hasJournal: true)
        let other = QueueBench.owner(2)
        #expect(bench.replay(["a1", "a2"]) == ["send commitReservation a1"])
        #expect(bench.replay(["b1", "b2"], for: other) == ["send commitReservation b1"])
        // A refused key holds up its own work only.
        #expect(!bench.fail("a1", 401, .unauthorized).contains("send commitReservation a2"))
        #expect(bench.succeed("b1").contains("send commitReservation b2"))
        #expect(bench.changeKey(of: other).isEmpty)
        let sent = bench.changeKey().filter { $0.hasPrefix("send") }
        #expect(sent.count == 1)
    }

    @Test func allKeysTogetherHaveEightSlowRequestsInFlight() {
        let bench = QueueBench(hasJournal: true)
        var sent = 0
        for number in 0..<20 {
            let actions = bench.replay(["r\(number)", "s\(number)"], for: QueueBench.owner(number + 1))
            sent += actions.count { $0.hasPrefix("send") }
        }
        #expect(sent == 8)
        // The others take turns, the key that was just used last.
        #expect(bench.succeed("r0").filter { $0.hasPrefix("send") } == ["send commitReservation r8"])
    }

    @Test func aFlushOfAnIdentityWaitsForItsWorkOnly() {
        let bench = QueueBench()
        let other = QueueBench.owner(2)
        _ = bench.settle("a")
        _ = bench.settle("b", for: other)
        _ = bench.fail("a", 503)
        _ = bench.fail("b", 503)
        #expect(bench.flush(of: 2, until: .seconds(10)) == ["send commitReservation b"])
        #expect(bench.succeed("b").contains("flushed 1, left 0"))
        #expect(bench.flush(2, of: 2, until: .seconds(10)).contains("flushed 0, left 0"))
        #expect(bench.flush(3, until: .seconds(10)).contains("send commitReservation a"))
    }

    @Test func claimsAndPendingSettlementsAreThoseOfAnIdentity() {
        let bench = QueueBench()
        #expect(!bench.settle("r").isEmpty)
        #expect(bench.settle("r", for: QueueBench.owner(2, tenant: "b")) == ["send commitReservation r"])
        #expect(bench.pending.count == 2)
        #expect(bench.pending(of: 2).map(\.tenant) == ["b"] && bench.pending(of: 3).isEmpty)
    }
}

@Suite struct SettlementFileTests {
    @Test func aRecordThatAnotherProcessAttemptedWaitsForItsBackOff() {
        let bench = QueueBench()
        bench.now = .seconds(100)
        // Recorded 100 s before that attempt.
        #expect(bench.replay(["a"], attemptedAt: 100_000) == ["alarm at 200 s"])
        #expect(bench.attend(at: .seconds(200)) == ["send commitReservation a"] && bench.fileClaims["a"] == .whenDue)
    }

    @Test func aFailedAttemptOfAnEarlierProcessesRecordHasNoFastRetries() {
        let bench = QueueBench(hasJournal: true)
        bench.now = .seconds(100)
        // Recorded 100 s before.
        #expect(bench.replay(["a"]) == ["send commitReservation a"])
        _ = bench.fail("a", 503)
        #expect(bench.pending.first?.nextAttempt == .seconds(100))
    }

    @Test func theServersWaitComesBeforeTheBackOffOfAFile() {
        let bench = QueueBench(hasJournal: true)
        bench.now = .seconds(100)
        _ = bench.replay(["a"])
        _ = bench.fail("a", 429, retryAfter: .seconds(7))
        #expect(bench.pending.first?.nextAttempt == .seconds(7))
    }

    @Test func aFlushIgnoresBackOffs() {
        let bench = QueueBench()
        bench.now = .seconds(100)
        _ = bench.replay(["a"], attemptedAt: 100_000)
        _ = bench.replay(["b"], notBefore: 130_000, attemptedAt: 100_000)
        #expect(bench.flush(until: .seconds(110)).dropAlarm == ["send commitReservation a"])
        #expect(bench.fileClaims == ["a": .atOnce])
    }

    @Test func aFlushThatWaitsForTheJournalIgnoresTheirBackOffsToo() {
        let bench = QueueBench()
        bench.now = .seconds(100)
        let errand = bench.beginErrand(isReplay: true)
        _ = bench.flush(until: .seconds(110))
        #expect(bench.replay(["a"], attemptedAt: 100_000, after: errand).dropAlarm == ["send commitReservation a"])
        #expect(bench.fileClaims == ["a": .atOnce])
    }

    @Test func aFlushOfOwnWorkNeitherHurriesNorAwaitsThatOfOthers() {
        let bench = QueueBench()
        bench.now = .seconds(100)
        let errand = bench.beginErrand(isReplay: true)
        _ = bench.replay(["a"], attemptedAt: 100_000, after: errand)
        #expect(bench.flush(until: .seconds(110), includesReplays: false) == ["flushed 0, left 0"])
        #expect(bench.pending.first?.nextAttempt == .seconds(100))
    }

    @Test func aFileThatIsGoneIsForgottenSilently() {
        let bench = QueueBench(hasJournal: true)
        #expect(bench.replay(["a", "b"]) == ["send commitReservation a"])
        #expect(bench.claimed("a", .gone) == ["send commitReservation b"])
        #expect(bench.pending.map(\.reservationID) == ["b"] && bench.claim("a") == .granted)
    }

    @Test func aFileThatAnotherProcessSetAsideIsRejectedAndLeftThere() {
        let bench = QueueBench(hasJournal: true)
        _ = bench.replay(["a"])
        #expect(bench.claimed("a", .rejected("no")) == ["tell a failed"] && bench.pending.isEmpty)
    }

    @Test(arguments: [true, false]) func theSpendOfThisProcessIsSentThoughItsFileIsGone(isRejected: Bool) {
        let bench = QueueBench(hasJournal: true)
        _ = bench.settle("a") + bench.stored("a") + bench.fail("a", 401)
        #expect(bench.endedAttempts == ["a at 0"])
        #expect(bench.attend(at: .seconds(60)) == ["sweep", "send commitReservation a"])
        #expect(bench.claimed("a", isRejected ? .rejected(nil) : .gone) == ["send commitReservation a"])
        #expect(bench.fileClaims == ["a": .done])
        #expect(bench.succeed("a") == ["tell a already settled", "forget a"])
    }

    @Test func aFileThatIsBusyHoldsUpNoOther() {
        let bench = QueueBench()
        _ = bench.replay(["a", "b"])
        #expect(bench.claimed("a", .busy(nil)) == ["send commitReservation b", "alarm at 5 s"])
        _ = bench.succeed("b")
        #expect(bench.attend(at: .seconds(5)) == ["send commitReservation a"])
    }

    @Test func whatAnotherProcessWroteIntoAFileCounts() {
        let bench = QueueBench()
        bench.now = .seconds(100)
        _ = bench.replay(["a"])
        let waiting = bench.fileRecord("a", notBefore: 130_000, attemptedAt: 100_000, isEvent: true)
        #expect(bench.claimed("a", .notDue(waiting)) == ["alarm at 200 s"])
        // A flush ignores the back-off, though not the wait that the server asked for.
        #expect(bench.flush(until: .seconds(150)) == ["alarm at 130 s"])
        #expect(bench.attend(at: .seconds(130)).dropAlarm == ["send createEvent a"])
    }

    @Test func aFileThatHasBecomeAnEventIsSentAsOne() {
        let bench = QueueBench(hasJournal: true)
        _ = bench.settle("a") + bench.stored("a") + bench.fail("a", 401)
        _ = bench.attend(at: .seconds(60))
        #expect(bench.claimed("a", .granted(bench.fileRecord("a", isEvent: true))) == ["send createEvent a"])
        // The switch is not undone by a file that is older.
        _ = bench.fail("a", 503)
        _ = bench.attend(at: .seconds(300))
        #expect(bench.claimed("a", .granted(bench.fileRecord("a"))) == ["send createEvent a"])
    }

    @Test func anEventWhoseKeyTheServerMayHaveForgottenIsSetAside() {
        let bench = QueueBench(hasJournal: true)
        let sixDays: Int64 = 6 * 86_400_000
        bench.now = .milliseconds(sixDays + 1_001)
        #expect(
            bench.replay(["a"], attemptedAt: 1_000, isEvent: true) == ["tell a failed", "set aside a for 0"]
        )
        // A commit, an event that was never sent, and one of six days are sent.
        #expect(bench.replay(["b"], attemptedAt: 1_000) == ["send commitReservation b"])
        #expect(bench.succeed("b").contains("forget b"))
        #expect(bench.replay(["c"], isEvent: true).contains("send createEvent c"))
        _ = bench.succeed("c")
        #expect(bench.replay(["d"], attemptedAt: 1_001, isEvent: true).contains("send createEvent d"))
        // As long may pass while this process sleeps.
        let old = bench.fileRecord("d", attemptedAt: 1_000, isEvent: true)
        #expect(bench.claimed("d", .granted(old)) == ["tell d failed", "set aside d for 0"])
    }

    @Test func slowRoundsLookForTheRecordsOfOthersOnceAMinute() {
        let bench = QueueBench(hasJournal: true, RetryPolicy(isEnabled: false))
        for id in ["a", "b"] { _ = bench.settle(id) + bench.stored(id) }
        _ = bench.fail("a", 503)
        bench.now = .seconds(1)
        _ = bench.fail("b", 503)
        #expect(bench.attend(at: .seconds(60)).contains("sweep"))
        _ = bench.fail("a", 503)
        #expect(!bench.attend(at: .seconds(61)).contains("sweep"))
        #expect(bench.attend(at: .seconds(180)).contains("sweep"))
    }
}

extension [String] {
    /// All but what sets the alarm.
    fileprivate var dropAlarm: [String] { filter { !$0.hasPrefix("alarm") } }
}
