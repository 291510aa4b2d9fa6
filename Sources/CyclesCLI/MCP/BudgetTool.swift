import Cycles

/// The tools of the server. Names and arguments are those of the other Cycles servers for the Model Context Protocol, so
/// that instructions for agents apply to both.
enum BudgetTool: String, CaseIterable {
    case reserve = "cycles_reserve"
    case commit = "cycles_commit"
    case release = "cycles_release"
    case extend = "cycles_extend"
    case decide = "cycles_decide"
    case checkBalance = "cycles_check_balance"
    case listReservations = "cycles_list_reservations"
    case getReservation = "cycles_get_reservation"
    case createEvent = "cycles_create_event"

    /// Whether the tool changes neither budgets nor reservations.
    var isReadOnly: Bool {
        switch self {
        case .decide, .checkBalance, .listReservations, .getReservation: true
        case .reserve, .commit, .release, .extend, .createEvent: false
        }
    }

    /// The entry in the list of tools, as JSON.
    var definition: String {
        let (title, description) = texts
        return """
            {"name":"\(rawValue)","title":"\(title)","description":"\(description)",\
            "annotations":{"title":"\(title)","readOnlyHint":\(isReadOnly),"destructiveHint":false,\
            "idempotentHint":true,"openWorldHint":false},\
            "inputSchema":\(BudgetSchemas.input(self)),"outputSchema":\(BudgetSchemas.output(self))}
            """
    }

    /// The title and the description, which need no escapes in JSON.
    private var texts: (title: String, description: String) {
        switch self {
        case .reserve:
            (
                "Reserve budget",
                "Holds budget before an action that costs money, such as a call of a model or an API. Do not start the action if the decision is DENY; keep to the caps if it is ALLOW_WITH_CAPS. The hold is extended until it is settled: call cycles_commit with the actual cost, or cycles_release if the action did not take place. The end of the session releases it."
            )
        case .commit:
            (
                "Commit spend",
                "Charges the actual cost of an action to its reservation, and frees the rest of the hold. Call it after the action, also if the action failed but cost something. The charge is retried until the server has it."
            )
        case .release:
            (
                "Release a hold",
                "Frees the whole hold of a reservation whose action did not take place and cost nothing."
            )
        case .extend:
            (
                "Extend a hold",
                "Extends a reservation that another program holds. Reservations made in this session are extended automatically."
            )
        case .decide:
            (
                "Ask without holding budget",
                "Tells whether an action would be allowed now, without holding budget. Other agents may use the budget in the meantime: call cycles_reserve before the action."
            )
        case .checkBalance:
            (
                "Check balances",
                "Shows the allocated, spent, held and remaining budget of scopes. Without a filter, the configured tenant is used. A balance is not permission: call cycles_reserve before an action."
            )
        case .listReservations:
            (
                "List reservations",
                "Lists reservations by status, subject or idempotency key, for example to find holds that nobody settles."
            )
        case .getReservation: ("Look up a reservation", "Shows one reservation: its status, amounts, times and scopes.")
        case .createEvent:
            (
                "Record spend",
                "Charges spend that had no reservation, for example of an action whose cost was not known before. The charge is retried until the server has it."
            )
        }
    }
}

/// The input and output schemas of the tools (JSON Schema 2020-12), as JSON text.
enum BudgetSchemas {
    static func input(_ tool: BudgetTool) -> String {
        switch tool {
        case .reserve:
            object(
                "action,estimate,idempotencyKey",
                """
                \(key),\(subject),\(action),"estimate":\(amount("The expected cost, or an upper bound")),\
                "ttlMs":{"type":"integer","minimum":1000,"maximum":86400000,"description":"The time to live of the hold in milliseconds, which is extended until the hold is settled; 60000 by default"},\
                "gracePeriodMs":{"type":"integer","minimum":0,"maximum":60000,"description":"The time after expiry in which a commit is still accepted, in milliseconds"},\
                \(overage),"dryRun":{"type":"boolean","description":"Evaluate the request without holding budget"},\(metadata)
                """
            )
        case .commit:
            object(
                "actual,idempotencyKey,reservationId",
                "\(reservation),\(key),\"actual\":\(amount("The actual cost, in the unit of the estimate")),\(metrics),\(metadata)"
            )
        case .release:
            object(
                "idempotencyKey,reservationId",
                "\(reservation),\(key),\"reason\":{\"type\":\"string\",\"maxLength\":256,\"description\":\"The reason, for the server's records\"}"
            )
        case .extend:
            object(
                "extendByMs,idempotencyKey,reservationId",
                "\(reservation),\(key),\"extendByMs\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":86400000,\"description\":\"The time to add to the present expiry, in milliseconds\"},\(metadata)"
            )
        case .decide:
            object(
                "action,estimate,idempotencyKey",
                "\(key),\(subject),\(action),\"estimate\":\(amount("The expected cost")),\(metadata)"
            )
        case .checkBalance:
            object(
                "",
                "\(levels),\"includeChildren\":{\"type\":\"boolean\",\"description\":\"Include the scopes below\"},\(page)"
            )
        case .listReservations:
            object(
                "",
                """
                "status":{"type":"string","enum":["ACTIVE","COMMITTED","RELEASED","EXPIRED"]},\
                "idempotencyKey":{"type":"string","minLength":1,"maxLength":256},\(levels),\(page)
                """
            )
        case .getReservation: object("reservationId", reservation)
        case .createEvent:
            object(
                "action,actual,idempotencyKey",
                """
                \(key),\(subject),\(action),"actual":\(amount("The actual cost")),\(overage),\(metrics),\
                "clientTimeMs":{"type":"integer","minimum":0,"description":"The time of the action, in milliseconds since 1970"},\(metadata)
                """
            )
        }
    }

    static func output(_ tool: BudgetTool) -> String {
        switch tool {
        case .reserve:
            result(
                "affectedScopes,decision",
                "\(decision),\"reservationId\":\(text),\"reserved\":\(anyAmount),\"expiresAtMs\":\(whole),\"scopePath\":\(text),\(balances)"
            )
        case .commit:
            result(
                "status",
                "\"status\":\(text),\"charged\":\(anyAmount),\"released\":\(anyAmount),\"eventId\":\(text),\"isDurable\":{\"type\":\"boolean\"},\(balances)"
            )
        case .release:
            result(
                "status",
                "\"status\":\(text),\"released\":\(anyAmount),\"isDurable\":{\"type\":\"boolean\"},\(balances)"
            )
        case .extend:
            result(
                "expiresAtMs,status",
                "\"status\":\(text),\"expiresAtMs\":\(whole),\"remainingTtlMs\":\(whole),\(balances)"
            )
        case .decide: result("decision", decision)
        case .checkBalance: result("balances", "\(balances),\(more)")
        case .listReservations:
            result(
                "reservations",
                "\"reservations\":{\"type\":\"array\",\"items\":\(open(detailRequired, detail))},\(more)"
            )
        case .getReservation: result(detailRequired, detail)
        case .createEvent:
            result(
                "status",
                "\"status\":\(text),\"eventId\":\(text),\"charged\":\(anyAmount),\"isDurable\":{\"type\":\"boolean\"},\(denial),\(balances)"
            )
        }
    }

    // MARK: Parts of inputs

    private static let key =
        #""idempotencyKey":{"type":"string","minLength":1,"maxLength":256,"description":"A new text, such as a UUID, for each action; the same text to repeat a call, which then takes effect once"}"#
    private static let reservation =
        #""reservationId":{"type":"string","minLength":1,"maxLength":128}"#
    private static let subject =
        "\"subject\":{\"type\":\"object\",\"description\":\"The subject whose budgets are charged; missing levels are configured\",\"properties\":{\(levels),\"dimensions\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\",\"maxLength\":256}}},\"additionalProperties\":false}"
    private static let levels = ["tenant", "workspace", "app", "workflow", "agent", "toolset"].map {
        "\"\($0)\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":128}"
    }.joined(separator: ",")
    private static let action =
        #""action":{"type":"object","properties":{"kind":{"type":"string","minLength":1,"maxLength":64,"description":"Such as llm.completion or tool.search"},"name":{"type":"string","minLength":1,"maxLength":256,"description":"The model, tool or provider"},"tags":{"type":"array","maxItems":10,"items":{"type":"string","minLength":1,"maxLength":64}}},"required":["kind","name"],"additionalProperties":false}"#
    private static let overage =
        #""overagePolicy":{"type":"string","enum":["REJECT","ALLOW_IF_AVAILABLE","ALLOW_WITH_OVERDRAFT"]}"#
    private static let metadata = #""metadata":{"type":"object"}"#
    private static let metrics =
        #""metrics":{"type":"object","properties":{"tokensInput":{"type":"integer","minimum":0},"tokensOutput":{"type":"integer","minimum":0},"latencyMs":{"type":"integer","minimum":0},"modelVersion":{"type":"string","maxLength":128},"custom":{"type":"object"}},"additionalProperties":false}"#
    private static let page =
        #""limit":{"type":"integer","minimum":1,"maximum":200},"cursor":{"type":"string","minLength":1,"description":"nextCursor of the page before"}"#

    private static func amount(_ description: String) -> String {
        """
        {"type":"object","description":"\(description)","properties":{"unit":{"type":"string",\
        "enum":["USD_MICROCENTS","TOKENS","CREDITS","RISK_POINTS"],"description":"1 USD is 100000000 USD_MICROCENTS"},\
        "amount":{"type":"integer","minimum":0}},"required":["unit","amount"],"additionalProperties":false}
        """
    }

    /// The schema of arguments. No other members are allowed: a misspelled `dryRun` must not hold budget.
    private static func object(_ required: String, _ properties: String) -> String {
        "{\"type\":\"object\",\"properties\":{\(properties)},\(list(required)),\"additionalProperties\":false}"
    }

    // MARK: Parts of outputs

    private static let text = #"{"type":"string"}"#
    private static let whole = #"{"type":"integer"}"#
    private static let texts = #"{"type":"array","items":{"type":"string"}}"#
    private static let anyAmount =
        #"{"type":"object","properties":{"unit":{"type":"string"},"amount":{"type":"integer"}},"required":["unit","amount"]}"#
    private static let decision =
        "\"decision\":\(text),\"affectedScopes\":\(texts),\"caps\":{\"type\":\"object\",\"properties\":{\"maxTokens\":\(whole),\"maxStepsRemaining\":\(whole),\"toolAllowlist\":\(texts),\"toolDenylist\":\(texts),\"cooldownMs\":\(whole)}},\(denial)"
    private static let denial =
        "\"reasonCode\":\(text),\"message\":\(text),\"retryAfterMs\":\(whole),\"remaining\":\(anyAmount),\"denyDetail\":{\"type\":\"object\"}"
    private static let balances =
        "\"balances\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"scope\":\(text),\"scopePath\":\(text),"
        + ["remaining", "reserved", "spent", "allocated", "debt", "overdraftLimit"].map { "\"\($0)\":\(anyAmount)," }
        .joined() + "\"isOverLimit\":{\"type\":\"boolean\"}},\(list("scope,scopePath,remaining"))}}"
    private static let more = "\"hasMore\":{\"type\":\"boolean\"},\"nextCursor\":\(text)"
    private static let detailRequired =
        "reservationId,status,subject,action,reserved,createdAtMs,expiresAtMs,scopePath,affectedScopes"
    private static let detail =
        "\"reservationId\":\(text),\"status\":\(text),\"idempotencyKey\":\(text),\"subject\":{\"type\":\"object\"},\"action\":{\"type\":\"object\"},\"reserved\":\(anyAmount),\"committed\":\(anyAmount),\"createdAtMs\":\(whole),\"expiresAtMs\":\(whole),\"finalizedAtMs\":\(whole),\"scopePath\":\(text),\"affectedScopes\":\(texts),\"metadata\":{\"type\":\"object\"},\"committedMetadata\":{\"type\":\"object\"},\"evidence\":{\"type\":\"object\"}"

    /// The schema of a result. Members may be added later.
    private static func result(_ required: String, _ properties: String) -> String {
        open(required, "\(properties),\"hint\":\(text)")
    }

    private static func open(_ required: String, _ properties: String) -> String {
        "{\"type\":\"object\",\"properties\":{\(properties)},\(list(required))}"
    }

    private static func list(_ names: String) -> String {
        let quoted = names.split(separator: ",").map { "\"\($0)\"" }.joined(separator: ",")
        return "\"required\":[\(quoted)]"
    }
}
