import Cycles
import Measurement
import SwiftLifecycles

/// Runs lifecycles through the client's low-level calls: `createReservation` and `commitReservation`.
///
/// Arguments: base URL, concurrency, lifecycles to measure, lifecycles to warm up with.
@main
struct ClientLoop {
    static func main() {
        let arguments = CommandLine.arguments
        guard arguments.count == 5, let concurrency = Int(arguments[2]), let lifecycles = Int(arguments[3]),
            let warmUp = Int(arguments[4]), concurrency > 0, lifecycles > 0
        else { fatalError("usage: ClientLoop BASE-URL CONCURRENCY LIFECYCLES WARM-UP") }
        SwiftLifecycles.wait {
            var configuration = CyclesConfiguration(baseURL: arguments[1], apiKey: "cyc_live_0123456789abcdef")
            configuration.journal = .disabled
            let client = try CyclesClient(configuration: configuration)
            try await SwiftLifecycles.run(concurrency: concurrency, lifecycles: warmUp) { try await lifecycle(client) }
            let start = measurement_now()
            try await SwiftLifecycles.run(concurrency: concurrency, lifecycles: lifecycles) {
                try await lifecycle(client)
            }
            measurement_report(start, lifecycles)
            await client.shutdown()
        }
    }

    static func lifecycle(_ client: CyclesClient) async throws {
        let reservation = try await client.createReservation(SwiftLifecycles.request)
        guard reservation.decision.isAllowed, let id = reservation.reservationID else {
            fatalError("ClientLoop: the responder did not allow a reservation")
        }
        let request = CommitRequest(actual: SwiftLifecycles.actual, metrics: SwiftLifecycles.metrics)
        guard try await client.commitReservation(id, request).charged == SwiftLifecycles.actual else {
            fatalError("ClientLoop: the responder charged another amount")
        }
    }
}
