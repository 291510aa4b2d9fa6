import Cycles

/// The unfinished settlements of a command that ends.
extension CyclesClient {
    /// Waits until no settlement meets the condition, for a limited time.
    func wait(atMost limit: Duration, while isOpen: (PendingSettlement) -> Bool) async {
        let deadline = ContinuousClock.now + limit
        while .now < deadline, await pendingSettlements().contains(where: isOpen) {
            await FirstThread.pause(.milliseconds(10))
        }
    }

    /// Waits for the journal's writes. If a settlement was attempted, its write has ended.
    func waitForJournal() async {
        guard configuration.journal != .disabled else { return }
        await wait(atMost: .seconds(10)) { !$0.isDurable && $0.lastError == nil }
    }

    /// Says how many settlements are unfinished, and what becomes of them.
    /// - Parameter command: The words that call the command.
    func reportPending(of command: String) async {
        let pending = await pendingSettlements()
        let (kept, lost) = (pending.count { $0.isDurable }, pending.count { !$0.isDurable })
        if kept > 0 {
            Console.error("\(command): \(kept) settlement(s) are still pending; cycles journal flush continues them")
        }
        if lost > 0 {
            Console.error(
                "\(command): \(lost) settlement(s) are still pending, are not in a journal, and are lost with this process"
            )
        }
    }
}
