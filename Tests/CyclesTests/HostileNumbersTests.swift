import CyclesTesting
import Testing

@testable import Cycles

/// Numbers at the ends of what there is, wherever an answer has one: they are refused or taken, and nothing ends the process.
@Suite struct HostileNumbersTests {
    static let numbers = [
        "9223372036854775807", "-9223372036854775808", "9223372036854775808", "1e9223372036854775807",
        "1e-9223372036854775808", "1e18", "9.223372036854775807e18", "0", "-0", "-1", "0.5", "1e400",
        "123456789012345678901234567890", "0e99999999999999999999",
    ]

    private func balance(_ number: String) -> String {
        let amount = #"{"unit":"TOKENS","amount":\#(number)}"#
        return #"{"scope":"tenant:acme","scope_path":"tenant:acme","remaining":\#(amount),"allocated":\#(amount),"#
            + #""spent":\#(amount),"reserved":\#(amount),"debt":\#(amount),"overdraft_limit":\#(amount)}"#
    }

    /// An answer to anything, in which every number is the same.
    private func body(_ number: String) -> String {
        let amount = #"{"unit":"TOKENS","amount":\#(number)}"#
        let action = #"{"kind":"k","name":"n"}"#
        let row =
            #"{"reservation_id":"rsv_1","status":"ACTIVE","subject":{"tenant":"acme"},"action":\#(action),"reserved":\#(amount),"#
            + #""committed":\#(amount),"created_at_ms":\#(number),"expires_at_ms":\#(number),"finalized_at_ms":\#(number),"#
            + #""scope_path":"tenant:acme","affected_scopes":["tenant:acme"]}"#
        return #"{"decision":"ALLOW_WITH_CAPS","reservation_id":"rsv_1","event_id":"evt_1","status":"ACTIVE","#
            + #""affected_scopes":["tenant:acme"],"expires_at_ms":\#(number),"remaining_ttl_ms":\#(number),"#
            + #""retry_after_ms":\#(number),"reserved":\#(amount),"charged":\#(amount),"released":\#(amount),"#
            + #""created_at_ms":\#(number),"subject":{"tenant":"acme"},"action":\#(action),"scope_path":"tenant:acme","#
            + #""caps":{"max_tokens":\#(number),"max_steps_remaining":\#(number),"cooldown_ms":\#(number)},"#
            + #""balances":[\#(balance(number))],"reservations":[\#(row)],"has_more":false,"#
            + #""error":"LIMIT_EXCEEDED","message":"m","request_id":"r","details":{"n":\#(number)}}"#
    }

    private func headers(_ number: String) -> HTTPHeaders {
        ["Retry-After": number, "X-RateLimit-Remaining": number, "X-RateLimit-Reset": number, "Date": number]
    }

    @Test(arguments: numbers)
    func answersToSingleOperations(number: String) async throws {
        let bench = try LifecycleBench()
        let client = bench.client
        let action = LifecycleBench.action
        for (status, text) in [(200, body(number)), (201, body(number)), (429, body(number)), (503, "")] {
            let mock = MockTransport()
            for _ in 0..<10 {
                mock.enqueue(HTTPResponse(status: status, headers: headers(number), body: Array(text.utf8)))
            }
            let client = try CyclesClient.waiting(
                configuration: client.configuration,
                transport: mock,
                clock: bench.clock
            )
            let id: ReservationID = "rsv_1"
            _ = try? await client.decide(DecisionRequest(action: action, estimate: .tokens(1)))
            _ = try? await client.createReservation(ReservationCreateRequest(action: action, estimate: .tokens(1)))
            _ = try? await client.commitReservation(id, CommitRequest(actual: .tokens(1)))
            _ = try? await client.releaseReservation(id)
            _ = try? await client.extendReservation(id, ExtendRequest(by: .seconds(1)))
            _ = try? await client.createEvent(EventCreateRequest(action: action, actual: .tokens(1)))
            _ = try? await client.getReservation(id)
            _ = try? await client.listReservations()
            let balances = try? await client.getBalances()
            for balance in balances?.balances ?? [] { _ = "\(balance)" }
            do {
                _ = try await client.decide(DecisionRequest(action: action, estimate: .tokens(1)))
            } catch {
                // The description of an error also contains such numbers.
                _ = "\(error) \(error.retryAfter ?? .zero)"
            }
        }
    }

    @Test(arguments: numbers)
    func answersOfAWholeLifecycle(number: String) async throws {
        let bench = try LifecycleBench()
        for status in [429, 503] {
            bench.wire.answer("commit", status: status, body(number), headers: headers(number))
        }
        bench.wire.answer("reserve", status: 200, body(number), headers: headers(number))
        for status in [200, 429, 503, 200] {
            bench.wire.answer("extend", status: status, body(number), headers: headers(number))
        }
        do {
            let guarded = try await bench.client.reserve(bench.request())
            bench.clock.advance(by: .seconds(600))
            guarded.addSpend(.tokens(Int64.max))
        } catch { _ = "\(error)" }
        for _ in 0..<20 { bench.clock.advance(by: .seconds(600)) }
        _ = await bench.client.pendingSettlements().map { "\($0)" }
        await bench.client.shutdown(timeout: .zero)
    }
}
