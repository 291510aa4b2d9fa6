import CyclesTesting
import Foundation
import Testing

@testable import Cycles

/// Processes that are killed, and others that go on where they were.
@Suite(.enabled(if: Programs.areCompiled), .serialized) struct RecoveryTests {
    private func kill(_ process: Process) {
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal)
    }

    @Test(arguments: [GateTransport.Moment.beforeHandling, .afterHandling])
    func aCommitInFlightSurvivesTheProcess(moment: GateTransport.Moment) async throws {
        let world = try RecoveryWorld()
        world.gate.hold("commit", moment)
        let process = try world.start(1, "first")
        await until { world.gate.held >= 1 }
        // It was on disk before it left.
        let record = try #require(world.records.first)
        #expect(record.mode == .commit && record.commitBody.flatMap { SettlementRecord.key(in: $0) } == "first-0")
        kill(process)
        world.gate.open(dropping: true)
        #expect(world.records.count == 1)
        #expect(world.spent == (moment == .afterHandling ? 3 : 0))

        try world.settleWhatIsLeft()
        #expect(world.spent == 3 && world.reserved == 0 && world.files.isEmpty)
        let commits = world.gate.requests("commit")
        #expect(commits.count >= 2 && commits.allSatisfy { $0.body == record.commitBody })
        #expect(Set(commits.map { $0.headers["X-Idempotency-Key"] }) == ["first-0"])
    }

    @Test func aSwitchToAnEventSurvivesTheProcess() async throws {
        let clock = ManualClock()
        let world = try RecoveryWorld(clock: clock)
        world.gate.hold("commit", .beforeHandling)
        let first = try world.start(1, "first")
        await until { world.gate.held >= 1 }
        kill(first)
        world.gate.open(dropping: true)
        // By the time the next process starts, the reservation has expired.
        clock.advance(by: .seconds(60))
        world.gate.hold("events", .beforeHandling)
        let second = try world.start(0, "second")
        await until { world.gate.held >= 1 }
        let record = try #require(world.records.first)
        #expect(record.mode == .event)
        kill(second)
        world.gate.open(dropping: true)

        let commits = world.gate.requests("commit").count
        try world.settleWhatIsLeft()
        // It is not committed any more.
        #expect(world.gate.requests("commit").count == commits)
        let events = world.gate.requests("events")
        #expect(events.count >= 2 && events.allSatisfy { $0.body == record.eventBody })
        #expect(world.spent == 3 && world.files.isEmpty)
    }

    @Test func whatAServerAskedToWaitForSurvivesTheProcess() async throws {
        let world = try RecoveryWorld()
        world.gate.answerOnce("commit", HTTPResponse(status: 429, headers: ["Retry-After": "2"], body: []))
        let process = try world.start(1, "first")
        await until { world.records.first?.notBeforeMilliseconds != nil }
        let notBefore = try #require(world.records.first?.notBeforeMilliseconds)
        kill(process)
        try world.settleWhatIsLeft()
        #expect(world.spent == 3 && world.files.isEmpty)
        #expect(try #require(world.gate.times("commit").last) >= notBefore)
    }

    @Test func ofTwoProcessesThatFindARecordOneSendsIt() async throws {
        let world = try RecoveryWorld()
        world.gate.hold("commit", .beforeHandling)
        let process = try world.start(1, "first")
        await until { world.gate.held >= 1 }
        kill(process)
        world.gate.open(dropping: true)
        world.gate.hold("commit", .beforeHandling)
        let sender = try world.start(0, "a")
        await until { world.gate.held >= 1 }
        // Long enough for another process to find the record, and shorter than the time limit of the attempt.
        let other = try world.start(0, "b")
        try await Task.sleep(for: .seconds(4))
        #expect(world.gate.held == 1)
        world.gate.open()
        for worker in [sender, other] { worker.waitUntilExit() }
        #expect(world.gate.requests("commit").count == 2)
        #expect(world.spent == 3 && world.files.isEmpty)
    }

    /// The number of times a worker is killed; raise it where time allows.
    private static let kills = Int(ProcessInfo.processInfo.environment["CYCLES_TESTS_KILLS"] ?? "") ?? 12

    @Test(.timeLimit(.minutes(20))) func killedAtRandomMomentsEverySpendIsChargedOnce() async throws {
        let world = try RecoveryWorld()
        for round in 0..<Self.kills {
            let before = world.gate.requests("commit").count
            let process = try world.start(1_000, "run\(round)")
            await until { world.gate.requests("commit").count > before }
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...300)))
            kill(process)
            // Whatever is on disk now has to be charged.
            world.remember(world.records)
        }
        try world.settleWhatIsLeft()
        // A file that was being written when its process was killed stays for an hour.
        let left = world.files.filter { !$0.hasSuffix(".tmp") }
        #expect(left.isEmpty, "\(left)")
        // Holds of killed processes expire.
        await until { world.reserved == 0 }
        #expect(world.reserved == 0)
        // One charge for each key that the server accepted, and none without.
        let accepted = world.gate.acceptedKeys
        #expect(world.spent == Int64(accepted.count) * 3)
        for key in world.remembered { #expect(accepted.contains(key)) }
        let noted = try String(contentsOf: world.folder.appendingPathComponent("notes"), encoding: .utf8)
            .split(separator: "\n").map { String($0.split(separator: " ").last ?? "") }
        for key in noted { #expect(accepted.contains(key)) }
        #expect(Set(noted).count == noted.count && !noted.isEmpty)
    }
}
