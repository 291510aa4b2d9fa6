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

    /// The number of warnings that are remembered. Beyond this number, a warning may be repeated.
    private static let memory = 4_096

    private let seen = Lock(Set<Seen>())
    private let write: @Sendable (String) -> Void

    package init(write: @escaping @Sendable (String) -> Void = StandardErrorReporter.writeToStandardError) {
        self.write = write
    }

    package func observe(_ event: CyclesEvent) {
        guard event.severity >= .warning else { return }
        let isNew = seen.withLock { seen in
            if seen.count >= StandardErrorReporter.memory { seen.removeAll(keepingCapacity: true) }
            return seen.insert(StandardErrorReporter.seen(event)).inserted
        }
        // Escapes texts of servers and files, which could otherwise control the terminal.
        if isNew { write("\(TerminalText("cycles: \(event.severity): \(event)"))\n") }
    }

    /// The kind and subject of an event. Only the first event of a kind and subject is written.
    private static func seen(_ event: CyclesEvent) -> Seen {
        switch event {
        case .leaseAttemptFailed(let failure): Seen(kind: "attempt", subject: failure.reservationID.rawValue)
        case .leaseStopped(let id, _, _): Seen(kind: "stop", subject: id.rawValue)
        case .leaseLost(let loss): Seen(kind: "loss", subject: loss.reservationID.rawValue)
        case .leaseAtRisk(let id, _, _): Seen(kind: "risk", subject: id.rawValue)
        case .settlementFailed(let id, _, _): Seen(kind: "settlement", subject: id.rawValue)
        case .guardDropped(let id, _, _): Seen(kind: "drop", subject: id.rawValue)
        case .valueIgnored(let id, _, _): Seen(kind: "value", subject: id.rawValue)
        case .retryScheduled(let retry): Seen(kind: "retry", subject: retry.reservationID.rawValue)
        case .journalProblem(let problem): Seen(kind: "journal", subject: problem.path ?? "")
        case .recordSetAside(let record): Seen(kind: "aside", subject: record.path)
        default: Seen(kind: "system", subject: "")
        }
    }

    /// Writes to file descriptor 2. Ignores failures, since they cannot be reported.
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
