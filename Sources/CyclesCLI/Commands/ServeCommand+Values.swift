import Cycles
import CyclesTesting

/// The values of the options of `cycles serve`.
extension ServeCommand {
    struct Budget: Sendable {
        var scope: String
        var allocated: Amount
        var overdraftLimit: Int64 = 0
        var caps: Caps?
        var status = LocalAuthority.BudgetStatus.active
    }

    struct Key: Sendable {
        /// The tenant; nil for the tenant of the first budget.
        var tenant: String?
        var key: String
    }

    struct Failure: Sendable {
        var code: ErrorCode
        var retryAfter: Duration?
    }

    static func parseBudget(_ text: String) throws(InvalidValue) -> Budget {
        var parts = text.split(separator: ",", omittingEmptySubsequences: false)[...]
        guard let pair = parts.popFirst()?.split(separator: "=", omittingEmptySubsequences: false), pair.count == 2
        else {
            throw InvalidValue(expectation: "a scope and an amount, such as tenant:acme=1000000:TOKENS")
        }
        let scope = String(pair[0])
        guard LocalAuthority.isValidScope(scope) else {
            throw InvalidValue(
                expectation:
                    "for a scope of levels in the order tenant, workspace, app, workflow, agent, toolset, such as tenant:acme/agent:bot"
            )
        }
        var budget = Budget(scope: scope, allocated: try part("amount", String(pair[1]), Values.amount))
        for text in parts {
            let pair = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let (name, value) = (pair[0], pair.count == 2 ? pair[1] : "")
            switch name {
            case "overdraft": budget.overdraftLimit = try overdraft(value, budget.allocated.unit)
            case "max-tokens": budget.caps = Caps(maxTokens: Int64(try part(name, value, Values.whole())))
            case "status": budget.status = try part(name, value, status)
            default: throw InvalidValue(expectation: "followed by overdraft=, max-tokens= or status= only")
            }
        }
        return budget
    }

    /// Parses an overdraft limit: a number, or an amount of the budget's unit.
    private static func overdraft(_ text: String, _ unit: BudgetUnit) throws(InvalidValue) -> Int64 {
        if let amount = try? Values.amount(text), amount.unit == unit { return amount.amount }
        return Int64(try part("overdraft", text, Values.whole()))
    }

    private static let status = Values.word([
        "frozen": LocalAuthority.BudgetStatus.frozen, "closed": .closed, "active": .active,
    ])

    /// Parses a part of a text. Errors name the part.
    private static func part<Value>(
        _ name: String,
        _ text: String,
        _ parse: (String) throws(InvalidValue) -> Value
    ) throws(InvalidValue) -> Value {
        do throws(InvalidValue) {
            return try parse(text)
        } catch {
            throw InvalidValue(expectation: error.expectation, part: name)
        }
    }

    static func parseTenant(_ text: String) throws(InvalidValue) -> String {
        guard LocalAuthority.isValidScope("tenant:" + text) else {
            throw InvalidValue(expectation: "a tenant of letters, digits, _, . and -")
        }
        return text
    }

    /// Parses `TENANT=KEY` or `KEY`. The text before `=` is a tenant if it is a valid name and a key follows. Keys may
    /// contain `=` too, usually at the end.
    static func parseKey(_ text: String) throws(InvalidValue) -> Key {
        guard !text.isEmpty else {
            throw InvalidValue(expectation: "a key, or a tenant and a key, such as acme=dev-key")
        }
        let pair = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard pair.count == 2, pair[1].contains(where: { $0 != "=" }), LocalAuthority.isValidScope("tenant:" + pair[0])
        else { return Key(tenant: nil, key: text) }
        return Key(tenant: pair[0], key: pair[1])
    }

    static func parseFailure(_ text: String) throws(InvalidValue) -> Failure {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let code = ErrorCode(rawValue: parts[0].uppercased())
        if case .unrecognized = code {
            throw InvalidValue(
                expectation: "an error code of the protocol, such as INTERNAL_ERROR or LIMIT_EXCEEDED:2s"
            )
        }
        return Failure(code: code, retryAfter: parts.count == 2 ? try Values.duration(parts[1]) : nil)
    }
}
