// Settles reservations from several tasks at once, with a journal.
//
// Arguments: base URL, journal directory, the number of tasks, the number of reservations of each.

import Cycles

@main
struct JournalLoad {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 5, let tasks = Int(arguments[3]), let count = Int(arguments[4]) else {
            fatalError("see the comment above")
        }
        var configuration = CyclesConfiguration(baseURL: arguments[1], apiKey: "key-of-the-test")
        configuration.tenant = "acme"
        configuration.journal = .directory(arguments[2])
        let client = try CyclesClient(configuration: configuration)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<tasks {
                group.addTask {
                    for _ in 0..<count {
                        let reservation = try await client.reserve(
                            ReservationCreateRequest(action: Action(kind: "k", name: "n"), estimate: .tokens(10))
                        )
                        try await reservation.commit(.tokens(3))
                    }
                }
            }
            try await group.waitForAll()
        }
        await client.shutdown()
    }
}
