import CyclesTesting
import Foundation
import Testing

@testable import Cycles

/// The journal of real processes: one that forks, and the calls to the system of others.
@Suite(.enabled(if: Programs.areCompiled), .serialized) struct JournalProcessTests {
    // MARK: Forks

    @Test(.enabled(if: Programs.isLinux)) func aForkedChildStartsALogOfItsOwnAndHoldsNoneOfItsParents() async throws {
        let world = try RecoveryWorld()
        let go = world.folder.appendingPathComponent("go").path
        let notes = world.folder.appendingPathComponent("notes").path
        let parent = Process()
        parent.executableURL = try Programs.compiled("ForkingWorker")
        parent.arguments = [world.server.baseURL, world.journal, notes, go]
        parent.standardOutput = FileHandle.nullDevice
        parent.standardError = FileHandle.nullDevice
        try parent.run()
        await until { world.gate.acceptedKeys.isSuperset(of: ["parent-1", "child-0"]) || !parent.isRunning }
        #expect(try String(contentsOfFile: notes, encoding: .utf8) == "0")

        // Both have a settlement in flight when the parent is killed.
        world.gate.hold("commit", .beforeHandling)
        #expect(FileManager.default.createFile(atPath: go, contents: nil))
        await until { world.gate.held >= 2 || !parent.isRunning }
        #expect(world.gate.held == 2 && parent.isRunning)
        kill(parent.processIdentifier, SIGKILL)
        let journal = SettlementJournal(.directory(world.journal))
        // Not until its exit, which Foundation learns from descriptors that the child has, too.
        await until { (try? journal.logsInUse().count) == 1 }
        #expect(try journal.identities().flatMap(\.entries).map(\.idempotencyKey) == ["parent-2"])
        let live = try journal.logsInUse().map { URL(fileURLWithPath: $0).lastPathComponent }
        #expect(live.count == 1 && !live[0].hasPrefix("\(parent.processIdentifier)-"), "\(live)")

        world.gate.open(dropping: true)
        try world.settleWhatIsLeft()
        await until { world.gate.acceptedKeys.isSuperset(of: ["parent-2", "child-1"]) && world.files.isEmpty }
        #expect(world.files.isEmpty, "\(world.files)")
        #expect(world.gate.acceptedKeys.count == 75 && world.spent == 75 * 3 && world.reserved == 0)
    }

    /// The client's threads, which the child does not have, are at work at that moment.
    @Test(.enabled(if: Programs.isLinux)) func aForkRightAfterTheClientWasMadeHoldsNobodyUp() throws {
        let world = try RecoveryWorld()
        let programs: Int64 = 5
        for _ in 0..<programs {
            let outcome = try faults("fork", world)
            #expect(outcome.status == 0, "\(outcome)")
        }
        #expect(world.spent == 2 * programs && world.reserved == 0)
    }

    // MARK: Standard streams that are closed

    @Test(.enabled(if: Programs.isLinux)) func noLogAndNoConnectionBecomesAStandardStream() throws {
        let world = try RecoveryWorld()
        let outcome = try faults("closed", world)
        #expect(outcome.status == 0 && world.spent == 1 && world.reserved == 0, "\(outcome)")
    }

    /// Runs a case of the program that `Scripts/faults.sh` uses.
    private func faults(_ name: String, _ world: RecoveryWorld) throws -> Programs.Outcome {
        let program = Programs.executable("Faults").path
        return try Programs.run(
            URL(fileURLWithPath: "/usr/bin/env"),
            ["timeout", "600", program, name, world.server.baseURL, world.journal]
        )
    }

    // MARK: Calls to the system

    /// The calls of a run of `JournalLoad` that change names or wait for the disk.
    private struct Calls {
        var syncs = 0
        var creations = 0
        var renames = 0
        var removals = 0
    }

    private func traced(_ world: RecoveryWorld, tasks: Int, each count: Int) throws -> Calls {
        let trace = world.folder.appendingPathComponent("trace").path
        let outcome = try Programs.run(
            URL(fileURLWithPath: "/usr/bin/env"),
            [
                "strace", "-f", "-qq", "-o", trace, "-e",
                "trace=openat,fsync,fdatasync,syncfs,rename,renameat,renameat2,link,linkat,unlink,unlinkat",
                try Programs.compiled("JournalLoad").path, world.server.baseURL, world.journal, "\(tasks)", "\(count)",
            ]
        )
        #expect(outcome.status == 0, "\(outcome)")
        var calls = Calls()
        for line in try String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n") {
            let call = line.drop { $0.isNumber }.drop { $0 == " " }
            // A call that another thread interrupts is continued on a line of its own.
            guard !call.hasPrefix("<..."), let name = call.split(separator: "(").first else { continue }
            if name.contains("sync") { calls.syncs += 1 }
            if name.hasPrefix("rename") { calls.renames += 1 }
            if name.hasPrefix("unlink") { calls.removals += 1 }
            if name.hasPrefix("link") || call.contains("O_CREAT") { calls.creations += 1 }
        }
        return calls
    }

    @Test(.enabled(if: Programs.hasStrace)) func recordsShareSyncsAndMakeNoFiles() throws {
        let world = try RecoveryWorld()
        let calls = try traced(world, tasks: 64, each: 20)
        #expect(world.gate.acceptedKeys.count == 64 * 20)
        // Only the logs themselves are made and removed.
        #expect(calls.creations <= 8 && calls.renames <= 8 && calls.removals <= 8, "\(calls)")
        #expect((1...64 * 20 / 2).contains(calls.syncs), "\(calls)")
    }

    @Test(.enabled(if: Programs.hasStrace)) func oneSettlementCostsThreeSyncs() throws {
        let world = try RecoveryWorld()
        // The first makes the folder of logs, the second that of records.
        for _ in 0..<2 { _ = try traced(world, tasks: 1, each: 1) }
        // The new log, its name, and at the end the removal of the name.
        let calls = try traced(world, tasks: 1, each: 1)
        #expect(calls.syncs == 3 && calls.creations == 1 && calls.renames == 1 && calls.removals == 1, "\(calls)")
    }
}

extension Programs {
    static var isLinux: Bool {
        #if os(Linux)
            true
        #else
            false
        #endif
    }

    /// Whether the calls of a program can be watched.
    static var hasStrace: Bool {
        let outcome = try? run(URL(fileURLWithPath: "/usr/bin/env"), ["strace", "-o", "/dev/null", "true"])
        return isLinux && outcome?.status == 0
    }
}
