extension ClientScope {
    var heartbeat: HeartbeatPolicy { core.heartbeat }
    var failsLostLeases: Bool { core.failsLostLeases }
    var baseURL: String { core.baseURL }

    /// Creates the operation that reserves budget for a guard. Adds the client's defaults to the subject of the
    /// request.
    func reserveOperation(
        _ request: inout ReservationCreateRequest
    ) throws(CyclesError) -> Operation<ReservationCreateResponse> {
        guard !request.dryRun else {
            throw RequestValidation.invalid("dryRun", "holds nothing, and so makes no guard; use createReservation")
        }
        return try .createReservation(completing: &request, defaults)
    }

    /// Claims a granted reservation. A caller that gets nil has to hold or release the reservation.
    /// - Returns: The reason why the reservation cannot have a guard; nil if the claim succeeded.
    func claim(_ grant: ReservationGrant, for owner: SettlementOwner, key: IdempotencyKey?) -> CyclesError? {
        let id = grant.reservationID
        switch engine.claim(id, of: owner.identity) {
        case .granted: return nil
        case .settling:
            return .invalidResponse(
                InvalidResponse(
                    operation: "createReservation",
                    status: 200,
                    message: "reservation \(id) is being settled: the idempotency key was used before",
                    idempotencyKey: key
                )
            )
        case .guarded:
            var issue = ValidationIssue(
                field: "idempotencyKey",
                message:
                    "\(key.map { "\($0) " } ?? "")was used before, and its reservation \(id) has a guard; use another key for "
                    + "other work"
            )
            issue.wasSent = true
            return .validation(issue)
        }
    }

    /// Holds a granted reservation, and begins to extend its lease.
    func hold(
        _ grant: ReservationGrant,
        for owner: SettlementOwner,
        _ request: ReservationCreateRequest,
        trace: TraceParent
    ) -> HeldReservation {
        let (schedule, first) = HeartbeatSchedule.begin(
            extending: request.timeToLive,
            grant: grant.lease,
            longestTimeout: core.longestExtendTimeout
        )
        let lease = Lease(
            grant.reservationID,
            of: performer,
            schedule,
            expiresAtMilliseconds: grant.lease.expiresAtMilliseconds,
            trace: trace
        )
        let held = HeldReservation(self, owner.identity, grant, request, lease: lease, trace: trace)
        performer.report(.reserved(grant.reservationID))
        if heartbeat != .disabled {
            keeper.keep(lease, first)
            // Starts the alarm's thread if it is missing, and reports a failure to do so.
            _ = time.help()
        }
        return held
    }

    /// Releases the hold of an unusable answer, unless the reservation already has a guard.
    /// - Parameter errand: The background work that the release belongs to, for flushes.
    func releaseUnclaimed(
        _ id: ReservationID,
        for owner: SettlementOwner,
        reason: String,
        trace: TraceParent,
        after errand: Errand? = nil
    ) {
        guard engine.claim(id, of: owner.identity) == .granted else { return }
        releaseClaimed(id, for: owner, reason: reason, trace: trace, after: errand)
    }

    /// Releases the hold of a claimed reservation in the background. Reports a failure to the observer.
    /// - Parameter errand: The background work that the release belongs to, for flushes.
    func releaseClaimed(
        _ id: ReservationID,
        for owner: SettlementOwner,
        reason: String,
        trace: TraceParent,
        after errand: Errand? = nil
    ) {
        let request = ReleaseRequest(reason: reason, idempotencyKey: .random())
        let work = SettlementStateMachine.Work.release(request, leaseEnd: nil)
        engine.begin(work, of: id, for: owner, trace: trace, isAwaited: false, after: errand) { _ in }
    }
}
