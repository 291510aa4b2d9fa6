import Cycles

/// The tools that a client of the server may use, and the amounts that it may ask for.
struct Permissions: Sendable {
    /// The tools that are listed, in the order of the list. Other tools are unknown.
    var tools = BudgetTool.allCases
    /// The largest amounts of one call, at most one for each unit; empty for no limit.
    var largest: [Amount] = []

    func allows(_ tool: BudgetTool) -> Bool { tools.contains(tool) }

    /// The refusal of a call that asks for too much; nil if the call is permitted.
    ///
    /// A commit has no limit: its spend was permitted by the reservation, and has happened.
    /// - Parameter arguments: The checked arguments of the call.
    func refusal(_ tool: BudgetTool, _ arguments: JSONValue) -> ToolResult? {
        guard !largest.isEmpty, tool != .commit, let amount = Amount(arguments["estimate"] ?? arguments["actual"])
        else { return nil }
        let limit = largest.first { $0.unit == amount.unit }
        if let limit, amount.amount <= limit.amount { return nil }
        let reason =
            limit.map { "the limit of one call is \($0)" }
            ?? "this server permits amounts in \(largest.map(\.unit.rawValue).joined(separator: ", ")) only"
        return ToolResult(
            refusal: "Nothing was sent: \(amount) is refused, since \(reason) (--max-estimate)",
            code: "ESTIMATE_TOO_LARGE"
        )
    }
}
