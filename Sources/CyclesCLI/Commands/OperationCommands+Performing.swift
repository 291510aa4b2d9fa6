import Cycles

// Sends requests and prints their answers.
extension OperationCommands {
    /// Sends one request, and prints its answer as JSON or as text.
    /// - Parameter unprinted: Handles an answer that could not be printed, and returns a description of the outcome;
    ///   nil if the request has changed nothing on the server.
    static func perform<Value>(
        _ arguments: Arguments,
        _ send: (CyclesClient) async throws(CyclesError) -> APIResponse<Value>,
        lines: (APIResponse<Value>) -> [String],
        status: (APIResponse<Value>) -> ExitStatus = { _ in .success },
        unprinted: (CyclesClient, APIResponse<Value>) async -> String? = { _, _ in nil }
    ) async throws -> ExitStatus {
        try await withClient(arguments) { client in
            let answer = try await send(client)
            if arguments[json] { Console.json(answer.body) } else { Console.lines(lines(answer)) }
            if let failure = Console.failure, let outcome = await unprinted(client, answer) {
                throw ToolFailure("\(failure); \(outcome)", status: .unprinted)
            }
            return status(answer)
        }
    }

    static func withClient<Result>(
        _ arguments: Arguments,
        _ body: (CyclesClient) async throws -> Result
    ) async throws -> Result {
        let client = try CyclesClient(configuration: ConnectionOptions.configuration(arguments))
        let result: Result
        do {
            result = try await body(client)
        } catch {
            await client.shutdown()
            throw error
        }
        await client.shutdown()
        return result
    }

    struct Page<Row: Sendable> {
        var rows: [Row]
        /// The cursor of the next page; nil if there is none.
        var next: String?
        var body: [UInt8]
    }

    /// Prints all pages, or the requested one.
    static func list<Row>(
        _ arguments: Arguments,
        _ fetch: (CyclesClient, _ cursor: String?) async throws(CyclesError) -> Page<Row>,
        table: ([Row]) -> [String]
    ) async throws -> ExitStatus {
        try await withClient(arguments) { client in
            let isOnePage = arguments[limit] != nil || arguments[cursor] != nil
            var rows: [Row] = []
            var next: String?
            repeat {
                let page = try await fetch(client, next)
                guard page.next == nil || page.next != next else {
                    throw CyclesError.invalidResponse(
                        InvalidResponse(operation: "list", status: 200, message: "next_cursor leads to the same page")
                    )
                }
                next = page.next
                if arguments[json] { Console.json(page.body) } else { rows += page.rows }
            } while next != nil && !isOnePage && Console.failure == nil
            if !arguments[json] {
                Console.lines(table(rows))
                if let next { Console.error("There is more: --cursor \(next)") }
            }
            return .success
        }
    }
}
