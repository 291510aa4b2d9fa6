import Cycles
import CyclesTesting

/// Faults of the network, the server, the disk and the processes.
extension SimulatedWorld {
    enum CrashPoint { case send, receive, disk }

    // MARK: Weather

    func changeWeather() {
        guard climate.hasStorms else { return }
        switch Int.random(in: 0..<14, using: &numbers) {
        case 0..<3: setStorm(!isStormy)
        case 3:
            if authority.isReachable { tally.count("outages") }
            note(nil) { "the server goes or comes back" }
            authority.isReachable.toggle()
        case 4, 5: authority.isReachable = true
        case 6: revokeKey(of: keyVersions.keys.sorted().randomElement(using: &numbers)!)
        case 7, 8: restoreKeys()
        case 9: pause()
        case 10: if climate.hasJumps { jump() }
        default: if climate.hasDiskFaults { changeDisk() }
        }
    }

    private func setStorm(_ isOn: Bool) {
        note(nil) { isOn ? "a storm begins" : "the storm ends" }
        faults.isEnabled = isOn
    }

    private func revokeKey(of tenant: String) {
        guard revoked.insert(tenant).inserted else { return }
        tally.count("refused keys")
        note(nil) { "the server refuses the key of \(tenant)" }
        authority.removeAPIKey(key(of: tenant))
    }

    /// Accepts the keys again, or others in their place.
    private func restoreKeys() {
        for tenant in revoked.sorted() {
            // The records of a client without a tenant wait for a client with their key, which stays valid.
            if tenant == "solo" { authority.addAPIKey(key(of: tenant), tenant: tenant) }
            if chance(50) {
                keyVersions[tenant, default: 0] += 1
                tally.count("key rotations")
            }
            note(nil) { "the server accepts \(key(of: tenant))" }
            authority.addAPIKey(key(of: tenant), tenant: tenant)
        }
        for process in processes where process.isAlive { process.updateKeys(of: revoked, self) }
        revoked = []
    }

    /// Stops a process for a while, so that it does not see its leases run out.
    private func pause() {
        guard let process = processes.randomElement(using: &numbers) else { return }
        let span = Duration.seconds(Int64.random(in: 1...400, using: &numbers))
        tally.count("pauses")
        note(nil) { "process \(process.number) is stopped for \(span)" }
        process.clock.pausedUntil = clock.now + span
        clock.advance(by: span)
    }

    private func jump() {
        clock.wallError = .seconds(Int64.random(in: -7_200...7_200, using: &numbers))
        jumps += 1
        tally.count("jumps of the wall clock")
        note(nil) { "the wall clock is wrong by \(clock.wallError)" }
    }

    private func changeDisk() {
        if areDiskFaultsSet { return calmDisk() }
        let fault = [SimulatedDisk.Fault.sync, .directorySync, .remove, .full, .lock].randomElement(using: &numbers)!
        let times = chance(50) ? 1 : Int.random(in: 2...40, using: &numbers)
        tally.count("disk faults: \(fault)")
        note(nil) { "the disk fails \(times) times: \(fault)" }
        areDiskFaultsSet = true
        for process in processes { process.hasDiskFaults = true }
        disk.fail(fault, times: times)
    }

    private func calmDisk() {
        note(nil) { "the disk works again" }
        for fault in [SimulatedDisk.Fault.sync, .directorySync, .remove, .full, .lock] { disk.fail(fault, times: 0) }
        areDiskFaultsSet = false
    }

    /// Releases a reservation whose work is in progress, with the administrator's key.
    func releaseAsOperator() {
        guard let id = authority.activeReservations.randomElement(using: &numbers) else { return }
        var request = HTTPRequest(
            method: .post,
            url: "http://authority.test/v1/reservations/\(id)/release",
            headers: ["X-Admin-API-Key": SimulatedWorld.adminKey, "Content-Type": "application/json"],
            body: Array(#"{"idempotency_key":"operator-\#(id)"}"#.utf8)
        )
        request.timeout = .seconds(1)
        guard let response = try? authority.send(request), response.status == 200 else { return }
        tally.count("releases by the operator")
        book.operatorReleased(id.rawValue)
        note(book.works[id.rawValue]) { "the operator releases \(id)" }
    }

    func calmEverything() {
        setStorm(false)
        calmDisk()
        authority.isReachable = true
        clock.wallError = .zero
        restoreKeys()
    }

    // MARK: Processes

    func attachDisk() {
        disk.watch { [weak self] image in
            guard let self, !self.isOver else { return }
            self.changed(image)
        }
    }

    func startProcess() {
        lastProcess += 1
        let hasTasks = chance(climate.taskShare)
        let process = SimulatedProcess(lastProcess, on: disk, clock, hasDiskFaults: areDiskFaultsSet)
        tally.count("processes started")
        note(nil) { "process \(process.number) starts\(hasTasks ? ", with tasks" : "")" }
        processes.append(process)
        do {
            try process.start(in: self, hasTasks: hasTasks)
        } catch {
            violation(nil, "process \(process.number) has no clients: \(error)")
        }
        executor.runAll()
    }

    func changeProcesses() {
        guard climate.crashes > 0 || processes.isEmpty else {
            if processes.count < 2 { startProcess() }
            return
        }
        switch Int.random(in: 0..<10, using: &numbers) {
        case 0: if let process = processes.randomElement(using: &numbers) { kill(process) }
        case 1: crashMachine(disk.image)
        case 2: if processes.count > 1 { shutDown(processes[0]) }
        default: if processes.count < 3 { startProcess() }
        }
        if processes.isEmpty, chance(50) { startProcess() }
    }

    /// Ends a process or its machine at some moments of its work.
    func crashPoint(_ point: CrashPoint, _ process: SimulatedProcess) {
        guard mayCrashNow() else { return }
        tally.count("crashes while \(point == .send ? "sending" : "receiving")")
        if Bool.random(using: &crashNumbers) { kill(process) } else { crashMachine(disk.image) }
    }

    private func changed(_ image: SimulatedDisk.Image) {
        guard mayCrashNow() else { return }
        tally.count("crashes while writing")
        if Bool.random(using: &crashNumbers), let process = processes.randomElement(using: &crashNumbers) {
            kill(process)
        } else {
            crashMachine(image)
        }
    }

    /// Whether a crash happens at this moment. Crashes gather where a disk has failed or a machine has just started,
    /// since two failures together find more than one.
    private func mayCrashNow() -> Bool {
        guard !isOver, climate.crashes > 0 else { return false }
        if disk.failures != diskFailures { (diskFailures, tremors) = (disk.failures, 20) }
        tremors -= tremors > 0 ? 1 : 0
        return Int.random(in: 0..<1_000_000, using: &crashNumbers) < (tremors > 0 ? 40_000 : climate.crashes)
    }

    /// Ends a process as SIGKILL does. What it wrote stays.
    func kill(_ process: SimulatedProcess) {
        guard process.isAlive else { return }
        if !isOver { tally.count("processes killed") }
        note(nil) { "process \(process.number) is killed" }
        remove(process)
        disk.kill(process.number)
    }

    /// Ends all processes. What they had not synced may be gone.
    func crashMachine(_ image: SimulatedDisk.Image) {
        tally.count("machine crashes")
        note(nil) { "the machine crashes" }
        for process in processes {
            remove(process)
            disk.kill(process.number)
        }
        rules.machineCrashed()
        disk.watch { _ in }
        disk = image.crashed(chance(20) ? .none : .random(seed: crashNumbers.next()))
        (areDiskFaultsSet, diskFailures) = (false, 0)
        if chance(40) { tremors = 40 }
        attachDisk()
    }

    private func remove(_ process: SimulatedProcess, isInOrder: Bool = false) {
        let pending = process.pending
        process.isAlive = false
        process.clock.isStopped = true
        rules.ended(process, at: clock.now, isInOrder: isInOrder)
        for work in lifecycles where work.process === process {
            let id = work.plan == .record ? "event:\(work.name)" : work.reservationID?.rawValue ?? ""
            let wasEnded = work.hasReturned && pending[id] == nil
            work.processEnded(isClaimedDurable: pending[id] ?? wasEnded, mayFail: process.hasDiskFaults)
        }
        open.removeAll { $0.process === process }
        processes.removeAll { $0 === process }
        graveyard.append(process)
    }

    /// Ends a process in order. Its guards are dropped first, as by a program that leaves its scopes, and its tasks are
    /// cancelled.
    func shutDown(_ process: SimulatedProcess) {
        note(nil) { "process \(process.number) shuts down" }
        tally.count("shutdowns")
        process.isShuttingDown = true
        for work in open where work.process === process {
            work.task?.cancel()
            finish(work)
        }
        executor.runAll()
        waitWhile { process.isAlive && open.contains { $0.process === process && $0.task != nil && !$0.isOver } }
        guard process.isAlive else { return }
        // Without storms, the shutdown has to have time for all that is in flight.
        let timeout = climate.hasStorms && !isOver ? Int64.random(in: 0...20, using: &numbers) : 600
        process.shutDown(self, timeout: .seconds(timeout))
        waitWhile { process.isAlive && !process.hasShutDown }
        guard process.isAlive else { return }
        if !process.hasShutDown { violation(nil, "the shutdown of process \(process.number) does not end") }
        remove(process, isInOrder: true)
        disk.kill(process.number)
    }

    /// Advances the time until tasks have ended, for an hour at most.
    private func waitWhile(_ isBusy: () -> Bool) {
        for _ in 0..<3_600 where isBusy() { clock.advance(by: .seconds(1)) }
    }

    /// Frees the objects of processes that have ended, when no call of theirs is in progress.
    func bury() {
        while let process = graveyard.popLast() {
            process.network?.abort()
            for work in lifecycles where work.process === process {
                work.reservation = nil
                work.task?.cancel()
            }
            executor.runAll()
            process.shutDown(self, timeout: .zero)
            // Requests of tasks that were cancelled.
            process.network?.abort()
            executor.runAll()
            for work in lifecycles where work.process === process && work.task != nil && !work.isOver {
                violation(work.number, "its task does not end, although its process has")
            }
        }
    }
}
