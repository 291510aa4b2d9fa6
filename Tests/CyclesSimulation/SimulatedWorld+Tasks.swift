import Cycles

/// Works of processes with clients for tasks.
extension SimulatedWorld {
    func beginTask(_ work: Lifecycle, _ client: CyclesClient) {
        open.append(work)
        // Drawn here, since tasks draw in the order in which they run.
        let pauses = (0..<4).map { _ in pause() }
        work.task = executor.begin { [self] in
            await live(work, client, pauses)
            work.isOver = true
            open.removeAll { $0 === work }
        }
        executor.runAll()
    }

    /// A time span between a millisecond and some minutes; short spans are as likely as long ones.
    private func pause() -> Duration {
        let scale = Int64(1) << Int64.random(in: 0...17, using: &numbers)
        return .milliseconds(Int64.random(in: 1...scale, using: &numbers))
    }

    private func live(_ work: Lifecycle, _ client: CyclesClient, _ pauses: [Duration]) async {
        switch work.plan {
        case .record:
            work.beginSettling()
            do throws(CyclesError) {
                judge(work, .success(try await client.record(eventRequest(work))))
            } catch {
                judge(work, .failure(error))
            }
        case .withCycles, .withCyclesThatThrows, .withCyclesThatSpendsAndThrows: await perform(work, client, pauses[0])
        case .metered, .meteredThatBreaksOff, .meteredThatFails: await meter(work, client, pauses)
        case .cancelledReserve: await cancelReserve(work, client, pauses[0])
        default: await guarded(work, client, pauses[0])
        }
        if work.process.isAlive, work.hasBegunSettling { work.hasReturned = true }
    }

    private func guarded(_ work: Lifecycle, _ client: CyclesClient, _ pause: Duration) async {
        work.reserveCalls += 1
        do throws(CyclesError) {
            let reservation = try await client.reserve(reservationRequest(work))
            reserved(work, reservation.reservationID)
            try? await work.process.clock.sleep(for: pause)
            guard work.process.isAlive else { return }
            note(work.number) { "process \(work.process.number) ends the work" }
            await settle(work, reservation)
        } catch {
            reserveFailed(work, error)
        }
    }

    private func settle(_ work: Lifecycle, _ reservation: consuming ReservationGuard) async {
        switch work.plan {
        case .release: await release(work, reservation)
        case .releaseWithSpend:
            reservation.addSpend(.tokens(work.spend))
            work.beginSettling()
            await release(work, reservation)
        case .drop: drop(reservation)
        case .dropWithSpend:
            reservation.addSpend(.tokens(work.spend))
            work.beginSettling()
            drop(reservation)
        default:
            work.beginSettling()
            do throws(CyclesError) {
                judge(work, .success(try await reservation.commit(.tokens(work.spend))))
            } catch {
                judge(work, .failure(error))
            }
        }
        if work.process.isAlive, !work.hasBegunSettling { work.hasReleased = true }
    }

    private func release(_ work: Lifecycle, _ reservation: consuming ReservationGuard) async {
        do throws(CyclesError) {
            judge(work, .success(try await reservation.release()))
        } catch {
            judge(work, .failure(error))
        }
    }

    private func drop(_ reservation: consuming ReservationGuard) {}

    private func perform(_ work: Lifecycle, _ client: CyclesClient, _ pause: Duration) async {
        work.reserveCalls += 1
        do {
            let (_, outcome) = try await client.withCyclesOutcome(options(work)) { context -> ((), Amount) in
                reserved(work, context.reservationID)
                try await work.process.clock.sleep(for: pause)
                return ((), try end(work, context))
            }
            judge(work, outcome)
        } catch {
            note(work.number) { "the work throws \(error)" }
            if work.process.isAlive, !work.hasBegunSettling { work.hasReleased = work.reservationID != nil }
        }
    }

    private func cancelReserve(_ work: Lifecycle, _ client: CyclesClient, _ pause: Duration) async {
        work.reserveCalls += 1
        tally.count("reserve calls cancelled")
        let inner = executor.begin { [self] in await reserveAndDrop(work, client) }
        // The answer takes up to a second.
        try? await work.process.clock.sleep(for: min(pause, .milliseconds(500)))
        inner.cancel()
        await inner.value
        if work.process.isAlive { work.hasReleased = true }
    }

    private func reserveAndDrop(_ work: Lifecycle, _ client: CyclesClient) async {
        do throws(CyclesError) {
            let reservation = try await client.reserve(reservationRequest(work))
            reserved(work, reservation.reservationID)
        } catch {
            note(work.number) { "no reservation: \(error)" }
        }
    }
}

// MARK: Streams

extension SimulatedWorld {
    /// The elements of a stream, each of which costs a part of the spend.
    fileprivate struct Elements: AsyncSequence, AsyncIteratorProtocol {
        let world: SimulatedWorld
        let work: Lifecycle
        var parts: [(amount: Int64, pause: Duration)]

        func makeAsyncIterator() -> Elements { self }

        mutating func next() async throws -> Int64? {
            if parts.isEmpty {
                if work.process.isAlive { work.beginSettling() }
                if work.plan == .meteredThatFails { throw WorkFailed() }
                return nil
            }
            let part = parts.removeFirst()
            do {
                try await work.process.clock.sleep(for: part.pause)
            } catch {
                // The task is cancelled. The usage so far is charged.
                if work.process.isAlive, work.spend > 0 { work.beginSettling() }
                throw error
            }
            guard work.process.isAlive else { return part.amount }
            work.spend += part.amount
            // The optimizer ends an iteration with the last use of its iterator, before the body that breaks it off.
            if work.plan == .meteredThatBreaksOff, parts.count == 1 { work.beginSettling() }
            return part.amount
        }
    }

    private func meter(_ work: Lifecycle, _ client: CyclesClient, _ pauses: [Duration]) async {
        tally.count("streams")
        let parts = pauses.enumerated().map { (amount: work.spend / 4 + Int64($0.offset) + 1, pause: $0.element) }
        work.spend = 0
        work.reserveCalls += 1
        let stream = client.metered(options(work), usage: { .added(.tokens($0)) }) { [self] context in
            reserved(work, context.reservationID)
            return Elements(world: self, work: work, parts: parts)
        }
        do {
            var left = 3
            for try await _ in stream {
                left -= 1
                if work.plan == .meteredThatBreaksOff, left == 0 { break }
            }
        } catch {
            note(work.number) { "the stream throws \(error)" }
        }
        if work.process.isAlive, !work.hasBegunSettling { work.hasReleased = work.reservationID != nil }
    }
}
