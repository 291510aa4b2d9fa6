/// Texts for models and their users.
enum BudgetTexts {
    /// The instructions of the server.
    static let instructions = """
        Budgets for actions that cost money. Before such an action, call cycles_reserve with its expected cost. If the \
        decision is ALLOW, perform the action; if it is ALLOW_WITH_CAPS, keep to the caps; if it is DENY, do not perform \
        the action. Afterwards call cycles_commit with the actual cost, or cycles_release if the action did not take \
        place. Use a new idempotencyKey for each action, and the same one to repeat a call. The hint of a result says what \
        to do next.
        """

    static let quickStart = """
        # Spending within a budget

        1. **Reserve.** Call `cycles_reserve` with the action and its expected cost:

           ```json
           {"idempotencyKey": "8a6c-1", "action": {"kind": "llm.completion", "name": "gpt-4o"},
            "estimate": {"unit": "TOKENS", "amount": 2000}}
           ```

           The subject is configured. Name one to charge another budget: `"subject": {"agent": "writer"}`.

        2. **Read the decision.** ALLOW: perform the action. ALLOW_WITH_CAPS: perform it within `caps`. DENY: do not
           perform it. `hint` tells what remains, what would fit, and when to ask again.

        3. **Act.** The hold is extended until it is settled.

        4. **Settle.** Call `cycles_commit` with `reservationId` and the actual cost:

           ```json
           {"reservationId": "…", "idempotencyKey": "8a6c-2", "actual": {"unit": "TOKENS", "amount": 1410}}
           ```

           If the action did not take place, call `cycles_release`. The end of the session releases all holds.

        Amounts are whole numbers. 1 USD is 100000000 USD_MICROCENTS. Spend without a reservation is recorded with
        `cycles_create_event`. `cycles_check_balance` and the resource `cycles://balances/{tenant}` show budgets.

        """
}
