import Cycles
import Measurement
import SwiftLifecycles

/// Runs lifecycles through guards, `reserve` and `commit`: from tasks, from tasks on the transport's thread, or from
/// blocking threads; with or without a journal.
///
/// Arguments: base URL, concurrency, lifecycles to measure, lifecycles to warm up with, `tasks`, `executor` or `threads`,
/// and optionally the directory of the journal.
@main
struct GuardLoop {
    static func main() {
        let arguments = CommandLine.arguments
        guard (6...7).contains(arguments.count), let concurrency = Int(arguments[2]),
            let lifecycles = Int(arguments[3]),
            let warmUp = Int(arguments[4]), concurrency > 0, lifecycles > 0,
            ["tasks", "executor", "threads"].contains(arguments[5])
        else {
            fatalError("usage: GuardLoop BASE-URL CONCURRENCY LIFECYCLES WARM-UP tasks|executor|threads [JOURNAL-DIRECTORY]")
        }
        var configuration = CyclesConfiguration(baseURL: arguments[1], apiKey: "cyc_live_0123456789abcdef")
        configuration.tenant = "acme"
        configuration.journal = arguments.count == 7 ? .directory(arguments[6]) : .disabled
        if arguments[5] == "threads" {
            measureBlocking(configuration, concurrency: concurrency, lifecycles: lifecycles, warmUp: warmUp)
            return
        }
        let transport = CurlTransport(configuration: configuration)
        let executor = arguments[5] == "executor" ? transport.taskExecutor : nil
        SwiftLifecycles.wait(executor) { [configuration] in
            let client = try CyclesClient(configuration: configuration, transport: transport)
            let lifecycle: @Sendable () async throws -> Void = {
                let reservation = try await client.reserve(SwiftLifecycles.request)
                check(try await reservation.commit(SwiftLifecycles.actual, metrics: SwiftLifecycles.metrics))
            }
            try await SwiftLifecycles.run(concurrency: concurrency, lifecycles: warmUp, lifecycle)
            let start = measurement_now()
            try await SwiftLifecycles.run(concurrency: concurrency, lifecycles: lifecycles, lifecycle)
            measurement_report(start, lifecycles)
            await client.shutdown()
        }
    }

    static func measureBlocking(
        _ configuration: CyclesConfiguration,
        concurrency: Int,
        lifecycles: Int,
        warmUp: Int
    ) {
        let client = try! BlockingCyclesClient(configuration: configuration)
        let lifecycle: @Sendable () throws -> Void = {
            let reservation = try client.reserve(SwiftLifecycles.request)
            check(try reservation.commit(SwiftLifecycles.actual, metrics: SwiftLifecycles.metrics))
        }
        SwiftLifecycles.runBlocking(concurrency: concurrency, lifecycles: warmUp, lifecycle)
        let start = measurement_now()
        SwiftLifecycles.runBlocking(concurrency: concurrency, lifecycles: lifecycles, lifecycle)
        measurement_report(start, lifecycles)
        client.shutdown()
    }

    static func check(_ settlement: Settlement) {
        guard settlement.charged == SwiftLifecycles.actual else { fatalError("GuardLoop: not charged: \(settlement)") }
    }
}
