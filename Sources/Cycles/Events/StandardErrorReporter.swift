#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Writes warnings for operators to standard error, once for each kind of event and reservation.
package final class StandardErrorReporter: CyclesObserver {
    private struct Seen: Hashable {
        let kind: String
        let subject: String
    }

    /// The number of warnings that are remembered. After that many, a warning may be repeated.
    private static let memory = 4_096

    private let seen = Lock(Set<Seen>())
    private let write: @Sendable (String) -> Void

    package init(write: @escaping @Sendable (String) -> Void = StandardErrorReporter.writeToStandardError) {
        self.write = write
    }

    package func observe(_ event: CyclesEvent) {
        guard let (kind, subject, text) = StandardErrorReporter.warning(event) else { return }
        let isNew = seen.withLock { seen in
            if seen.count >= StandardErrorReporter.memory { seen.removeAll(keepingCapacity: true) }
            return seen.insert(Seen(kind: kind, subject: subject)).inserted
        }
        // Escapes texts of servers and files, which must not control the terminal.
        if isNew { write("\(TerminalText("cycles: warning: \(subject): \(text)"))\n") }
    }

    private static func warning(_ event: CyclesEvent) -> (kind: String, subject: String, text: String)? {
        if case .systemProblem(let problem) = event { return ("system", "system", problem.message) }
        if case .journalProblem(let problem) = event {
            return ("journal", "settlement journal \(problem.path ?? "")".trimmed, problem.message)
        }
        if case .recordSetAside(let record) = event { return ("aside", "settlement journal", "\(record)") }
        return reservationWarning(event).map { ($0.kind, "reservation \($0.id)", $0.text) }
    }

    private static func reservationWarning(
        _ event: CyclesEvent
    ) -> (kind: String, id: ReservationID, text: String)? {
        switch event {
        case .leaseAttemptFailed(let failure):
            // A stop is reported by `leaseStopped`.
            guard case .retrying(let delay) = failure.disposition else { return nil }
            let text = "its lease could not be extended, trying again in \(delay.readable): \(failure.error)"
            return ("attempt", failure.reservationID, text)
        case .leaseStopped(let id, let reason):
            return ("stop", id, "its lease is no longer extended: \(reason). Its work can still be settled")
        case .leaseLost(let loss): return ("loss", loss.reservationID, "its lease was lost: \(loss.message)")
        case .leaseAtRisk(let id, let risk): return ("risk", id, "its lease may run out: \(risk)")
        case .settlementFailed(let id, let error): return ("settlement", id, "it could not be settled: \(error)")
        case .guardDropped(let id, let spend):
            let consequence = spend.map { "the recorded \($0) are committed" } ?? "its hold is released"
            return ("drop", id, "its guard ended without commit or release; \(consequence)")
        case .valueIgnored(let id, let what): return ("value", id, "left out of its settlement: \(what)")
        case .retryScheduled(let retry):
            return ("retry", retry.reservationID, "not settled yet, trying again: \(retry.error)")
        case .attemptStarted, .attemptFinished, .reserved, .settlementStarted, .leaseExtended, .settled,
            .journalProblem, .recordSetAside, .systemProblem:
            return nil
        }
    }

    /// Writes to file descriptor 2. Failures are ignored, since they cannot be reported.
    package static func writeToStandardError(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while !rest.isEmpty {
                let written = SystemFile.write(STDERR_FILENO, rest)
                guard written > 0 else { return }
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            }
        }
    }
}
