import Testing

@testable import Cycles

@Suite struct OperationCatalogueTests {
    @Test func leasesAndSettlementsHavePrecedenceWhoeverAsks() throws {
        let defaults = RequestDefaults(CyclesConfiguration(baseURL: "http://127.0.0.1", apiKey: "key"))
        let subject = Subject(tenant: "acme")
        let action = Action(kind: "llm.completion", name: "test")
        let event = EventCreateRequest(subject: subject, action: action, actual: .tokens(1))
        let create = ReservationCreateRequest(subject: subject, action: action, estimate: .tokens(1))
        #expect(try Operation.extendReservation("r", ExtendRequest(by: .seconds(5))).priority == .lease)
        #expect(try Operation.commitReservation("r", CommitRequest(actual: .tokens(1))).priority == .settlement)
        #expect(try Operation.releaseReservation("r", ReleaseRequest()).priority == .settlement)
        #expect(try Operation.createEvent(event, defaults).priority == .settlement)
        #expect(try Operation.createReservation(create, defaults).priority == .normal)
        #expect(try Operation.getReservation("r").priority == .normal)
    }

    private let defaults: RequestDefaults = {
        var configuration = CyclesConfiguration(baseURL: "http://localhost", apiKey: "key-1")
        configuration.tenant = "acme"
        configuration.app = "chat"
        return RequestDefaults(configuration)
    }()
    private let noDefaults = RequestDefaults(CyclesConfiguration(baseURL: "http://localhost", apiKey: "key-1"))
    private let action = Action(kind: "llm.completion", name: "gpt-4o", tags: ["prod"])

    private func text(_ body: [UInt8]) -> String { String(decoding: body, as: UTF8.self) }

    private func issue(_ body: () throws(CyclesError) -> Void) -> ValidationIssue? {
        do throws(CyclesError) {
            try body()
            return nil
        } catch {
            if case .validation(let issue) = error { return issue }
            return nil
        }
    }

    // MARK: What is sent

    @Test func createReservation() throws {
        let request = ReservationCreateRequest(
            subject: Subject(app: "own", agent: "bot", dimensions: ["b": "2", "a": "1"]),
            action: action,
            estimate: .usdMicrocents(5_000),
            timeToLive: .milliseconds(30_000),
            gracePeriod: .seconds(5),
            overagePolicy: .allowWithOverdraft,
            dryRun: true,
            metadata: ["run": 42],
            idempotencyKey: "key-a"
        )
        let operation = try Operation.createReservation(request, defaults)
        #expect(operation.method == .post)
        #expect(operation.path == "/v1/reservations")
        #expect(operation.idempotencyKey == "key-a")
        #expect(operation.successStatus == 200)
        #expect(
            text(operation.body)
                == #"{"idempotency_key":"key-a","subject":{"tenant":"acme","app":"own","agent":"bot","dimensions":{"a":"1","b":"2"}},"#
                + #""action":{"kind":"llm.completion","name":"gpt-4o","tags":["prod"]},"#
                + #""estimate":{"unit":"USD_MICROCENTS","amount":5000},"ttl_ms":30000,"grace_period_ms":5000,"#
                + #""overage_policy":"ALLOW_WITH_OVERDRAFT","dry_run":true,"metadata":{"run":42}}"#
        )
    }

    @Test func absentMembersAreNotSent() throws {
        let request = ReservationCreateRequest(
            action: Action(kind: "k", name: "n"),
            estimate: .tokens(1),
            idempotencyKey: "a"
        )
        #expect(
            text(try Operation.createReservation(request, defaults).body)
                == #"{"idempotency_key":"a","subject":{"tenant":"acme","app":"chat"},"action":{"kind":"k","name":"n"},"#
                + #""estimate":{"unit":"TOKENS","amount":1},"ttl_ms":60000}"#
        )
    }

    @Test func decide() throws {
        let operation = try Operation.decide(
            DecisionRequest(action: action, estimate: .tokens(7), metadata: ["x": nil], idempotencyKey: "k"),
            defaults
        )
        #expect(operation.path == "/v1/decide")
        #expect(
            text(operation.body)
                == #"{"idempotency_key":"k","subject":{"tenant":"acme","app":"chat"},"action":{"kind":"llm.completion","#
                + #""name":"gpt-4o","tags":["prod"]},"estimate":{"unit":"TOKENS","amount":7},"metadata":{"x":null}}"#
        )
    }

    @Test func commit() throws {
        let request = CommitRequest(
            actual: .tokens(42),
            metrics: CyclesMetrics(
                tokensInput: 1,
                tokensOutput: 2,
                latency: .microseconds(3_999),
                modelVersion: "m",
                custom: ["c": true]
            ),
            metadata: ["a": [1.5]],
            idempotencyKey: "k"
        )
        let operation = try Operation.commitReservation("rsv_1", request)
        #expect(operation.path == "/v1/reservations/rsv_1/commit")
        #expect(
            text(operation.body)
                == #"{"idempotency_key":"k","actual":{"unit":"TOKENS","amount":42},"metrics":{"tokens_input":1,"#
                + #""tokens_output":2,"latency_ms":3,"model_version":"m","custom":{"c":true}},"metadata":{"a":[1.5]}}"#
        )
        #expect(!operation.isBudgetRequest)
    }

    @Test func releaseAndExtend() throws {
        let release = try Operation.releaseReservation("r", ReleaseRequest(reason: "no \"need\"", idempotencyKey: "k"))
        #expect(release.path == "/v1/reservations/r/release")
        #expect(text(release.body) == #"{"idempotency_key":"k","reason":"no \"need\""}"#)
        let extend = try Operation.extendReservation("r", ExtendRequest(by: .seconds(30), idempotencyKey: "k"))
        #expect(extend.path == "/v1/reservations/r/extend")
        #expect(text(extend.body) == #"{"idempotency_key":"k","extend_by_ms":30000}"#)
    }

    @Test func createEvent() throws {
        let operation = try Operation.createEvent(
            EventCreateRequest(
                action: Action(kind: "k", name: "n"),
                actual: .credits(3),
                overagePolicy: .reject,
                metrics: CyclesMetrics(),
                clientTimeMilliseconds: 5,
                metadata: ["m": "x"],
                idempotencyKey: "k"
            ),
            defaults
        )
        #expect(operation.path == "/v1/events")
        #expect(operation.successStatus == 201)
        #expect(
            text(operation.body)
                == #"{"idempotency_key":"k","subject":{"tenant":"acme","app":"chat"},"action":{"kind":"k","name":"n"},"#
                + #""actual":{"unit":"CREDITS","amount":3},"overage_policy":"REJECT","metrics":{},"client_time_ms":5,"#
                + #""metadata":{"m":"x"}}"#
        )
    }

    @Test func aFreshKeyForEachCall() throws {
        let request = ReleaseRequest()
        let first = try Operation.releaseReservation("r", request)
        let second = try Operation.releaseReservation("r", request)
        #expect(first.idempotencyKey != second.idempotencyKey)
        #expect(text(first.body).contains(try #require(first.idempotencyKey).rawValue))
    }

    @Test(arguments: [
        ("a/b?x=1#f", "a%2Fb%3Fx%3D1%23f"), ("../events", "..%2Fevents"), ("a b%c", "a%20b%25c"), ("é", "%C3%A9"),
        ("A-z_0.9~", "A-z_0.9~"), ("...", "..."), ("a\nb", "a%0Ab"),
    ])
    func idsStayOneSegment(id: String, encoded: String) throws {
        #expect(try Operation.getReservation(ReservationID(id)).path == "/v1/reservations/\(encoded)")
        #expect(
            try Operation.commitReservation(ReservationID(id), CommitRequest(actual: .tokens(1))).path
                == "/v1/reservations/\(encoded)/commit"
        )
    }

    @Test func listQueriesCarryEverything() throws {
        var query = ReservationQuery(
            idempotencyKey: "k&1",
            status: .active,
            tenant: "t",
            workspace: "w",
            app: "a",
            workflow: "f",
            agent: "g",
            toolset: "s",
            fromMilliseconds: 0,
            toMilliseconds: 1,
            expiresFromMilliseconds: 2,
            expiresToMilliseconds: 3,
            finalizedFromMilliseconds: 4,
            finalizedToMilliseconds: 5,
            sortBy: .expiresAt,
            sortDirection: .ascending,
            include: [.evidence, .metadata, .committedMetadata],
            limit: 200,
            cursor: "c=/+"
        )
        let base = "1970-01-01T00%3A00%3A00.00"
        #expect(
            try Operation.listReservations(query, noDefaults).path
                == "/v1/reservations?idempotency_key=k%261&status=ACTIVE&tenant=t&workspace=w&app=a&workflow=f&agent=g"
                + "&toolset=s&from=\(base)0Z&to=\(base)1Z&expires_from=\(base)2Z&expires_to=\(base)3Z"
                + "&finalized_from=\(base)4Z&finalized_to=\(base)5Z&sort_by=expires_at_ms&sort_dir=asc"
                + "&include=metadata%2Ccommitted_metadata%2Cevidence&limit=200&cursor=c%3D%2F%2B"
        )
        query = ReservationQuery()
        #expect(try Operation.listReservations(query, noDefaults).path == "/v1/reservations")
        #expect(try Operation.listReservations(query, defaults).path == "/v1/reservations?tenant=acme")
        query.agent = "bot"
        #expect(try Operation.listReservations(query, defaults).path == "/v1/reservations?agent=bot")
    }

    @Test func balanceQueries() throws {
        let query = BalanceQuery(
            workspace: "w",
            app: "a",
            workflow: "f",
            agent: "g",
            toolset: "s",
            includeChildren: true,
            limit: 1,
            cursor: "c"
        )
        #expect(
            try Operation.getBalances(query, defaults).path
                == "/v1/balances?workspace=w&app=a&workflow=f&agent=g&toolset=s&include_children=true&limit=1&cursor=c"
        )
        #expect(try Operation.getBalances(BalanceQuery(), defaults).path == "/v1/balances?tenant=acme")
        #expect(
            issue { () throws(CyclesError) in _ = try Operation.getBalances(BalanceQuery(), noDefaults) }?.field
                == "query"
        )
    }

    @Test func evidenceIsPublic() throws {
        let id = EvidenceID(String(repeating: "0a", count: 32))
        let operation = try Operation.getEvidence(id)
        #expect(operation.path == "/v1/evidence/\(id)")
        #expect(operation.authentication == .none)
        #expect(Operation.getEvidenceKeys().path == "/v1/.well-known/cycles-jwks.json")
        #expect(Operation.getEvidenceKeys().authentication == .none)
        for bad in ["", "0A", String(repeating: "A", count: 64), String(repeating: "g", count: 64)] {
            #expect(
                issue { () throws(CyclesError) in _ = try Operation.getEvidence(EvidenceID(bad)) }?.field
                    == "evidenceID"
            )
        }
    }

    // MARK: What is refused

    private func field(_ change: (inout ReservationCreateRequest) -> Void) -> String? {
        var request = ReservationCreateRequest(
            subject: Subject(tenant: "t"),
            action: action,
            estimate: .tokens(1)
        )
        change(&request)
        return issue { () throws(CyclesError) in _ = try Operation.createReservation(request, noDefaults) }?.field
    }

    private func repeated(_ count: Int) -> String { String(repeating: "é", count: count) }

    @Test func subjectsAreChecked() {
        #expect(field { _ in } == nil)
        #expect(field { $0.subject = Subject() } == "subject")
        #expect(field { $0.subject = Subject(dimensions: ["a": "b"]) } == "subject")
        #expect(field { $0.subject.tenant = repeated(128) } == nil)
        #expect(field { $0.subject.tenant = repeated(129) } == "subject.tenant")
        #expect(field { $0.subject.toolset = " \u{3000}" } == "subject.toolset")
        // A flag of two scalars is one character: the limit counts scalars.
        #expect(field { $0.subject.agent = String(repeating: "🇫🇷", count: 65) } == "subject.agent")
        #expect(field { $0.subject.dimensions = ["cost": repeated(257)] } == "subject.dimensions.cost")
        #expect(
            field { request in
                request.subject.dimensions = Dictionary(uniqueKeysWithValues: (0..<17).map { ("d\($0)", "v") })
            } == "subject.dimensions"
        )
    }

    @Test func actionsAreChecked() {
        #expect(field { $0.action.kind = repeated(65) } == "action.kind")
        #expect(field { $0.action.name = repeated(257) } == "action.name")
        #expect(field { $0.action.tags = Array(repeating: "t", count: 11) } == "action.tags")
        #expect(field { $0.action.tags = ["ok", repeated(65)] } == "action.tags[1]")
    }

    @Test func numbersAndSpansAreChecked() {
        #expect(field { $0.estimate = .tokens(-1) } == "estimate")
        #expect(field { $0.estimate = .tokens(0) } == nil)
        #expect(field { $0.timeToLive = .milliseconds(999) } == "timeToLive")
        #expect(field { $0.timeToLive = .milliseconds(1_000) } == nil)
        #expect(field { $0.timeToLive = .seconds(86_400) } == nil)
        #expect(field { $0.timeToLive = .milliseconds(86_400_001) } == "timeToLive")
        #expect(field { $0.gracePeriod = .milliseconds(-1) } == "gracePeriod")
        #expect(field { $0.gracePeriod = .milliseconds(60_001) } == "gracePeriod")
        #expect(field { $0.gracePeriod = .zero } == nil)
    }

    @Test func keysAreChecked() {
        #expect(field { $0.idempotencyKey = "" } == "idempotencyKey")
        #expect(field { $0.idempotencyKey = IdempotencyKey(repeated(256)) } == nil)
        #expect(field { $0.idempotencyKey = IdempotencyKey(repeated(257)) } == "idempotencyKey")
        for bad in ["a\rb", "a\nb", "a\0b"] {
            #expect(field { $0.idempotencyKey = IdempotencyKey(bad) } == "idempotencyKey")
        }
    }

    @Test func metadataIsChecked() {
        func nested(_ depth: Int) -> JSONValue { (0..<depth).reduce(.null) { value, _ in [value] } }
        #expect(field { $0.metadata = ["m": nested(126)] } == nil)
        #expect(field { $0.metadata = ["m": nested(127)] } == "metadata")
    }

    @Test func everyOtherRequestIsChecked() {
        func commit(_ request: CommitRequest, _ id: ReservationID = "r") -> String? {
            issue { () throws(CyclesError) in _ = try Operation.commitReservation(id, request) }?.field
        }
        let one = Amount.tokens(1)
        #expect(commit(CommitRequest(actual: one)) == nil)
        #expect(commit(CommitRequest(actual: .tokens(-1))) == "actual")
        #expect(commit(CommitRequest(actual: one, metrics: CyclesMetrics(tokensInput: -1))) == "metrics.tokensInput")
        #expect(commit(CommitRequest(actual: one, metrics: CyclesMetrics(tokensOutput: -1))) == "metrics.tokensOutput")
        #expect(
            commit(CommitRequest(actual: one, metrics: CyclesMetrics(latency: .nanoseconds(-1)))) == "metrics.latency"
        )
        #expect(
            commit(CommitRequest(actual: one, metrics: CyclesMetrics(modelVersion: repeated(129))))
                == "metrics.modelVersion"
        )
        for id in ["", ".", "..", repeated(129)] {
            #expect(commit(CommitRequest(actual: one), ReservationID(id)) == "reservationID")
        }
        #expect(
            issue { () throws(CyclesError) in
                _ = try Operation.releaseReservation("r", ReleaseRequest(reason: repeated(257)))
            }?.field == "reason"
        )
        for span in [Duration.microseconds(999), .zero, .milliseconds(86_400_001)] {
            #expect(
                issue { () throws(CyclesError) in
                    _ = try Operation.extendReservation("r", ExtendRequest(by: span))
                }?.field == "by"
            )
        }
        #expect(
            issue { () throws(CyclesError) in
                _ = try Operation.createEvent(
                    EventCreateRequest(action: action, actual: one, clientTimeMilliseconds: -1),
                    defaults
                )
            }?.field == "clientTimeMilliseconds"
        )
        func list(_ query: ReservationQuery) -> String? {
            issue { () throws(CyclesError) in _ = try Operation.listReservations(query, defaults) }?.field
        }
        #expect(list(ReservationQuery(limit: 0)) == "limit")
        #expect(list(ReservationQuery(limit: 201)) == "limit")
        #expect(list(ReservationQuery(fromMilliseconds: 2, toMilliseconds: 1)) == "from")
        #expect(list(ReservationQuery(expiresToMilliseconds: .max)) == "expires_to")
        #expect(list(ReservationQuery(idempotencyKey: "")) == "idempotencyKey")
    }

    @Test func theAdminKeyNeedsATenantToList() {
        var configuration = CyclesConfiguration(baseURL: "http://localhost", apiKey: "key-1")
        configuration.adminAPIKey = "admin-1"
        let defaults = RequestDefaults(configuration)
        #expect(
            issue { () throws(CyclesError) in
                _ = try Operation.listReservations(ReservationQuery(agent: "x"), defaults)
            }?.field == "tenant"
        )
    }
}
