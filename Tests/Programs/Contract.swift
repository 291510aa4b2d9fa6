// A program written against the package's fixed public names alone: it has to compile outside the package, and to run.

import Cycles
import CyclesTesting

@main
struct Program {
    static func main() async throws {
        values()
        try amounts()
        try configuration()
        try await client()
        try await mock()
        try await evidence()
        try webhooks()
        try faults()
        print("everything holds")
    }

    static func check(_ condition: Bool, line: Int = #line) {
        if !condition { fatalError("line \(line) does not hold") }
    }

    static func amounts() throws(CyclesError) {
        check(try Amount(parsing: "0.05 USD") == .usd(0.05))
        let price = try TokenPrice(
            input: "2.50",
            output: "10.00",
            cachedInput: nil,
            cacheWrite: nil,
            reasoning: nil
        )
        check(price.cost(input: 1, output: 1, cachedInput: 0, cacheWrite: 0, reasoning: 0) == .usdMicrocents(1_250))
    }

    static func values() {
        check(Amount(5_000, .tokens) == .tokens(5_000) && Amount.usdMicrocents(1).unit == .usdMicrocents)
        check(Amount.credits(2).amount == 2 && Amount.riskPoints(1).unit == BudgetUnit(rawValue: "RISK_POINTS"))
        let count: Int = 7
        check(Amount.tokens(count).adding(.tokens(3)) == Amount(10, .tokens) && Amount.usd(0.05).amount == 5_000_000)
        check(BudgetUnit.unrecognized("GOLD").rawValue == "GOLD" && SignedAmount.tokens(-4).amount < 0)
        check(Decision.allow.isAllowed && Decision.allowWithCaps.isAllowed && Decision.deny.isDenied)
        check(!Decision(rawValue: "MAYBE").isAllowed && !Decision(rawValue: "MAYBE").isDenied)
        check(CommitOveragePolicy.reject != .allowIfAvailable && CommitOveragePolicy.allowWithOverdraft != .reject)
        let statuses: Set<ReservationStatus> = [.active, .committed, .released, .expired]
        check(statuses.count == 4)
        let codes: Set<ErrorCode> = [
            .invalidRequest, .unauthorized, .forbidden, .notFound, .budgetExceeded, .budgetFrozen, .budgetClosed,
            .reservationExpired, .reservationFinalized, .idempotencyMismatch, .unitMismatch, .overdraftLimitExceeded,
            .debtOutstanding, .maxExtensionsExceeded, .tenantClosed, .limitExceeded, .internalError,
        ]
        check(codes.count == 17 && ErrorCode.internalError.isRetryable && !ErrorCode.notFound.isRetryable)
        let subject = Subject(
            tenant: "acme",
            workspace: "w",
            app: "a",
            workflow: "f",
            agent: "g",
            toolset: "t",
            dimensions: ["team": "x"]
        )
        check(subject == subject && Action(kind: "k", name: "n", tags: ["t"]).tags == ["t"])
        var caps = Caps()
        caps.maxTokens = 5
        caps.maxStepsRemaining = 3
        caps.toolAllowlist = ["read"]
        caps.toolDenylist = ["write"]
        caps.cooldown = .seconds(1)
        check(caps.allows(tool: "read") && !caps.allows(tool: "write") && !caps.allows(tool: "Read"))
        let metrics = CyclesMetrics(
            tokensInput: 1,
            tokensOutput: 2,
            latency: .milliseconds(3),
            modelVersion: "4",
            custom: ["five": 5]
        )
        check(metrics.latency == .milliseconds(3))
        let id: ReservationID = "r"
        check(id.rawValue == "r" && ReservationID("r") == id && EventID("e").rawValue == "e")
        check(EvidenceID("e") == "e" && IdempotencyKey.random() != IdempotencyKey.random())
        check(ReservationID("\u{e9}") != ReservationID("e\u{301}"))
        let value: JSONValue = ["a": [1, 2.5, "x", true, nil]]
        if case .object(let members) = value, case .array(let elements)? = members["a"] {
            check(elements.count == 5)
        } else {
            check(false)
        }
        let reference = EvidenceReference(evidenceID: "e", url: "https://host/e")
        check(reference.evidenceID == "e" && reference.url.hasSuffix("/e"))
        check(TraceContext(parsing: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01") != nil)
        check(TraceContext.current == nil)
    }

    static func configuration() throws(CyclesError) {
        var configuration = CyclesConfiguration(baseURL: "https://host", apiKey: "secret-of-the-program")
        configuration.tenant = "acme"
        configuration.workspace = "w"
        configuration.app = "a"
        configuration.workflow = "f"
        configuration.agent = "g"
        configuration.toolset = "t"
        configuration.adminAPIKey = "admin-secret"
        configuration.connectTimeout = .seconds(1)
        configuration.readTimeout = .seconds(4)
        configuration.retry.isEnabled = true
        check(configuration.retry.maxRetries == 5 && configuration.retry.initialDelay == .milliseconds(500))
        check(configuration.retry.multiplier == 2 && configuration.retry.maxDelay == .seconds(30))
        check(configuration.retry.jitter == 0.2 && configuration.retry.inlineBudget == .seconds(2))
        check(configuration.retry.flushTimeout == .seconds(10))
        configuration.journal = .directory("/nowhere")
        configuration.journal = .automatic
        configuration.journal = .disabled
        check(configuration.heartbeat == .warn)
        for policy in [HeartbeatPolicy.failOnFinalize, .cancel, .disabled, .warn] { configuration.heartbeat = policy }
        configuration.tls = TLSOptions(caBundlePath: "/ca", clientCertificatePath: "/c", clientKeyPath: "/k")
        configuration.tls.pinnedPublicKey = nil
        configuration.proxy = "http://user:proxy-secret@proxy:1"
        configuration.unixSocketPath = nil
        check(configuration.maxConnections == 64 && configuration.maxResponseBytes == 8 << 20)
        configuration.userAgentSuffix = "program/1"
        var text = ""
        dump(configuration, to: &text)
        text += "\(configuration) \(String(reflecting: configuration))"
        let client = try CyclesClient(configuration: configuration)
        dump(client, to: &text)
        text += "\(client)"
        check(!text.contains("secret"))
        do throws(CyclesError) {
            _ = try CyclesConfiguration.fromEnvironment(prefix: "NO_SUCH_PREFIX_")
            check(false)
        } catch {
            if case .configuration(let issue) = error {
                check(issue.name == "NO_SUCH_PREFIX_BASE_URL")
            } else {
                check(false)
            }
        }
        check((try? CyclesClient(baseURL: "ftp://host", apiKey: "k")) == nil)
    }

    static func client() async throws {
        let clock = ManualClock()
        let authority = LocalAuthority(
            options: .init(
                maxExtensions: 10,
                maxTimeToLive: .seconds(3600),
                maxLead: nil,
                emitsRemainingTimeToLive: true
            ),
            clock: clock
        )
        authority.addAPIKey("key-1", tenant: "acme")
        authority.setTenant("acme", status: .active)
        authority.setBudget(
            scope: "tenant:acme",
            allocated: .tokens(500),
            overdraftLimit: 0,
            caps: nil,
            status: .active
        )
        authority.fund(scope: "tenant:acme", .tokens(500))
        authority.repayDebt(scope: "tenant:acme", .tokens(0))
        let server = LoopbackServer(authority)
        try server.start()
        defer { server.stop() }
        let client = try CyclesClient(baseURL: server.baseURL, apiKey: "key-1", tenant: "acme")

        let decision = try await client.decide(
            DecisionRequest(action: Action(kind: "k", name: "n"), estimate: .tokens(1), metadata: ["a": 1])
        )
        check(decision.decision == .allow && decision.http.status == 200 && !decision.body.isEmpty)
        let created = try await client.createReservation(
            ReservationCreateRequest(
                subject: Subject(agent: "bot"),
                action: Action(kind: "k", name: "n"),
                estimate: .tokens(100),
                timeToLive: .seconds(30),
                gracePeriod: .seconds(1),
                overagePolicy: .reject,
                dryRun: false,
                metadata: [:],
                idempotencyKey: "key-a"
            ),
            options: CallOptions(timeout: .seconds(5), headers: ["X-Note": "n"])
        )
        guard let id = created.reservationID else { return check(false) }
        check(created.idempotencyKey == "key-a" && created.http.tenant == "acme" && created.http.requestID != nil)
        check(
            created.http.traceID != nil && created.http.rateLimitRemaining == nil && created.http.rateLimitReset == nil
        )
        check(created.http.headers["content-type"] == "application/json")
        check(authority.activeReservations == [id])
        clock.advance(by: .seconds(10))
        let extended = try await client.extendReservation(id, ExtendRequest(by: .seconds(5)))
        check(extended.remainingTimeToLive == .seconds(25))
        let settled = try await client.commitReservation(
            id,
            CommitRequest(actual: .tokens(40), metrics: CyclesMetrics())
        )
        check(settled.charged == .tokens(40))
        let event = try await client.createEvent(
            EventCreateRequest(
                action: Action(kind: "k", name: "n"),
                actual: .tokens(2),
                overagePolicy: .reject,
                clientTimeMilliseconds: 1
            )
        )
        check(!event.eventID.rawValue.isEmpty)
        check(try await client.getReservation(id).status == .committed)
        var seen = 0
        for try await row in client.reservations(ReservationQuery(limit: 1)) { seen += row.reservationID == id ? 1 : 0 }
        for try await balance in client.balances(BalanceQuery(tenant: "acme")) {
            check(balance.scope == "tenant:acme" && balance.remaining == .tokens(958) && !balance.isOverLimit)
            seen += 1
        }
        check(seen == 2)
        check(try await client.listReservations(ReservationQuery(status: .committed)).reservations.count == 1)
        check(try await client.getBalances(BalanceQuery(tenant: "acme")).balances.first?.spent == .tokens(42))

        authority.failNext(.limitExceeded, retryAfter: .seconds(3))
        do throws(CyclesError) {
            _ = try await client.releaseReservation(id, ReleaseRequest(reason: "none"))
            check(false)
        } catch {
            check(error.isRetryable && error.retryAfter == .seconds(3) && error.errorCode == .limitExceeded)
            check(error.status == 429 && error.requestID != nil && error.traceID != nil && !error.isDenied)
            check(error.idempotencyKey != nil && !error.isBudgetExceeded)
        }
        do throws(CyclesError) {
            _ = try await client.createReservation(
                ReservationCreateRequest(action: Action(kind: "k", name: "n"), estimate: .tokens(9_999))
            )
            check(false)
        } catch {
            guard case .denied(let denial) = error else { return check(false) }
            check(error.isDenied && error.isBudgetExceeded && denial.reason == .budgetExceeded)
            check(!denial.affectedScopes.isEmpty || denial.message != nil)
        }
        do throws(CyclesError) {
            _ = try await client.getEvidence("short", waitingUpTo: .zero)
        } catch {
            if case .validation(let issue) = error { check(issue.field == "evidenceID") } else { check(false) }
        }
        check((try? await client.getEvidenceKeys()) == nil)
        let restored = try LocalAuthority(restoring: authority.snapshot())
        check(restored.balances() == authority.balances())
        await client.shutdown()
    }

    static func evidence() async throws {
        let authority = LocalAuthority(options: .init(emitsEvidence: true, evidenceSigner: .identifier))
        authority.addAPIKey("key-1", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000))
        authority.rotateEvidenceKey()
        let configuration = CyclesConfiguration(baseURL: "https://host", apiKey: "key-1")
        let client = try CyclesClient(configuration: configuration, transport: authority)
        let request = DecisionRequest(
            subject: Subject(tenant: "acme"),
            action: Action(kind: "k", name: "n"),
            estimate: .tokens(1)
        )
        guard let reference = try await client.decide(request).cyclesEvidence else { return check(false) }
        check(try await client.verifyEvidence(reference).isAuthentic)
        let envelope = try await client.getEvidence(reference.evidenceID).body
        let keys: EvidenceKeySet = try await client.getEvidenceKeys().value
        switch try EvidenceVerifier(keys: keys, expectedSigner: nil).verify(envelope) {
        case .authentic(let signer): check(signer.key.kid == "key-2" && signer.serverID == "https://host/v1")
        case .bindingOnly(signerPinMatched: _): check(false)
        case .signerAuthorityFailed(let reason), .signerResolutionFailed(let reason), .signatureInvalid(let reason):
            check(reason.isEmpty)
        }
        if case .signerResolutionFailed = try EvidenceVerifier().verify(envelope) {} else { check(false) }
        do throws(CyclesError) {
            _ = try EvidenceVerifier().verify([])
            check(false)
        } catch {
            if case .validation = error {} else { check(false) }
        }
        await client.shutdown()
    }

    static func webhooks() throws(CyclesError) {
        let signer = WebhookSigner(secret: "whsec_1")
        let delivery = signer.delivery(of: .budgetExhausted, id: "evt_1", tenant: "acme", data: ["left": 0])
        let verifier = WebhookVerifier(secret: "whsec_1")
        check(verifier.isValid(signature: delivery.signature, body: delivery.body))
        check(!verifier.isValid(signature: nil, body: delivery.body))
        let event: WebhookEvent = try verifier.event(signature: delivery.signature, body: delivery.body)
        check(event.id == "evt_1" && event.type == .budgetExhausted && event.category == "budget")
        check(!event.timestamp.isEmpty && event.tenant == "acme" && !event.source.isEmpty && event.data["left"] == 0)
    }

    static func mock() async throws {
        let mock = MockTransport()
        mock.enqueue(HTTPResponse(status: 200, headers: [:], body: Array(#"{"balances":[]}"#.utf8)))
        mock.enqueue(failure: HTTPTransportError(kind: .timedOut, message: "too late", wasRequestSent: nil))
        mock.on(.post, "/v1/decide") { request in
            check(request.headers["X-Cycles-API-Key"] == "key-1")
            return HTTPResponse(status: 200, headers: [:], body: Array(#"{"decision":"MAYBE"}"#.utf8))
        }
        let configuration = CyclesConfiguration(baseURL: "https://host", apiKey: "key-1")
        let client = try CyclesClient(configuration: configuration, transport: mock)
        check(try await client.getBalances(BalanceQuery(tenant: "acme")).balances.isEmpty)
        do throws(CyclesError) {
            _ = try await client.getBalances(BalanceQuery(tenant: "acme"))
            check(false)
        } catch {
            guard case .transport(let cause) = error else { return check(false) }
            check(cause.kind == .timedOut && cause.wasRequestSent == nil)
        }
        let decision = try await client.decide(
            DecisionRequest(
                subject: Subject(tenant: "acme"),
                action: Action(kind: "k", name: "n"),
                estimate: .tokens(1)
            )
        )
        check(!decision.decision.isAllowed && !decision.decision.isDenied)
        check(mock.requests.count == 3)
        let asynchronous: any HTTPTransport = CurlTransport(configuration: configuration)
        await asynchronous.shutdown()
    }

    static func faults() throws(HTTPTransportError) {
        let faulty = FaultyTransport(LocalAuthority(), seed: 7, faults: .init(lostResponse: 1))
        let blocking: any BlockingHTTPTransport = faulty
        do throws(HTTPTransportError) {
            _ = try blocking.send(
                HTTPRequest(
                    method: .get,
                    url: "http://host/v1/balances",
                    headers: [:],
                    body: [],
                    connectTimeout: .seconds(1),
                    timeout: .seconds(2)
                )
            )
            check(false)
        } catch {
            check(error.kind == .connectionFailed && error.wasRequestSent == true)
        }
    }
}
