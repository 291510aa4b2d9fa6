import Cycles
import CyclesTesting

extension SimulatedWorld {
    /// Brings a world without further faults to rest, and checks that everything has become of its works that has to.
    func end() {
        bury()
        isOver = true
        calmEverything()
        if processes.isEmpty { startProcess() }
        settleEverything()
        for process in processes { shutDown(process) }
        bury()
        // The last processes find what the others left. Without a tenant, records wait for a client with their key.
        for version in 1...keyVersions["solo", default: 1] {
            keyVersions["solo"] = version
            startProcess()
            settleEverything()
            for process in processes { shutDown(process) }
            bury()
        }
        clock.advance(by: .seconds(7_200))
        checkDisk()
        for work in lifecycles { check(work) }
        checkLedger()
    }

    private func settleEverything() {
        for _ in 0..<40 {
            clock.advance(by: .seconds(900))
            for process in processes { process.flush(self) }
            if processes.allSatisfy({ $0.pending.isEmpty }) { return }
        }
        for process in processes {
            for id in process.pending.keys.sorted() {
                violation(work(ofReservation: id), "\(id) is still pending in process \(process.number)")
            }
        }
    }

    private func checkDisk() {
        for path in disk.paths where !path.hasSuffix(".tmp") { violation(nil, "\(path) is left on the disk") }
        if disk.contains(Array(SimulatedWorld.keyMark.utf8)) { violation(nil, "an API key is on the disk") }
    }

    private func check(_ work: Lifecycle) {
        let charges = book.charges[work.number] ?? []
        let amounts = charges.map(\.amount)
        let isRight =
            switch work.expectation {
            case .nothing: amounts.isEmpty
            case .once(let amount): amounts == [amount]
            case .atMostOnce(let amount): amounts.isEmpty || amounts == [amount]
            }
        if !isRight { violation(work.number, "charged \(charges), expected \(work.expectation)") }
        if work.expectation != .nothing, amounts.isEmpty { tally.count("spend lost before it was on disk") }
        if !climate.hasStorms, work.plan != .record, charges.contains(where: { $0.operation == "event" }) {
            violation(work.number, "a lease ran out without any fault")
        }
        if !climate.hasStorms, work.hasReleased { checkRelease(work) }
    }

    /// Checks that a hold was given back, and did not only run out.
    private func checkRelease(_ work: Lifecycle) {
        for id in book.reservations[work.number] ?? [] {
            let request = HTTPRequest(
                method: .get,
                url: "http://authority.test/v1/reservations/\(id)",
                headers: ["X-Cycles-API-Key": key(of: SimulatedProcess.tenants[work.client])]
            )
            let answer = (try? authority.send(request))?.json
            let status = (answer?["status"] ?? answer?["error"])?.string ?? "unknown"
            if status != "RELEASED" { violation(work.number, "\(id) is \(status) instead of RELEASED") }
        }
    }

    private func checkLedger() {
        for stray in book.strays { violation(nil, "a charge belongs to no work: \(stray)") }
        for id in authority.activeReservations {
            violation(work(ofReservation: id.rawValue), "\(id) still holds budget")
        }
        var sums: [String: Int64] = [:]
        for work in lifecycles {
            let sum = (book.charges[work.number] ?? []).reduce(0) { $0 + $1.amount }
            for scope in SimulatedProcess.scopes[work.client] { sums[scope, default: 0] += sum }
        }
        for balance in authority.balances() {
            let spent = sums[balance.scopePath] ?? 0
            if balance.spent?.amount != spent || balance.reserved?.amount != 0 {
                violation(nil, "\(balance.scopePath): \(balance) instead of \(spent) spent and 0 reserved")
            }
        }
    }
}
