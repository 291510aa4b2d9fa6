#if Logging
    import Cycles
    import InMemoryLogging
    import Logging
    import Testing

    @Suite struct LoggingTests {
        private let handler = InMemoryLogHandler()

        private func logger(_ level: Logger.Level) -> Logger {
            var logger = Logger(label: "test") { _ in handler }
            logger.logLevel = level
            return logger
        }

        @Test func attemptsAreLoggedWithTheirValues() async throws {
            let client = try makeClient(observer: LoggingObserver(logger: logger(.debug)))
            let reservation = try await client.reserve(request(10))
            let id = reservation.reservationID
            try await reservation.commit(.tokens(7))
            await client.shutdown()

            let commits = handler.entries.filter { $0.metadata["cycles.operation"] == "commitReservation" }
            #expect(commits.map(\.level) == [.debug, .debug])
            #expect(commits.last?.metadata["cycles.status"] == "200")
            #expect(commits.last?.metadata["cycles.reservation_id"] == "\(id)")
            #expect(commits.last?.metadata["cycles.request_id"] != nil)
            #expect(commits.last?.metadata["cycles.idempotency_key"] != nil)
        }

        @Test func theLevelOfTheLoggerDecides() async throws {
            let client = try makeClient(observer: LoggingObserver(logger: logger(.warning)))
            try await client.reserve(request(10)).commit(.tokens(7))
            await client.shutdown()
            #expect(handler.entries.isEmpty)
        }

        @Test func aFailureIsLoggedAtItsSeverityWithItsCode() {
            let observer = LoggingObserver(logger: logger(.info))
            let error = CyclesError.validation(ValidationIssue(field: "actual", message: "has to be 0 or more"))
            observer.observe(.settlementFailed("rsv_1", error, tenant: "acme"))
            #expect(handler.entries.map(\.level) == [.error])
            #expect(handler.entries.first?.metadata["cycles.error"] == "VALIDATION")
            #expect(handler.entries.first?.metadata["cycles.reservation_id"] == "rsv_1")
        }

        @Test func noEntryContainsTheKey() async throws {
            let client = try makeClient(observer: LoggingObserver(logger: logger(.trace)))
            try await client.reserve(request(10)).commit(.tokens(7))
            await #expect(throws: CyclesError.self) { _ = try await client.reserve(request(5_000)).context }
            await client.shutdown()
            #expect(!handler.entries.isEmpty)
            #expect(!handler.entries.contains { "\($0)".contains(key) })
        }
    }
#endif
