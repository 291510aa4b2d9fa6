import Cycles

/// Selects the balances of a query (specification: getBalances).
///
/// A scope matches if it has all values of the query and its deepest level is the deepest level of the query. With
/// `include_children`, or by the rules of deployed servers, descendants of the scope match too.
struct BalanceFilter: Sendable {
    private let tenant: String
    private let levels: [(level: ScopeLevel, value: String)]
    private let includesChildren: Bool

    init(_ query: RequestQuery, tenant: String, rules: ServerRules) throws(Refusal) {
        self.tenant = rules.canonical(tenant)
        levels = query.levels(ScopeLevel.allCases, rules)
        guard !levels.isEmpty else {
            throw .invalid("At least one of tenant, workspace, app, workflow, agent and toolset is required")
        }
        switch query["include_children"] {
        case nil, "false": includesChildren = rules.alwaysListsDescendants
        case "true": includesChildren = true
        default: throw .invalid("include_children must be true or false")
        }
    }

    private func matches(_ key: BudgetKey) -> Bool {
        guard let scope = ScopePath(parsing: key.scope), scope.value(of: .tenant) == tenant else { return false }
        return levels.allSatisfy { scope.value(of: $0.level) == $0.value }
            && (includesChildren || scope.segments.last?.level == levels.last?.level)
    }

    /// Returns one page of the matching balances.
    func page(of ledger: Ledger, query: RequestQuery) throws(Refusal) -> JSONValue {
        let list: JSONValue = ["list": "balances"]
        let cursor = try PageCursor(query, of: list)
        let page = Page(
            ledger.budgets.keys.filter(matches).sorted(),
            list: list,
            limit: try query.limit(),
            after: cursor,
            keys: { [.text($0.scope), .text($0.unit.rawValue)] },
            isOrdered: { $0.lexicographicallyPrecedes($1) }
        )
        return page.json("balances") { key in ledger.row(key) ?? nil }
    }
}
