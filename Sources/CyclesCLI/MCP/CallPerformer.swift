import Cycles

/// Performs the calls of a session with a client.
struct CallPerformer: Sendable {
    let client: CyclesClient
    let held = HeldReservations()

    struct Outcome: Sendable {
        var result: MCPSession.CallResult
        /// The reservation that the call has obtained; nil if there is none.
        var obtained: ReservationID?
    }

    func perform(_ call: MCPSession.Call) async -> Outcome {
        switch call {
        case .tool(let tool, let arguments):
            let answer = await perform(tool, arguments)
            return Outcome(result: .success(answer.result.members), obtained: answer.obtained)
        case .resource(let resource): return Outcome(result: await read(resource))
        }
    }

    /// Releases a reservation whose call was cancelled.
    func giveBack(_ id: ReservationID) async {
        guard let reservation = held.take(id)?.reservation else { return }
        // The client reports a failure to its observer, on standard error.
        _ = try? await reservation.release(reason: "the call was cancelled")
    }

    /// Releases all reservations that the session holds. A flush of the client waits for the releases.
    func giveBackAll() { held.dropAll() }

    // MARK: Tools

    func perform(_ tool: BudgetTool, _ arguments: JSONValue) async -> (result: ToolResult, obtained: ReservationID?) {
        do throws(CyclesError) {
            var answer = try await answer(tool, arguments)
            if let refusal = answer.refusal { return (refusal, nil) }
            do throws(SchemaCheck.Defect) {
                let value = try SchemaCheck.result(.object(answer.members), tool.schema(BudgetSchemas.output))
                answer.members = value.object ?? [:]
            } catch {
                let message = "The server's answer cannot be used: \(error.message). The request may have taken effect."
                return (ToolResult(refusal: message, code: "INVALID_ANSWER"), answer.obtained)
            }
            return (answer.result, answer.obtained)
        } catch {
            return (ToolResult(error), nil)
        }
    }

    private func answer(_ tool: BudgetTool, _ arguments: JSONValue) async throws(CyclesError) -> ToolAnswer {
        switch tool {
        case .reserve: return try await reserve(ReservationCreateRequest(arguments))
        case .commit: return try await commit(arguments.reservationID, CommitRequest(arguments))
        case .release: return try await release(arguments.reservationID, ReleaseRequest(arguments))
        case .extend:
            // The client learns the new expiry with its next heartbeat.
            return ToolAnswer(
                try await client.extendReservation(arguments.reservationID, ExtendRequest(arguments)).body
            )
        case .decide: return try await decide(DecisionRequest(arguments))
        case .checkBalance:
            let query = try await OperationCommands.completed(BalanceQuery(arguments), by: client)
            return ToolAnswer(try await client.getBalances(query).body)
        case .listReservations: return ToolAnswer(try await client.listReservations(ReservationQuery(arguments)).body)
        case .getReservation: return ToolAnswer(try await client.getReservation(arguments.reservationID).body)
        case .createEvent: return try await record(EventCreateRequest(arguments))
        }
    }

    private func decide(_ request: DecisionRequest) async throws(CyclesError) -> ToolAnswer {
        do throws(CyclesError) {
            let response = try await client.decide(request)
            var answer = ToolAnswer(response.body)
            if response.decision.isDenied {
                let denial = ToolAnswer.denial(response.value)
                await explain(&answer, denial, of: .decide, request.subject, request.estimate)
            } else {
                answer.add(capsOf: response.caps)
                answer.add("Nothing is held: call cycles_reserve before the action.")
            }
            return answer
        } catch {
            return try await denied(error, of: .decide, request.subject, request.estimate)
        }
    }

    private func reserve(_ request: ReservationCreateRequest) async throws(CyclesError) -> ToolAnswer {
        if request.dryRun { return try await evaluate(request) }
        do throws(CyclesError) {
            let reservation = try await client.reserve(request)
            let answer = ToolAnswer(granted: reservation, request.estimate)
            held.add(reservation, request.estimate)
            return answer
        } catch {
            switch error {
            // A repeated call has the same result. The reservation is held under its first guard.
            case .validation(let issue) where issue.field == "idempotencyKey": return try await repeated(request)
            // The answer may be a decision that was only observed, for which no guard can be made.
            case .invalidResponse(let answer) where answer.status == 200: return try await repeated(request)
            default: return try await denied(error, of: .reserve, request.subject, request.estimate)
            }
        }
    }

    /// Sends a reservation request again, whose key makes the server repeat its answer.
    private func repeated(_ request: ReservationCreateRequest) async throws(CyclesError) -> ToolAnswer {
        let response = try await client.createReservation(request)
        if let id = response.reservationID, held.estimate(of: id) == nil {
            let message =
                "The idempotencyKey was used before, and its reservation \(id) is not held by this session; use a new key "
                + "for another action, or look the reservation up with cycles_get_reservation"
            return ToolAnswer(refusal: ToolResult(refusal: message, code: "IDEMPOTENCY_KEY_USED"))
        }
        var answer = ToolAnswer(response.body)
        answer.add(capsOf: response.caps)
        answer.add(
            response.reservationID.map { "\($0) was reserved before under this idempotencyKey, and is still held." }
                ?? "The decision was only observed: nothing is held, and nothing has to be committed."
        )
        return answer
    }

    /// Evaluates a request without holding budget.
    private func evaluate(_ request: ReservationCreateRequest) async throws(CyclesError) -> ToolAnswer {
        do throws(CyclesError) {
            let response = try await client.createReservation(request)
            var answer = ToolAnswer(response.body)
            if response.decision.isDenied {
                let denial = ToolAnswer.denial(response.value)
                await explain(&answer, denial, of: .reserve, request.subject, request.estimate)
            } else {
                answer.add(capsOf: response.caps)
                answer.add("This was a dry run: nothing is held.")
            }
            return answer
        } catch {
            return try await denied(error, of: .reserve, request.subject, request.estimate)
        }
    }

    private func commit(_ id: ReservationID, _ request: CommitRequest) async throws(CyclesError) -> ToolAnswer {
        // The client would charge the estimate instead of an amount in another unit.
        if let estimate = held.estimate(of: id), estimate.unit != request.actual.unit {
            let message = "has to be in \(estimate.unit), as the estimate of \(id) is; the reservation is still held"
            throw .validation(ValidationIssue(field: "actual", message: message))
        }
        guard let reservation = held.take(id)?.reservation else {
            return ToolAnswer(try await client.commitReservation(id, request).value, actual: request.actual)
        }
        var answer = ToolAnswer(try await reservation.commit(request), actual: request.actual)
        if answer.members["eventId"] != nil { answer.add("The hold had expired: the spend is recorded as an event.") }
        return answer
    }

    private func release(_ id: ReservationID, _ request: ReleaseRequest) async throws(CyclesError) -> ToolAnswer {
        if let entry = held.take(id), let reservation = entry.reservation {
            return ToolAnswer(try await reservation.release(reason: request.reason), releasing: entry.estimate)
        }
        do throws(CyclesError) {
            return ToolAnswer(try await client.releaseReservation(id, request).body)
        } catch {
            // A repeated call has the same result: a hold that is released stays released.
            guard error.errorCode == .reservationFinalized, let known = try? await client.getReservation(id),
                known.status == .released
            else { throw error }
            return ToolAnswer(Settlement(.released), releasing: known.reserved)
        }
    }

    private func record(_ request: EventCreateRequest) async throws(CyclesError) -> ToolAnswer {
        do throws(CyclesError) {
            return ToolAnswer(try await client.record(request), actual: request.actual)
        } catch {
            switch error {
            // The same key is being recorded. The server repeats its answer.
            case .validation(let issue) where issue.field == "idempotencyKey":
                return ToolAnswer(try await client.createEvent(request).value, actual: request.actual)
            case .denied(let denial):
                var answer = ToolAnswer(["status": "DENIED"])
                await explain(&answer, denial, of: .createEvent, request.subject, request.actual)
                return answer
            default: throw error
            }
        }
    }

    // MARK: Denials

    private func denied(
        _ error: CyclesError,
        of tool: BudgetTool,
        _ subject: Subject,
        _ estimate: Amount
    ) async throws(CyclesError) -> ToolAnswer {
        guard case .denied(let denial) = error else { throw error }
        var answer = ToolAnswer(["decision": "DENY"])
        await explain(&answer, denial, of: tool, subject, estimate)
        return answer
    }

    /// Adds the members and the hint of a denial: what remains, what would fit, and when to ask again.
    private func explain(
        _ answer: inout ToolAnswer,
        _ denial: Denial,
        of tool: BudgetTool,
        _ subject: Subject,
        _ amount: Amount
    ) async {
        var denial = denial
        denial.operation = tool.rawValue
        answer.add(tool == .createEvent ? "The spend is not in the ledger." : "Do not perform the action.")
        var balance: Balance?
        if denial.reason == .budgetExceeded, denial.budgetRemaining == nil {
            balance = await tightest(subject, amount.unit)
        }
        answer.add(denial, amount, balance)
    }

    /// The balance with the least remaining budget among the scopes of a subject; nil if it cannot be found.
    private func tightest(_ subject: Subject, _ unit: BudgetUnit) async -> Balance? {
        let defaults = client.configuration
        let levels = [
            ("tenant", subject.tenant ?? defaults.tenant), ("workspace", subject.workspace ?? defaults.workspace),
            ("app", subject.app ?? defaults.app), ("workflow", subject.workflow ?? defaults.workflow),
            ("agent", subject.agent ?? defaults.agent), ("toolset", subject.toolset ?? defaults.toolset),
        ]
        let known = Set(levels.compactMap { name, value in value.map { "\(name):\($0)".lowercased() } })
        var query = BalanceQuery(tenant: subject.tenant, includeChildren: true, limit: 200)
        do throws(CyclesError) {
            query = try await OperationCommands.completed(query, by: client)
            let balances = try await client.getBalances(query).balances
            return balances.filter { balance in
                balance.remaining.unit == unit
                    && balance.scopePath.split(separator: "/").allSatisfy { known.contains($0.lowercased()) }
            }.min { $0.remaining.amount < $1.remaining.amount }
        } catch {
            return nil
        }
    }

    // MARK: Resources

    private func read(_ resource: BudgetResource) async -> MCPSession.CallResult {
        do throws(CyclesError) {
            let body =
                switch resource.kind {
                case .balances: try await client.getBalances(BalanceQuery(tenant: resource.name)).body
                case .reservation: try await client.getReservation(ReservationID(resource.name)).body
                }
            let text = ToolAnswer(body).value.text
            return .success(BudgetResource.contents(resource.uri, "application/json", text))
        } catch {
            if error.status == 404 { return .failure(BudgetResource.unknown(resource.uri)) }
            return .failure(JSONRPC.Failure(.internalError, "\(error)", data: ToolResult(error).value))
        }
    }
}
