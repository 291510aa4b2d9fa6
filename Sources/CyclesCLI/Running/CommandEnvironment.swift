import Cycles

/// What a command under `run` finds in its environment.
enum CommandEnvironment {
    /// Names that only this reservation may give a meaning to: those of one around it must not be taken for it.
    private static let names = [
        "CYCLES_RESERVATION_ID", "CYCLES_DECISION", "CYCLES_ESTIMATE", "CYCLES_UNIT", "CYCLES_MAX_TOKENS",
        "CYCLES_MAX_STEPS_REMAINING", "CYCLES_TOOL_ALLOWLIST", "CYCLES_TOOL_DENYLIST", "CYCLES_COOLDOWN_MS",
        "CYCLES_USAGE_FILE", "CYCLES_USAGE_FD",
    ]

    /// - Parameter inherited: The environment of the tool, as the bytes of `NAME=value`.
    static func variables(
        _ reservation: ReservationID,
        _ decision: Decision,
        _ caps: Caps?,
        estimate: Amount,
        usageFile: String,
        usageDescriptor: Int32,
        inherited: [[UInt8]]
    ) -> [[UInt8]] {
        let values: [(String, String?)] = [
            ("CYCLES_RESERVATION_ID", reservation.rawValue), ("CYCLES_DECISION", decision.rawValue),
            ("CYCLES_ESTIMATE", String(estimate.amount)), ("CYCLES_UNIT", estimate.unit.rawValue),
            ("CYCLES_MAX_TOKENS", caps?.maxTokens.map(String.init)),
            ("CYCLES_MAX_STEPS_REMAINING", caps?.maxStepsRemaining.map(String.init)),
            ("CYCLES_TOOL_ALLOWLIST", caps?.toolAllowlist?.joined(separator: ",")),
            ("CYCLES_TOOL_DENYLIST", caps?.toolDenylist?.joined(separator: ",")),
            ("CYCLES_COOLDOWN_MS", caps?.cooldown.map { String(milliseconds($0)) }),
            ("CYCLES_USAGE_FILE", usageFile), ("CYCLES_USAGE_FD", String(usageDescriptor)),
        ]
        let kept = inherited.filter { variable in !names.contains { variable.starts(with: ($0 + "=").utf8) } }
        return kept + values.compactMap { name, value in value.map { Array("\(name)=\($0)".utf8) } }
    }

    private static func milliseconds(_ span: Duration) -> Int64 {
        span.components.seconds * 1_000 + span.components.attoseconds / 1_000_000_000_000_000
    }
}
