#if ServiceLifecycle
    import Cycles
    import CyclesTesting
    import ServiceLifecycle
    import ServiceLifecycleTestKit
    import Testing

    @Suite struct ServiceLifecycleTests {
        @Test func aGracefulShutdownFinishesTheSettlements() async throws {
            let authority = makeAuthority()
            let client = try makeClient(authority)
            await testGracefulShutdown { trigger in
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { await client.run() }
                    group.addTask {
                        // A dropped guard, whose release runs in the background.
                        _ = try? await client.reserve(request(10)).context
                        trigger.triggerGracefulShutdown()
                    }
                }
            }
            #expect(authority.activeReservations.isEmpty)
        }

        @Test func aCancellationFinishesTheSettlementsToo() async throws {
            let authority = makeAuthority()
            let client = try makeClient(authority)
            let service = Task { await client.run() }
            _ = try await client.reserve(request(10)).context
            service.cancel()
            await service.value
            #expect(authority.activeReservations.isEmpty)
        }
    }
#endif
