/// Settlements whose records are in files that several processes can find.
extension SettlementQueue {
    /// The pause while another process makes an attempt, plus or minus one fifth.
    private static let pauseWhileBusy = Duration.seconds(5)

    /// The minimum interval between two searches for records of processes that have ended.
    private static let sweepInterval = Duration.seconds(60)

    /// Begins the settlements in a journal, except those of reservations that are being settled.
    /// - Parameters:
    ///   - owner: The first client of the identity.
    ///   - errand: The errand that loaded the records.
    ///   - wall: The wall-clock time, in milliseconds since 1970.
    ///   - randomness: Returns numbers from 0 up to 1.
    package mutating func replay(
        _ records: [SettlementRecord],
        for owner: SettlementOwner,
        after errand: Errand? = nil,
        now: Duration,
        wall: Int64,
        randomness: () -> Double
    ) -> SettlementActions {
        act { queue, actions in
            guard !queue.isShutDown else { return }
            for record in records {
                let machine = SettlementStateMachine(.settle(record), queue.policy)
                let job = SettlementJob(record.reservationID, of: owner, machine, isReplay: true) { _ in }
                guard !queue.claims.isSettling(ReservationClaims.Key(job)) else { continue }
                job.isDurable = true
                job.isSlow = true
                _ = queue.claims.enter(job)
                queue.ledger.enter(job, after: errand)
                job.isHurried = queue.ledger.isAwaited(job)
                if queue.refuseOutdated(record, job, at: wall, &actions) { continue }
                queue.scheduleAttempt(job, record, now: now, wall: wall, randomness: randomness())
            }
        }
    }

    /// Handles the answer to the claim on a job's record file.
    /// - Parameters:
    ///   - wall: The wall-clock time, in milliseconds since 1970.
    ///   - randomness: From 0 up to 1.
    package mutating func claimed(
        _ job: SettlementJob,
        _ claim: RecordClaim,
        now: Duration,
        wall: Int64,
        randomness: Double
    ) -> SettlementActions {
        act { queue, actions in
            switch claim {
            case .granted(let record):
                if let record {
                    job.machine.reload(record, isReplay: job.isReplay)
                    if queue.refuseOutdated(record, job, at: wall, &actions) { return }
                }
                actions.append(.send(job, job.machine.request, .done))
            case .notDue(let record):
                queue.postpone(job, record, pause: .zero, now: now, wall: wall, randomness: randomness, &actions)
            case .busy(let record):
                let pause = SettlementQueue.pauseWhileBusy * (0.8 + 0.4 * randomness)
                queue.postpone(job, record, pause: pause, now: now, wall: wall, randomness: randomness, &actions)
            case .gone, .rejected:
                guard job.isReplay else {
                    // Spend of this process is sent without a file: the server detects duplicates by the key.
                    actions.append(.send(job, job.machine.request, .done))
                    return
                }
                queue.endReplay(job, claim, &actions)
            }
        }
    }

    /// Delays a job until the attempts of other processes have ended.
    /// - Parameter pause: The minimum delay.
    private mutating func postpone(
        _ job: SettlementJob,
        _ record: SettlementRecord?,
        pause: Duration,
        now: Duration,
        wall: Int64,
        randomness: Double,
        _ actions: inout SettlementActions
    ) {
        _ = slowLane.leave(job)
        if let record { job.machine.reload(record, isReplay: job.isReplay) }
        if isShutDown {
            endUnsettled(job, &actions)
        } else {
            scheduleAttempt(job, record, atLeast: pause, now: now, wall: wall, randomness: randomness)
            tellIfLate(job, &actions)
        }
    }

    /// Schedules the next attempt of a record in a file.
    private mutating func scheduleAttempt(
        _ job: SettlementJob,
        _ record: SettlementRecord?,
        atLeast pause: Duration = .zero,
        now: Duration,
        wall: Int64,
        randomness: Double
    ) {
        let floor = record?.remainingWait(at: wall) ?? .zero
        job.floor = now + floor
        let backOff =
            job.isHurried ? .zero : record?.remainingBackOff(at: wall, randomness: randomness) ?? .zero
        let delay = max(floor, backOff, pause)
        if delay > .zero || !job.isSlow { park(job, until: now + delay) } else { putInLine(job) }
    }

    /// Searches for records of processes that have ended when slow settlements are due, at most once per
    /// ``sweepInterval``.
    mutating func sweepIfDue(_ due: [SettlementJob], _ now: Duration, _ actions: inout SettlementActions) {
        guard hasJournal, !isShutDown, due.contains(where: \.isSlow),
            lastSweep.map({ now - $0 >= SettlementQueue.sweepInterval }) ?? true
        else { return }
        lastSweep = now
        var identities: Set<Int> = []
        for job in due where job.isSlow && identities.insert(job.owner.identity.number).inserted {
            actions.append(.sweep(job.owner))
        }
    }

    /// Ends a replay whose file no longer exists.
    private mutating func endReplay(_ job: SettlementJob, _ claim: RecordClaim, _ actions: inout SettlementActions) {
        if case .rejected(let reason) = claim {
            let refusal = CyclesError.validation(.rejected(job.reservationID, reason))
            finish(job, .failure(refusal), keepsRecord: true, &actions)
            return
        }
        _ = slowLane.leave(job)
        claims.leave(job, isOver: true)
        end(job)
        ledger.leave(job)
    }

    /// Gives up an event that the server might charge twice.
    /// - Returns: Whether the record is such an event.
    private mutating func refuseOutdated(
        _ record: SettlementRecord,
        _ job: SettlementJob,
        at wall: Int64,
        _ actions: inout SettlementActions
    ) -> Bool {
        guard record.isOutdatedEvent(at: wall) else { return false }
        finish(job, .failure(.validation(.outdatedEvent(job.reservationID))), &actions)
        return true
    }
}

extension SettlementJob {
    /// The delay after an attempt of a record that an earlier process left. Nil for other work, and after a failure
    /// that allows slow rounds only. Fast retries would be repeated by each process that starts.
    func backOff(at wall: Int64, randomness: Double) -> Duration? {
        guard isReplay, !machine.isSlow, var record = machine.record else { return nil }
        record.attemptedAtMilliseconds = wall
        return record.remainingBackOff(at: wall, randomness: randomness)
    }
}

extension ValidationIssue {
    fileprivate static func outdatedEvent(_ id: ReservationID) -> ValidationIssue {
        ValidationIssue(
            field: "reservationID",
            message: "is \(id), whose event was sent more than 6 days ago without an answer: the server may have "
                + "charged it and forgotten its idempotency key since; compare the ledger, and settle it by hand"
        )
    }

    fileprivate static func rejected(_ id: ReservationID, _ reason: String?) -> ValidationIssue {
        ValidationIssue(
            field: "reservationID",
            message: "is \(id), which another process has set aside: \(reason ?? "no reason was recorded")"
        )
    }
}
