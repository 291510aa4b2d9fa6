import Cycles

struct WorkFailed: Error {}

extension SimulatedWorld {
    static let action = Action(kind: "llm.completion", name: "model")

    func reservationRequest(_ work: Lifecycle) -> ReservationCreateRequest {
        // Shorter leases have no time for a slow network and a second try, and so run out even without storms.
        let seconds = (climate.hasStorms ? [2, 5, 10, 30, 60, 300] : [10, 30, 60, 300]).randomElement(using: &numbers)!
        return ReservationCreateRequest(
            action: SimulatedWorld.action,
            estimate: .tokens(work.estimate),
            timeToLive: .seconds(seconds),
            idempotencyKey: IdempotencyKey(work.name)
        )
    }

    func options(_ work: Lifecycle) -> CyclesOptions {
        CyclesOptions(
            estimate: .tokens(work.estimate),
            action: SimulatedWorld.action,
            timeToLive: .seconds(Int64.random(in: (climate.hasStorms ? 3 : 10)...60, using: &numbers)),
            idempotencyKey: IdempotencyKey(work.name)
        )
    }

    func eventRequest(_ work: Lifecycle) -> EventCreateRequest {
        EventCreateRequest(
            action: SimulatedWorld.action,
            actual: .tokens(work.spend),
            idempotencyKey: IdempotencyKey(work.name)
        )
    }

    func reserve(_ work: Lifecycle, _ client: BlockingCyclesClient) {
        let request = reservationRequest(work)
        work.reserveCalls += 1
        do throws(CyclesError) {
            work.reservation = try client.reserve(request)
        } catch {
            reserveFailed(work, error)
            return
        }
        reserved(work, work.reservation?.reservationID)
        guard work.process.isAlive else { return }
        open.append(work)
        if chance(5) { reserveAgain(work, request, client) }
    }

    func reserved(_ work: Lifecycle, _ id: ReservationID?) {
        work.reservationID = id
        note(work.number) { "reserved \(id?.rawValue ?? "")" }
    }

    func reserveFailed(_ work: Lifecycle, _ error: CyclesError) {
        note(work.number) { "no reservation: \(error)" }
        work.isOver = true
        guard work.process.isAlive else { return }
        tally.count("reservations refused or lost")
        switch error {
        case .transport, .ambiguous, .invalidResponse:
            if work.reserveRequests == 1, !work.process.isShuttingDown {
                violation(work.number, "a reserve call gave up after one request: \(error)")
            }
        default: break
        }
    }

    /// Uses the key of a guard for another one, which must not be granted.
    private func reserveAgain(_ work: Lifecycle, _ request: ReservationCreateRequest, _ client: BlockingCyclesClient) {
        tally.count("keys used again")
        work.reserveCalls += 1
        do throws(CyclesError) {
            let other = try client.reserve(request)
            violation(work.number, "a second guard was granted for \(other.reservationID)")
        } catch {
            note(work.number) { "no second guard: \(error)" }
        }
    }

    /// Ends a work as planned.
    func settle(_ work: Lifecycle) {
        guard let reservation = work.reservation.take() else { return }
        note(work.number) { "process \(work.process.number) ends the work" }
        switch work.plan {
        case .release:
            judge(work, release(reservation))
            work.hasReleased = work.process.isAlive
        case .releaseWithSpend:
            reservation.addSpend(.tokens(work.spend))
            work.beginSettling()
            judge(work, release(reservation))
        case .drop:
            drop(reservation)
            work.hasReleased = work.process.isAlive
        case .dropWithSpend:
            reservation.addSpend(.tokens(work.spend))
            work.beginSettling()
            drop(reservation)
        default:
            work.beginSettling()
            judge(work, commit(reservation, .tokens(work.spend)))
        }
        if work.process.isAlive { work.hasReturned = true }
        work.isOver = true
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
    func perform(_ work: Lifecycle, _ client: BlockingCyclesClient) {
        defer { work.isOver = true }
        if work.plan == .record {
            work.beginSettling()
            judge(work, Result { () throws(CyclesError) in try client.record(eventRequest(work)) })
            if work.process.isAlive { work.hasReturned = true }
            return
        }
        work.reserveCalls += 1
        let outcome: Result<Settlement, CyclesError>?
        do {
            (_, outcome) = try client.withCyclesOutcome(options(work)) { context -> ((), Amount) in
                work.reservationID = context.reservationID
                clock.advance(by: .milliseconds(Int64.random(in: 0...90_000, using: &numbers)))
                return ((), try end(work, context))
            }
        } catch {
            note(work.number) { "the work throws \(error)" }
            outcome = nil
        }
        if let outcome { judge(work, outcome) }
        guard work.process.isAlive else { return }
        if work.hasBegunSettling { work.hasReturned = true } else { work.hasReleased = work.reservationID != nil }
    }

    /// The end of the body of `withCycles`.
    func end(_ work: Lifecycle, _ context: CyclesContext) throws -> Amount {
        switch work.plan {
        case .withCycles: break
        case .withCyclesThatSpendsAndThrows:
            context.addSpend(.tokens(work.spend))
            if work.process.isAlive { work.beginSettling() }
            throw WorkFailed()
        default: throw WorkFailed()
        }
        if work.process.isAlive { work.beginSettling() }
        return .tokens(work.spend)
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
    func judge(_ work: Lifecycle, _ result: Result<Settlement, CyclesError>) {
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
