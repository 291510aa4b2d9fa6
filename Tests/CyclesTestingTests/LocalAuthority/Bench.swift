import Cycles
import CyclesTesting
import Testing

/// An answer, taken apart.
struct Reply {
    let status: Int
    let headers: HTTPHeaders
    let json: JSONValue
    let bytes: [UInt8]

    var error: String? { json["error"]?.string }
    var ids: [String] { json["reservations"]?.array?.compactMap { $0["reservation_id"]?.string } ?? [] }
    /// The whole paths of the balances.
    var scopes: [String] { json["balances"]?.array?.compactMap { $0["scope_path"]?.string } ?? [] }
}

typealias Behavior = LocalAuthority.Options.Behavior

/// An authority with one tenant, `acme`, in virtual time, and short ways to talk to it.
struct Bench {
    let clock: ManualClock
    let authority: LocalAuthority
    var key = "acme-key"
    var base = "http://authority.test"

    init(options: LocalAuthority.Options = .init(), budget: Int64? = 1_000) {
        clock = ManualClock()
        authority = LocalAuthority(options: options, clock: clock)
        authority.addAPIKey("acme-key", tenant: "acme")
        if let budget { authority.setBudget(scope: "tenant:acme", allocated: .tokens(budget)) }
    }

    init(_ behavior: Behavior, budget: Int64? = 1_000) {
        self.init(options: .init(behavior: behavior), budget: budget)
    }

    init(restoring bytes: [UInt8], options: LocalAuthority.Options = .init(), clock: ManualClock) throws {
        self.clock = clock
        authority = try LocalAuthority(restoring: bytes, options: options, clock: clock)
    }

    func with(key: String) -> Bench {
        var copy = self
        copy.key = key
        return copy
    }

    // MARK: Sending

    func send(_ method: HTTPMethod, _ path: String, headers: HTTPHeaders = [:], bytes: [UInt8] = []) throws -> Reply {
        var fields = headers
        if fields["X-Cycles-API-Key"] == nil, fields["X-Admin-API-Key"] == nil { fields["X-Cycles-API-Key"] = key }
        let transport: any BlockingHTTPTransport = authority
        let response = try transport.send(
            HTTPRequest(method: method, url: base + path, headers: fields, body: bytes)
        )
        let json = try JSONValue(parsing: response.body)
        return Reply(status: response.status, headers: response.headers, json: json, bytes: response.body)
    }

    func post(_ path: String, _ body: JSONValue, headers: HTTPHeaders = [:]) throws -> Reply {
        try send(.post, path, headers: headers, bytes: body.encoded)
    }

    func get(_ path: String, headers: HTTPHeaders = [:]) throws -> Reply { try send(.get, path, headers: headers) }

    // MARK: Operations

    static func reserveBody(
        key: String,
        _ amount: Int64,
        unit: String = "TOKENS",
        subject: JSONValue = ["tenant": "acme"],
        extra: [String: JSONValue] = [:]
    ) -> JSONValue {
        let body: [String: JSONValue] = [
            "idempotency_key": .string(key), "subject": subject, "action": ["kind": "llm.completion", "name": "model"],
            "estimate": ["unit": .string(unit), "amount": .number(JSONNumber(amount))],
        ]
        return .object(body.merging(extra) { $1 })
    }

    func reserve(
        _ key: String,
        _ amount: Int64,
        unit: String = "TOKENS",
        subject: JSONValue = ["tenant": "acme"],
        extra: [String: JSONValue] = [:]
    ) throws -> Reply {
        try post("/v1/reservations", Bench.reserveBody(key: key, amount, unit: unit, subject: subject, extra: extra))
    }

    /// Reserves what has to be granted; returns the id.
    func hold(
        _ key: String,
        _ amount: Int64,
        subject: JSONValue = ["tenant": "acme"],
        extra: [String: JSONValue] = [:]
    ) throws -> String {
        let reply = try reserve(key, amount, subject: subject, extra: extra)
        try #require(reply.status == 200, "\(reply.json)")
        return try #require(reply.json["reservation_id"]?.string)
    }

    func decide(_ key: String, _ amount: Int64, subject: JSONValue = ["tenant": "acme"]) throws -> Reply {
        try post("/v1/decide", Bench.reserveBody(key: key, amount, subject: subject))
    }

    func commit(_ id: String, _ key: String, _ amount: Int64, unit: String = "TOKENS") throws -> Reply {
        let actual: JSONValue = ["unit": .string(unit), "amount": .number(JSONNumber(amount))]
        return try post("/v1/reservations/\(id)/commit", ["idempotency_key": .string(key), "actual": actual])
    }

    func release(_ id: String, _ key: String, headers: HTTPHeaders = [:]) throws -> Reply {
        try post("/v1/reservations/\(id)/release", ["idempotency_key": .string(key)], headers: headers)
    }

    func extend(_ id: String, _ key: String, _ milliseconds: Int64) throws -> Reply {
        let body: JSONValue = ["idempotency_key": .string(key), "extend_by_ms": .number(JSONNumber(milliseconds))]
        return try post("/v1/reservations/\(id)/extend", body)
    }

    func event(
        _ key: String,
        _ amount: Int64,
        unit: String = "TOKENS",
        subject: JSONValue = ["tenant": "acme"],
        policy: String? = nil
    ) throws -> Reply {
        var body: [String: JSONValue] = [
            "idempotency_key": .string(key), "subject": subject, "action": ["kind": "llm.completion", "name": "model"],
            "actual": ["unit": .string(unit), "amount": .number(JSONNumber(amount))],
        ]
        body["overage_policy"] = policy.map(JSONValue.string)
        return try post("/v1/events", .object(body))
    }

    func balance(_ scope: String = "tenant:acme", _ unit: BudgetUnit = .tokens) throws -> Balance {
        try #require(authority.balances().first { $0.scopePath == scope && $0.remaining.unit == unit })
    }

    /// Remaining, reserved, spent and debt.
    func figures(_ scope: String = "tenant:acme") throws -> [Int64] {
        let balance = try balance(scope)
        return [balance.remaining.amount] + [balance.reserved, balance.spent, balance.debt].map { $0?.amount ?? 0 }
    }
}

extension JSONValue {
    var amount: Int64? { self["amount"]?.int64 }
}
