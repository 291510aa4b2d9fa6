import Cycles

private struct WorkFailed: Error {}

extension SimulatedWorld {
    private static let action = Action(kind: "llm.completion", name: "model")

    func reserve(_ work: Lifecycle) {
        let seconds = [2, 5, 10, 30, 60, 300].randomElement(using: &numbers)!
        let request = ReservationCreateRequest(
            action: SimulatedWorld.action,
            estimate: .tokens(work.estimate),
            timeToLive: .seconds(seconds),
            idempotencyKey: IdempotencyKey(work.name)
        )
        do throws(CyclesError) {
            work.reservation = try work.process.clients[work.client].reserve(request)
        } catch {
            note(work.number) { "no reservation: \(error)" }
            tally.count("reservations refused or lost")
            return
        }
        work.reservationID = work.reservation?.reservationID
        note(work.number) { "reserved \(work.reservationID?.rawValue ?? "") for \(seconds) s" }
        if work.process.isAlive { open.append(work) }
    }

    /// Ends a work as planned.
    func settle(_ work: Lifecycle) {
        guard let reservation = work.reservation.take() else { return }
        note(work.number) { "process \(work.process.number) ends the work" }
        switch work.plan {
        case .release: judge(work, release(reservation))
        case .releaseWithSpend:
            reservation.addSpend(.tokens(work.spend))
            work.beginSettling()
            judge(work, release(reservation))
        case .drop: drop(reservation)
        case .dropWithSpend:
            reservation.addSpend(.tokens(work.spend))
            work.beginSettling()
            drop(reservation)
        default:
            work.beginSettling()
            judge(work, commit(reservation, .tokens(work.spend)))
        }
        if work.process.isAlive { work.hasReturned = true }
    }

    private func commit(
        _ reservation: consuming BlockingReservationGuard,
        _ amount: Amount
    ) -> Result<Settlement, CyclesError> {
        do throws(CyclesError) {
            return .success(try reservation.commit(amount))
        } catch {
            return .failure(error)
        }
    }

    private func release(_ reservation: consuming BlockingReservationGuard) -> Result<Settlement, CyclesError> {
        do throws(CyclesError) {
            return .success(try reservation.release())
        } catch {
            return .failure(error)
        }
    }

    private func drop(_ reservation: consuming BlockingReservationGuard) {}

    /// Performs a work in one call.
    func perform(_ work: Lifecycle) {
        let client = work.process.clients[work.client]
        if work.plan == .record {
            let request = EventCreateRequest(
                action: SimulatedWorld.action,
                actual: .tokens(work.spend),
                idempotencyKey: IdempotencyKey(work.name)
            )
            work.beginSettling()
            judge(work, Result { () throws(CyclesError) in try client.record(request) })
            if work.process.isAlive { work.hasReturned = true }
            return
        }
        let options = CyclesOptions(
            estimate: .tokens(work.estimate),
            action: SimulatedWorld.action,
            timeToLive: .seconds(Int64.random(in: 3...60, using: &numbers)),
            idempotencyKey: IdempotencyKey(work.name)
        )
        let outcome: Result<Settlement, CyclesError>?
        do {
            (_, outcome) = try client.withCyclesOutcome(options) { context -> ((), Amount) in
                work.reservationID = context.reservationID
                clock.advance(by: .milliseconds(Int64.random(in: 0...90_000, using: &numbers)))
                if work.plan != .withCycles {
                    if work.plan == .withCyclesThatSpendsAndThrows {
                        context.addSpend(.tokens(work.spend))
                        if work.process.isAlive { work.beginSettling() }
                    }
                    throw WorkFailed()
                }
                if work.process.isAlive { work.beginSettling() }
                return ((), .tokens(work.spend))
            }
        } catch {
            note(work.number) { "the work throws \(error)" }
            outcome = nil
        }
        if let outcome { judge(work, outcome) }
        if work.process.isAlive, work.hasBegunSettling { work.hasReturned = true }
    }

    /// Handles the report that a settlement or release ended for good. Spend may be lost only with a process that ends
    /// while its disk fails.
    func settlementFailed(_ work: Int?, in process: SimulatedProcess, _ error: CyclesError) {
        guard let work, lifecycles[work].hasBegunSettling else { return }
        if process.isShuttingDown, process.hasDiskFaults {
            lifecycles[work].processEnded(isClaimedDurable: false, mayFail: true)
        } else {
            violation(work, "the settlement ended: \(error)")
        }
    }

    /// Checks the outcome of a settlement as the work was told.
    private func judge(_ work: Lifecycle, _ result: Result<Settlement, CyclesError>) {
        note(work.number) { "the work is told \(result)" }
        guard work.process.isAlive else { return }
        switch result {
        case .success(let settlement):
            if case .queued = settlement.outcome { tally.count("settlements queued") }
            if let charged = settlement.charged?.amount, charged != work.spend {
                violation(work.number, "\(charged) charged instead of \(work.spend)")
            }
            if work.hasBegunSettling, case .released = settlement.outcome {
                violation(work.number, "the spend was released")
            }
        case .failure(let error):
            if work.hasBegunSettling { violation(work.number, "the settlement failed: \(error)") }
        }
    }
}
