import Cycles

/// The answer of the authority to a call of a tool, with the hint for the model.
struct ToolAnswer {
    var members: [String: JSONValue]
    /// The reservation that the call has obtained; nil if there is none.
    private(set) var obtained: ReservationID?
    private var hints: [String] = []
    /// The error that takes the place of the answer; nil if there is none.
    private(set) var refusal: ToolResult?

    init(_ members: [String: JSONValue]) { self.members = members }

    init(refusal: ToolResult) {
        members = [:]
        self.refusal = refusal
    }

    /// Creates an answer of the body of a server's answer.
    init(_ body: [UInt8]) {
        // The client has decoded the body before.
        members = (try? JSONValue(parsing: body)).map(ToolResult.camelCased)?.object ?? [:]
    }

    /// Creates the answer that describes a reservation.
    init(granted reservation: borrowing ReservationGuard, _ estimate: Amount) {
        let id = reservation.reservationID
        let caps = reservation.caps
        members = [
            "decision": .string(reservation.decision.rawValue), "reservationId": .string(id.rawValue),
            "reserved": estimate.json, "expiresAtMs": .whole(reservation.expiresAtMilliseconds),
            "affectedScopes": .array(reservation.affectedScopes.map(JSONValue.string)),
        ]
        members["caps"] = caps?.json
        obtained = id
        add(reservation.balances)
        add(capsOf: caps)
        add(
            "\(estimate) are held as \(id). After the action, call cycles_commit with the actual cost; if the action does "
                + "not take place, call cycles_release."
        )
    }

    init(_ response: CommitResponse, actual: Amount) {
        members = ["status": .string(response.status.rawValue), "charged": response.charged.json]
        members["released"] = response.released?.json
        add(response.balances)
        if response.charged != actual {
            add("\(response.charged) of \(actual) are charged: the budget did not cover the rest.")
        }
    }

    init(_ response: EventCreateResponse, actual: Amount) {
        let charged = response.charged ?? actual
        members = [
            "status": .string(response.status.rawValue), "eventId": .string(response.eventID.rawValue),
            "charged": charged.json,
        ]
        add(response.balances)
        if charged != actual { add("\(charged) of \(actual) are charged: the budget did not cover the rest.") }
    }

    /// Creates the answer of a charge that the client settles.
    init(_ settlement: Settlement, actual: Amount) {
        switch settlement.outcome {
        case .committed(let response): self.init(response, actual: actual)
        case .recorded(let response): self.init(response, actual: actual)
        default:
            self.init([:])
            add(unfinished: settlement.outcome)
        }
    }

    /// Creates the answer of a release that the client performs.
    init(_ settlement: Settlement, releasing held: Amount) {
        if settlement.outcome == .released {
            self.init(["status": "RELEASED", "released": held.json])
        } else {
            self.init([:])
            add(unfinished: settlement.outcome)
        }
    }

    private mutating func add(unfinished outcome: Settlement.Outcome) {
        switch outcome {
        case .queued(let isDurable):
            members["status"] = "QUEUED"
            members["isDurable"] = .bool(isDurable)
            add("The server has not confirmed it yet. It is sent again until the server does: do not repeat the call.")
            if !isDurable { add("It is not on disk, and is lost if this server ends before.") }
        case .released:
            members["status"] = "RELEASED"
            add("The hold was released before; nothing is charged.")
        default:
            members["status"] = "ALREADY_SETTLED"
            add("The reservation was committed before; nothing is charged now.")
        }
    }

    // MARK: Hints

    mutating func add(_ hint: String) { hints.append(hint) }

    mutating func add(capsOf caps: Caps?) {
        guard let caps else { return }
        let limits = [
            caps.maxTokens.map { "use at most \($0) tokens" },
            caps.maxStepsRemaining.map { "take at most \($0) more steps" },
            caps.toolAllowlist.flatMap { $0.isEmpty ? nil : "use only the tools \($0.joined(separator: ", "))" },
            caps.toolDenylist.flatMap { $0.isEmpty ? nil : "do not use the tools \($0.joined(separator: ", "))" },
            caps.cooldown.map { "wait \(Instants.milliseconds($0)) ms before the next action" },
        ].compactMap { $0 }
        if !limits.isEmpty { add("The permission has caps: \(limits.joined(separator: "; ")).") }
    }

    /// Adds the members and the hint of a denial: what remains, what would fit, and when to ask again.
    /// - Parameter balance: The balance with the least remaining budget; nil if it is not known.
    mutating func add(_ denial: Denial, _ amount: Amount, _ balance: Balance?) {
        members["reasonCode"] = .string(denial.reason.rawValue)
        members["message"] = denial.message.map(JSONValue.string) ?? members["message"]
        members["retryAfterMs"] = denial.retryAfter.map { .whole(Instants.milliseconds($0)) } ?? members["retryAfterMs"]
        if members["affectedScopes"] == nil {
            members["affectedScopes"] = .array(denial.affectedScopes.map(JSONValue.string))
        }
        add("\(denial).")
        let remaining = denial.budgetRemaining ?? balance?.remaining.amount
        if let remaining {
            members["remaining"] = SignedAmount(remaining, amount.unit).json
            let scope = (denial.blockedByScope ?? balance?.scopePath).map { " on \($0)" } ?? ""
            add("\(remaining) \(amount.unit) remain\(scope).")
            if remaining > 0, remaining < amount.amount { add("At most \(remaining) \(amount.unit) would fit.") }
        }
        if let wait = denial.retryAfter {
            add("Ask again in \(Instants.milliseconds(wait)) ms.")
        } else if let reserved = balance?.reserved, reserved.amount > 0 {
            add("Ask again when some of the \(reserved) that are held there are settled.")
        } else if remaining != nil {
            add("Ask again for this amount only after the budget is funded.")
        }
    }

    /// The denial in a decision.
    static func denial(_ response: DecisionResponse) -> Denial {
        denial(response.reasonCode, response.denyDetail, response.retryAfter, response.affectedScopes)
    }

    /// The denial in the answer to a dry run.
    static func denial(_ response: ReservationCreateResponse) -> Denial {
        denial(response.reasonCode, response.denyDetail, response.retryAfter, response.affectedScopes)
    }

    private static func denial(
        _ reason: ReasonCode?,
        _ detail: DenyDetail?,
        _ retryAfter: Duration?,
        _ scopes: [String]
    ) -> Denial {
        var denial = Denial(operation: "", reason: reason ?? ReasonCode(rawValue: "DENY"), status: 200)
        denial.affectedScopes = scopes
        denial.retryAfter = retryAfter
        denial.suggestedFix = detail?.suggestedFix
        denial.blockedByScope = detail?.blockedByScope
        denial.budgetRemaining = detail?.budgetRemaining
        return denial
    }

    /// A sentence for scopes with less than 15 % of their budget; nil if there are none.
    private var lowBudget: String? {
        let low = (members["balances"]?.array ?? []).compactMap { balance -> String? in
            guard let remaining = balance["remaining"]?["amount"]?.int64,
                let allocated = balance["allocated"]?["amount"]?.int64, allocated > 0,
                Double(remaining) < Double(allocated) * 0.15
            else { return nil }
            let share = max(0, Int(Double(remaining) / Double(allocated) * 100))
            let unit = balance["remaining"]?["unit"]?.string ?? ""
            return "\(share) % (\(remaining) \(unit)) of \(balance["scopePath"]?.string ?? "")"
        }
        guard !low.isEmpty else { return nil }
        return "Little budget is left: \(low.prefix(5).joined(separator: ", ")). Prefer cheaper or fewer actions."
    }

    // MARK: Result

    var value: JSONValue { .object(members) }

    var result: ToolResult {
        let sentences = hints + (lowBudget.map { [$0] } ?? [])
        return ToolResult(members, hint: sentences.isEmpty ? nil : sentences.joined(separator: " "))
    }

    private mutating func add(_ balances: [Balance]) {
        if !balances.isEmpty { members["balances"] = .array(balances.map(\.json)) }
    }
}

extension Amount {
    fileprivate var json: JSONValue { SignedAmount(amount, unit).json }
}

extension SignedAmount {
    fileprivate var json: JSONValue { ["unit": .string(unit.rawValue), "amount": .whole(amount)] }
}

extension Caps {
    fileprivate var json: JSONValue {
        var members: [String: JSONValue] = [:]
        members["maxTokens"] = maxTokens.map(JSONValue.whole)
        members["maxStepsRemaining"] = maxStepsRemaining.map(JSONValue.whole)
        members["toolAllowlist"] = toolAllowlist.map { .array($0.map(JSONValue.string)) }
        members["toolDenylist"] = toolDenylist.map { .array($0.map(JSONValue.string)) }
        members["cooldownMs"] = cooldown.map { .whole(Instants.milliseconds($0)) }
        return .object(members)
    }
}

extension Balance {
    fileprivate var json: JSONValue {
        var members: [String: JSONValue] = [
            "scope": .string(scope), "scopePath": .string(scopePath), "remaining": remaining.json,
            "isOverLimit": .bool(isOverLimit),
        ]
        members["reserved"] = reserved?.json
        members["spent"] = spent?.json
        members["allocated"] = allocated?.json
        members["debt"] = debt?.json
        members["overdraftLimit"] = overdraftLimit?.json
        return .object(members)
    }
}
