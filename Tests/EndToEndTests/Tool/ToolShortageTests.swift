import CyclesTesting
import Foundation
import Testing

extension ToolSuites {
    /// The tool where the system has no thread or file to give. Limits on threads do not bind root, who takes another
    /// user for it; without root there is nobody to take. The runtime of a sanitizer needs a thread itself.
    @Suite(
        .enabled(if: geteuid() == 0 && !isSlowed && FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv"))
    )
    struct ToolShortageTests {
        private func limited(
            _ limit: String,
            _ arguments: String,
            _ environment: [String: String]
        ) async throws -> (status: Int32, errors: String) {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            // A user of its own: the limit counts all threads of a user.
            let user = UInt32.random(in: 1_000_000...2_000_000_000)
            process.arguments = [
                "-c",
                "exec timeout 60 setpriv --reuid=\(user) --regid=\(user) --clear-groups prlimit \(limit) "
                    + "\(Programs.executable("cycles").path) \(arguments)",
            ]
            process.environment = environment.merging(
                ["CYCLES_JOURNAL_ENABLED": "false", "HOME": "/nonexistent", "PATH": "/usr/bin:/bin"]
            ) { $1 }
            let errors = Pipe()
            process.standardError = errors
            process.standardOutput = FileHandle.nullDevice
            let hasEnded = Flag()
            process.terminationHandler = { _ in hasEnded.set() }
            try process.run()
            await until { hasEnded.isSet }
            return (
                process.terminationStatus, String(decoding: errors.fileHandleForReading.availableData, as: UTF8.self)
            )
        }

        private static let run = "run --estimate 10:TOKENS --action llm.completion/model -- true"

        @Test(arguments: [
            ("--nproc=1", "balances", Int32(75), "no thread or file descriptor for network transfers"),
            ("--nproc=1", run, 75, "no thread for signals"), ("--nproc=2", run, 75, "no thread"),
            ("--nproc=1", "serve --port 0", 75, "no thread for signals"),
            ("--nproc=2", "serve --port 0", 75, "ulimit -u"),
            ("--nproc=2", "balances", 0, ""), ("--nproc=16", run, 0, ""),
        ])
        func endsWithAMessage(limit: String, arguments: String, status: Int32, message: String) async throws {
            try await withServer(testAuthority()) { environment in
                let outcome = try await limited(limit, arguments, environment)
                #expect(outcome.status == status, "\(outcome)")
                #expect(message.isEmpty ? outcome.errors.isEmpty : outcome.errors.contains(message), "\(outcome)")
            }
        }
    }
}
