// Works on a budget, and may be killed at any moment. The next worker continues its work.
//
// Arguments: base URL, journal directory, number of lifecycles, file that records the spend, label of this run.

import Cycles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@main
struct RecoveryWorker {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 6, let count = Int(arguments[3]) else { fatalError("see the comment above") }
        var configuration = CyclesConfiguration(baseURL: arguments[1], apiKey: "key-of-the-test")
        configuration.tenant = "acme"
        configuration.journal = .directory(arguments[2])
        configuration.retry.initialDelay = .milliseconds(20)
        // No attempt ends for want of an answer while a test holds it back, however slow the machine.
        configuration.connectTimeout = .seconds(120)
        configuration.readTimeout = .seconds(120)
        let client = try CyclesClient(configuration: configuration)
        let notes = open(arguments[4], O_WRONLY | O_CREAT | O_APPEND, 0o600)
        for number in 0..<count {
            let reservation = try await client.reserve(
                ReservationCreateRequest(
                    action: Action(kind: "k", name: "n"),
                    estimate: .tokens(10),
                    timeToLive: .seconds(2),
                    gracePeriod: .zero
                )
            )
            let key = "\(arguments[5])-\(number)"
            let line = "\(reservation.reservationID) \(key)\n"
            try await reservation.commit(CommitRequest(actual: .tokens(3), idempotencyKey: IdempotencyKey(key)))
            line.utf8CString.withUnsafeBytes { _ = write(notes, $0.baseAddress, $0.count - 1) }
        }
        // Whoever works is killed; should that not happen, it ends with the test that started it.
        if count > 0 { while readLine() != nil {} }
        let report = await client.flush(timeout: .seconds(20))
        await client.shutdown()
        print("done, \(report.stillPending) pending")
    }
}
