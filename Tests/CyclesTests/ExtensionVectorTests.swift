import Foundation
import Testing

@testable import Cycles

/// The answers of the protocol's test vectors for v0.1.26, as facts.
private struct Vector: CustomTestStringConvertible, Sendable {
    var name: String
    var status = 200
    var body: String
    /// The decision of a 200; nil for an error answer.
    var decision: Decision?
    var reservationID: ReservationID?
    var scopes: [String] = []
    var detail: DenyDetail?

    var testDescription: String { name }

    static let bot = "tenant:acme/agent:support-bot"

    static let all = [
        Vector(
            name: "allow_happy_path",
            body: #"""
                {"decision":"ALLOW","reservation_id":"res_7f3a...","reserved":{"unit":"USD_MICROCENTS","amount":5000},
                "expires_at_ms":1744206030000,"scope_path":"tenant:acme > agent:support-bot","affected_scopes":[
                {"scope":"tenant:acme","remaining":{"unit":"USD_MICROCENTS","amount":995000}},
                {"scope":"tenant:acme/agent:support-bot","remaining":{"unit":"USD_MICROCENTS","amount":45000}}]}
                """#,
            decision: .allow,
            reservationID: "res_7f3a...",
            scopes: ["tenant:acme", bot]
        ),
        denied(
            "deny_action_kind_denied",
            #"""
            "reason_code":"ACTION_KIND_DENIED","blocked_by_policy":"pol_sandbox_001",
            "suggested_fix":"Remove 'payment.charge' from denied_action_kinds in policy 'pol_sandbox_001'"
            """#,
            DenyDetail(
                reasonCode: .actionKindDenied,
                blockedByPolicy: "pol_sandbox_001",
                suggestedFix: "Remove 'payment.charge' from denied_action_kinds in policy 'pol_sandbox_001'"
            )
        ),
        denied(
            "deny_action_kind_not_allowed",
            #"""
            "reason_code":"ACTION_KIND_NOT_ALLOWED","blocked_by_policy":"pol_readonly_001",
            "suggested_fix":"Add 'message.email.send' to allowed_action_kinds in policy 'pol_readonly_001'"
            """#,
            DenyDetail(
                reasonCode: .actionKindNotAllowed,
                blockedByPolicy: "pol_readonly_001",
                suggestedFix: "Add 'message.email.send' to allowed_action_kinds in policy 'pol_readonly_001'"
            )
        ),
        quota(
            "deny_risk_class_quota",
            QuotaViolation(
                actionKind: "message.email.send",
                riskClass: "external_side_effect",
                window: "per_hour_tumbling",
                windowKey: "2026-04-09T14",
                used: 50,
                limit: 50,
                scope: bot,
                policyID: "pol_agent_defaults"
            ),
            fix:
                "Increase external_side_effect per_hour_tumbling limit from 50 in policy 'pol_agent_defaults'"
        ),
        quota(
            "deny_per_kind_quota",
            QuotaViolation(
                actionKind: "message.email.send",
                window: "per_run",
                windowKey: "run-abc-123",
                used: 3,
                limit: 3,
                scope: bot,
                policyID: "pol_support_agent"
            ),
            fix: "Increase message.email.send per_run limit from 3 to 5 in policy 'pol_support_agent'"
        ),
        refused(
            "deny_budget_exceeded",
            "BUDGET_EXCEEDED",
            #"""
            "reason_code":"BUDGET_EXCEEDED","blocked_by_scope":"tenant:acme/agent:support-bot","budget_remaining":45000,
            "suggested_fix":"Fund tenant:acme/agent:support-bot budget by at least 455000 USD_MICROCENTS"
            """#,
            scopes: [bot],
            DenyDetail(
                reasonCode: .budgetExceeded,
                blockedByScope: bot,
                suggestedFix: "Fund tenant:acme/agent:support-bot budget by at least 455000 USD_MICROCENTS",
                budgetRemaining: 45_000
            )
        ),
        denied(
            "observe_mode_deny",
            #"""
            "reason_code":"ACTION_QUOTA_EXCEEDED","quota_violation":{"action_kind":"message.email.send",
            "window":"per_run","window_key":"run-abc-123","used":3,"limit":3,"scope":"tenant:acme/agent:support-bot",
            "policy_id":"pol_support_agent"},"blocked_by_policy":"pol_support_agent"
            """#,
            DenyDetail(
                reasonCode: .actionQuotaExceeded,
                quotaViolation: QuotaViolation(
                    actionKind: "message.email.send",
                    window: "per_run",
                    windowKey: "run-abc-123",
                    used: 3,
                    limit: 3,
                    scope: bot,
                    policyID: "pol_support_agent"
                ),
                blockedByPolicy: "pol_support_agent"
            )
        ),
        observed("observe_mode_allow"),
        Vector(
            name: "threshold_crossing",
            body: #"""
                {"decision":"ALLOW","reservation_id":"res_3k9m...","reserved":{"unit":"USD_MICROCENTS","amount":500},
                "expires_at_ms":1744206090000,"affected_scopes":["tenant:acme"]}
                """#,
            decision: .allow,
            reservationID: "res_3k9m...",
            scopes: ["tenant:acme"]
        ),
        observed("per_request_observe_override"),
        quota(
            "deny_burst_per_minute",
            QuotaViolation(
                actionKind: "message.email.send",
                window: "per_minute_tumbling",
                windowKey: "2026-04-09T14:32",
                used: 5,
                limit: 5,
                scope: bot,
                policyID: "pol_burst_protection"
            ),
            fix:
                "Wait until the next minute or increase per_minute_tumbling limit from 5 in policy 'pol_burst_protection'"
        ),
        quota(
            "deny_agent_spawn_quota",
            QuotaViolation(
                actionKind: "agent.spawn",
                window: "per_run",
                windowKey: "run-orch-001",
                used: 5,
                limit: 5,
                scope: "tenant:acme/agent:orchestrator",
                policyID: "pol_agent_safety"
            ),
            fix:
                "Increase agent.spawn per_run limit from 5 in policy 'pol_agent_safety', or consolidate work into fewer sub-agents"
        ),
    ]

    private static func denied(_ name: String, _ members: String, _ detail: DenyDetail) -> Vector {
        Vector(
            name: name,
            body: #"{"decision":"DENY","affected_scopes":[{"scope":"\#(bot)"}],"deny_detail":{\#(members)}}"#,
            decision: .deny,
            scopes: [bot],
            detail: detail
        )
    }

    private static func observed(_ name: String) -> Vector {
        Vector(
            name: name,
            body: #"""
                {"decision":"ALLOW","affected_scopes":[{"scope":"\#(bot)",
                "remaining":{"unit":"USD_MICROCENTS","amount":45000}}]}
                """#,
            decision: .allow,
            scopes: [bot]
        )
    }

    private static func quota(_ name: String, _ quota: QuotaViolation, fix: String) -> Vector {
        let members: [(String, String?)] = [
            ("action_kind", quota.actionKind), ("risk_class", quota.riskClass), ("window", quota.window),
            ("window_key", quota.windowKey), ("scope", quota.scope), ("policy_id", quota.policyID),
        ]
        let texts = members.compactMap { name, text in text.map { #""\#(name)":"\#($0)""# } }
        let violation = texts + [#""used":\#(quota.used ?? 0),"limit":\#(quota.limit ?? 0)"#]
        return refused(
            name,
            "ACTION_QUOTA_EXCEEDED",
            #"""
            "reason_code":"ACTION_QUOTA_EXCEEDED","quota_violation":{\#(violation.joined(separator: ","))},
            "blocked_by_policy":"\#(quota.policyID ?? "")","suggested_fix":"\#(fix)"
            """#,
            scopes: [],
            DenyDetail(
                reasonCode: .actionQuotaExceeded,
                quotaViolation: quota,
                blockedByPolicy: quota.policyID,
                suggestedFix: fix
            )
        )
    }

    private static func refused(
        _ name: String,
        _ code: String,
        _ members: String,
        scopes: [String],
        _ detail: DenyDetail
    ) -> Vector {
        Vector(
            name: name,
            status: 409,
            body: #"{"error":"\#(code)","message":"no","request_id":"req_1","details":{"deny_detail":{\#(members)}}}"#,
            scopes: scopes,
            detail: detail
        )
    }
}

@Suite struct ExtensionVectorTests {
    @Test(arguments: Vector.all) fileprivate func answersOfTheVectorsAreRead(vector: Vector) throws {
        let request = ReservationCreateRequest(
            subject: Subject(tenant: "acme"),
            action: Action(kind: "k", name: "n"),
            estimate: .usdMicrocents(5_000)
        )
        let operation = try Operation.createReservation(
            request,
            RequestDefaults(CyclesConfiguration(baseURL: "http://localhost", apiKey: "key-1"))
        )
        let answer = HTTPResponse(status: vector.status, body: Array(vector.body.utf8))
        do throws(CyclesError) {
            let response = try operation.interpret(answer, Redactor([]))
            #expect(response.decision == vector.decision && response.reservationID == vector.reservationID)
            #expect(response.affectedScopes == vector.scopes && response.denyDetail == vector.detail)
            #expect(response.reasonCode == vector.detail?.reasonCode)
        } catch {
            guard case .denied(let denial) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(vector.decision == nil && error.isDenied && !error.isRetryable)
            #expect(denial.reason == vector.detail?.reasonCode && denial.affectedScopes == vector.scopes)
            #expect(denial.suggestedFix == vector.detail?.suggestedFix)
            #expect(denial.blockedByScope == vector.detail?.blockedByScope)
            #expect(denial.blockedByPolicy == vector.detail?.blockedByPolicy)
            #expect(denial.budgetRemaining == vector.detail?.budgetRemaining)
            #expect(denial.quotaViolation == vector.detail?.quotaViolation)
            #expect(DenyDetail(decoding: denial.details?["deny_detail"]) == vector.detail)
            #expect("\(denial)".contains(denial.suggestedFix ?? "none"))
        }
    }

    /// Where the specification is at hand, no vector may be missing here.
    @Test func noVectorIsMissing() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let file = root.deletingLastPathComponent().appendingPathComponent("shared/spec/test-vectors-v0.1.26.yaml")
        guard let text = try? String(contentsOf: file, encoding: .utf8) else { return }
        let names = text.split(separator: "\n").filter { $0.hasPrefix("  - id: ") }.map { String($0.dropFirst(8)) }
        #expect(names == Vector.all.map(\.name))
    }
}
