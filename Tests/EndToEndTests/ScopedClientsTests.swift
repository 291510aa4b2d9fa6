import Cycles
import CyclesTesting
import Testing

/// A server with many tenants: 200 scoped clients in a process of their own.
@Suite(.enabled(if: Programs.areCompiled)) struct ScopedClientsTests {
    private struct Figures: Equatable, CustomStringConvertible {
        var threads: Int
        var descriptors: Int
        var connections: Int

        var description: String { "\(threads) threads, \(descriptors) descriptors, \(connections) connections" }
    }

    /// The figures of a process whose clients do 200 lifecycles.
    private func figures(clients: Int) throws -> Figures {
        let authority = LocalAuthority()
        for number in 0..<200 {
            authority.addAPIKey("key-\(number)", tenant: "t\(number)")
            authority.setBudget(scope: "tenant:t\(number)", allocated: .tokens(10_000))
        }
        let server = LoopbackServer(authority)
        try server.start()
        defer { server.stop() }
        let program = try Programs.compiled("ScopedClients")
        let outcome = try Programs.run(program, [server.baseURL, "\(clients)"])
        let numbers = outcome.output.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        guard outcome.status == 0, numbers.count == 2 else { throw Programs.Failure(description: "\(outcome)") }
        let spent = authority.balances().compactMap { $0.spent?.amount }
        #expect(spent.reduce(0, +) == 600 && (clients == 1 || spent.allSatisfy { $0 == 3 }))
        return Figures(threads: numbers[0], descriptors: numbers[1], connections: server.connectionCount)
    }

    @Test func takeNoThreadAndNoConnectionMoreThanOneClient() throws {
        // The threads of the concurrency runtime come and go, so that several runs are compared.
        let one = try (0..<3).map { _ in try figures(clients: 1) }
        let many = try (0..<3).map { _ in try figures(clients: 200) }
        print("1 scoped client: \(one); 200 scoped clients: \(many)")
        for figure in [\Figures.threads, \.descriptors, \.connections] {
            let (least, most) = (many.map { $0[keyPath: figure] }.min(), one.map { $0[keyPath: figure] }.max())
            #expect(try #require(least) <= #require(most))
        }
    }
}
