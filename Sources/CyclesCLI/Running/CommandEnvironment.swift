import Cycles

/// The environment of a command under `run`.
enum CommandEnvironment {
    /// The variables of a reservation. They are not inherited, because they may belong to an outer reservation.
    private static let names = [
        "CYCLES_RESERVATION_ID", "CYCLES_DECISION", "CYCLES_ESTIMATE", "CYCLES_UNIT", "CYCLES_MAX_TOKENS",
        "CYCLES_MAX_STEPS_REMAINING", "CYCLES_TOOL_ALLOWLIST", "CYCLES_TOOL_DENYLIST", "CYCLES_COOLDOWN_MS",
        "CYCLES_USAGE_FILE", "CYCLES_USAGE_FD",
    ]

    /// The variables that contain an API key, or the path of one.
    static let keyNames = ["CYCLES_API_KEY", "CYCLES_API_KEY_FILE", "CYCLES_ADMIN_API_KEY"]

    /// - Parameters:
    ///   - inherited: The environment of the tool, as bytes of `NAME=value`.
    ///   - withholdsKeys: Whether to leave the API keys out.
    static func variables(
        _ reservation: ReservationID,
        _ decision: Decision,
        _ caps: Caps?,
        estimate: Amount,
        usageFile: String,
        usageDescriptor: Int32,
        inherited: [[UInt8]],
        withholdsKeys: Bool = false
    ) -> [[UInt8]] {
        let values: [(String, String?)] = [
            ("CYCLES_RESERVATION_ID", reservation.rawValue), ("CYCLES_DECISION", decision.rawValue),
            ("CYCLES_ESTIMATE", String(estimate.amount)), ("CYCLES_UNIT", estimate.unit.rawValue),
            ("CYCLES_MAX_TOKENS", caps?.maxTokens.map(String.init)),
            ("CYCLES_MAX_STEPS_REMAINING", caps?.maxStepsRemaining.map(String.init)),
            ("CYCLES_TOOL_ALLOWLIST", caps?.toolAllowlist.flatMap(list)),
            ("CYCLES_TOOL_DENYLIST", caps?.toolDenylist.flatMap(list)),
            ("CYCLES_COOLDOWN_MS", caps?.cooldown.map { String(Instants.milliseconds($0)) }),
            ("CYCLES_USAGE_FILE", usageFile), ("CYCLES_USAGE_FD", String(usageDescriptor)),
        ]
        let left = withholdsKeys ? names + keyNames : names
        let kept = inherited.filter { variable in !left.contains { variable.starts(with: ($0 + "=").utf8) } }
        return kept
            + values.compactMap { name, value in
                // A NUL would end the variable, and a truncated id could be another id.
                guard let value, !value.utf8.contains(0) else { return nil }
                return Array("\(name)=\(value)".utf8)
            }
    }

    /// Joins names with commas; nil for an empty list. Commas, percent signs and control characters in a name are
    /// encoded as `%` and two hexadecimal digits.
    private static func list(_ names: [String]) -> String? {
        guard !names.isEmpty else { return nil }
        return names.map { name in
            name.unicodeScalars.map { scalar in
                let isPlain = scalar.value >= 0x20 && scalar.value != 0x7f && scalar != "," && scalar != "%"
                guard !isPlain else { return String(scalar) }
                let digits = String(scalar.value, radix: 16, uppercase: true)
                return (digits.count < 2 ? "%0" : "%") + digits
            }.joined()
        }.joined(separator: ",")
    }
}
