import Cycles

/// The prompts of the server: requests that a user can start with.
enum BudgetPrompt: String, CaseIterable {
    case integrate = "integrate_cycles"
    case diagnose = "diagnose_overrun"
    case plan = "design_budget_strategy"

    /// The result of `prompts/list`, as JSON text without braces.
    static var list: String { "\"prompts\":[\(allCases.map(\.definition).joined(separator: ","))]" }

    /// The result of `prompts/get`, as JSON text without braces.
    static func messages(_ parameters: [String: JSONValue]) throws(JSONRPC.Failure) -> String {
        let name = parameters["name"]?.string ?? ""
        guard let prompt = BudgetPrompt(rawValue: name) else {
            throw JSONRPC.Failure(.invalidParameters, "There is no prompt \(name)")
        }
        let arguments = parameters["arguments"] ?? [:]
        if prompt == .plan, arguments["description"]?.string == nil {
            throw JSONRPC.Failure(.invalidParameters, "The argument description of \(name) is missing")
        }
        let message: JSONValue = [
            "role": "user", "content": ["type": "text", "text": .string(prompt.text { arguments[$0]?.string })],
        ]
        return "\"description\":\"\(prompt.title)\",\"messages\":[\(message.text)]"
    }

    private var title: String {
        switch self {
        case .integrate: "Add budget checks to a program"
        case .diagnose: "Find out why a budget is used up"
        case .plan: "Plan the budgets of a system"
        }
    }

    private var definition: String {
        let arguments =
            switch self {
            case .integrate:
                #"{"name":"language","description":"The programming language"},{"name":"use_case","description":"The actions that cost money"}"#
            case .diagnose:
                #"{"name":"reservation_id","description":"A reservation to look at"},{"name":"scope","description":"The tenant whose budget is used up"}"#
            case .plan:
                #"{"name":"description","description":"The system and its actions that cost money","required":true},{"name":"tenant_model","description":"The meaning of a tenant, such as a customer or a team"}"#
            }
        return
            "{\"name\":\"\(rawValue)\",\"title\":\"\(title)\",\"description\":\"\(title)\",\"arguments\":[\(arguments)]}"
    }

    private func text(_ argument: (String) -> String?) -> String {
        switch self {
        case .integrate:
            """
            Add budget checks to a program in \(argument("language") ?? "the language of this project"). \
            Actions that cost money: \(argument("use_case") ?? "calls of models and of paid tools").

            Put the check into the code that starts the action. A model that is only asked to check can forget it.

            1. Before the action, reserve the expected cost. Start the action only if the decision is ALLOW or \
            ALLOW_WITH_CAPS, and keep to the caps.
            2. While the action runs, extend the reservation before it expires. Most clients of the protocol do so.
            3. After the action, commit the actual cost, also if the action failed but cost something.
            4. If the action did not take place, release the reservation.
            5. Use one idempotency key for each reservation and each commit, and the same key for repetitions.
            6. Handle a denial: use a cheaper way, ask for less, or stop and say why.
            7. Commits must not be lost: keep those that fail on disk, and send them again later.

            Use the client of the protocol for the language, if there is one. Show the changed code and a test of the \
            denial.
            """
        case .diagnose:
            """
            Find out why a budget is used up or an action was denied.

            1. Call cycles_check_balance\(argument("scope").map { " with tenant \"\($0)\"" } ?? ""). Compare \
            allocated, spent, reserved and remaining of each scope. The scope with the least remaining budget decides.
            2. \(argument("reservation_id").map { "Call cycles_get_reservation with reservationId \"\($0)\"." }
                ?? "Call cycles_list_reservations with status ACTIVE.") Look for old reservations that hold much budget.
            3. Call cycles_list_reservations with status COMMITTED, and compare reserved with committed. Estimates that \
            are far too high hold budget that others need. Estimates that are too low lead to debt.
            4. Look for debt and isOverLimit: an operator has to fund such a scope.

            Then say which scope is the cause, what used its budget, and what to do: release holds that nobody needs, \
            correct estimates, fund the budget, or raise it. Release nothing without permission.
            """
        case .plan:
            """
            Plan the budgets of this system: \(argument("description") ?? "")
            \(argument("tenant_model").map { "A tenant is \($0).\n" } ?? "")
            Decide, with reasons:

            1. Scopes: which of tenant, workspace, app, workflow, agent and toolset are used, and for what.
            2. Units: USD_MICROCENTS for money (100000000 are 1 USD), TOKENS for one model, CREDITS or RISK_POINTS for \
            measures of your own. A reservation is charged in one unit.
            3. Amounts: the budget of each scope, from the number of actions and their cost. A scope can spend only what \
            remains in each scope above it.
            4. Estimates: how the cost of an action is estimated before it starts, and how it is measured afterwards.
            5. Overage: REJECT, ALLOW_IF_AVAILABLE or ALLOW_WITH_OVERDRAFT for actions that cost more than their estimate.
            6. Time: the time to live of holds, and the time in which a late commit is accepted.
            7. Denials: what the system does if budget is short: cheaper models, fewer steps, or an end with a message.

            End with a table of scopes, units and amounts.
            """
        }
    }
}
